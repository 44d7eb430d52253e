"""One training by ``torch.distributed.run`` with NCCL, as a runner starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_RANK = """
import json, os, torch, torch.distributed as dist
device = os.environ["BENCH_DEVICE"]
dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
x = torch.ones(1 << 20, device=device)
dist.all_reduce(x)
print(json.dumps({"backend": dist.get_backend(), "world": dist.get_world_size(), "sum": float(x.sum())}))
dist.destroy_process_group()
"""


def check(device: str, work: Path) -> dict[str, Any]:
    """World size 1: the library, the launcher and the collective calls work on this card."""
    script = work / "rank.py"
    script.write_text(_RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1", str(script)]
    environment = {**os.environ, "BENCH_DEVICE": device, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    print(ran.stderr[-2000:])
    assert ran.returncode == 0, ran.stderr[-1500:]
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert told["sum"] == 1 << 20, told
    return told
