"""``python -m benchmarks.gpu --log DIRECTORY``: runs the parts, prints a table, and one last line of JSON."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu.runs import LESSONS
from worker import devices
from worker.devices import Device
from worker.nvml import open_nvml

_AT_ONCE = 4  # families that are checked side by side; speed is measured alone
_MARK = "GPU-PART "


@dataclass(frozen=True, slots=True)
class Part:
    """One check in a process of its own."""

    name: str
    seconds: float
    alone: bool = True


def parts(only: Sequence[str], families: Sequence[str]) -> list[Part]:
    """What is to be done, in order."""
    every = [
        Part("device", 120),
        *(Part(f"family {name}", 240, alone=False) for name in families),
        Part("exchange", 90),
        Part("memory", 150),
        Part("stack", 240),
        *(Part(f"speed {name}", 90) for name in families),
    ]
    return [part for part in every if not only or part.name.split()[0] in only]


@dataclass(slots=True)
class Book:
    """What was found, kept in the log directory after every part."""

    directory: Path
    found: dict[str, Any] = field(default_factory=dict)

    def note(self, part: Part, outcome: dict[str, Any], printed: str) -> None:
        """Write down a part's figures and what it printed."""
        self.found[part.name] = outcome
        with (self.directory / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"=== {part.name}\n{printed}\n")
        (self.directory / "result.json").write_text(json.dumps(self.found, indent=1, default=str), encoding="utf-8")
        state = "ok" if outcome["ok"] else f"FAILED: {outcome['error']}"
        print(f"{part.name:<24} {outcome['seconds']:6.1f} s  {state}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 0 when all are well."""
    options = _options(arguments)
    with open_nvml() as nvml:
        device = devices.choose(options.device, nvml)[0]
    if options.part:
        return _work(options.part, device, options)
    options.log.mkdir(parents=True, exist_ok=True)
    book, began = Book(options.log), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="aigcgpu") as work:
        todo = parts(options.only, options.families)
        for group in _groups(todo):
            with ThreadPoolExecutor(1 if group[0].alone else _AT_ONCE) as several:
                ran = several.map(lambda part: (part, *_run(part, Path(work), options, book.found)), group)
                for part, outcome, printed in ran:
                    book.note(part, outcome, printed)
    print(*table(book.found), sep="\n")
    failed = [name for name, outcome in book.found.items() if not outcome["ok"]]
    last = {"device": device.title, "seconds": round(time.perf_counter() - began, 1), "failed": failed}
    print(json.dumps(last | {"parts": book.found}, default=str))
    return 1 if failed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--log", type=Path, default=Path("build/gpu"), help="directory for log and figures")
    parser.add_argument("--device", default="auto", help="as for a worker; the first one is taken")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a measurement of speed")
    parser.add_argument("--only", action="append", default=[], help="kinds of parts; repeatable")
    parser.add_argument("--families", nargs="*", default=list(LESSONS), choices=list(LESSONS))
    parser.add_argument("--patience", type=float, default=1.0, help="what the parts' time limits are multiplied with")
    parser.add_argument("--brief", action="store_true", help="a tenth of each training: to try this out on a CPU")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--share", type=float, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _groups(todo: Sequence[Part]) -> Iterator[list[Part]]:
    """Neighbours that may run side by side."""
    group: list[Part] = []
    for part in todo:
        if group and (part.alone or group[-1].alone):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _run(part: Part, work: Path, options: argparse.Namespace, known: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A part in its process: its figures and what it printed."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", part.name, "--work", str(work)]
    command += ["--device", options.device, "--seconds", str(options.seconds), *(["--brief"] if options.brief else [])]
    if share := known.get("memory", {}).get("memory_share"):
        command += ["--share", str(share)]
    began, limit = time.perf_counter(), part.seconds * options.patience
    try:
        ran = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=limit
        )
        printed, error = ran.stdout, f"exit status {ran.returncode}"
    except subprocess.TimeoutExpired as late:
        printed = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else str(late.stdout or "")
        error = f"not done after {limit:.0f} s"
    told = [line for line in printed.splitlines() if line.startswith(_MARK)]
    found: dict[str, Any] = json.loads(told[-1].removeprefix(_MARK)) if told else {"ok": False, "error": error}
    return {**found, "seconds": round(time.perf_counter() - began, 1)}, printed


def _work(name: str, device: Device, options: argparse.Namespace) -> int:
    """Inside a part's process."""
    try:
        found = {"ok": True, **_figures(name, device, options)}
    except BaseException as error:
        print(_MARK + json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"[:1500]}), flush=True)
        raise
    print(_MARK + json.dumps(found, default=str), flush=True)
    return 0


def _figures(name: str, device: Device, options: argparse.Namespace) -> dict[str, Any]:
    kind, _, family = name.partition(" ")
    os.environ.update(device.environment)  # as a runner has it; before torch is imported
    if kind == "device":
        from benchmarks.gpu import device as part

        return part.check()
    if kind == "exchange":
        from benchmarks.gpu import exchange

        return exchange.check(device, options.work)
    if kind == "memory":
        from benchmarks.gpu import memory

        return memory.check(device, options.work)
    if kind == "stack":
        from benchmarks.gpu import stack

        return stack.check(device, options.work, options.share, epochs=2 if options.brief else 40)
    import torch

    from benchmarks.gpu import family as checks

    if kind == "family":
        torch.set_num_threads(4)  # several are checked side by side
        return checks.check(family, device.torch_name, options.work, options.brief)
    found: dict[str, Any] = {"cpu": checks.speed(family, "cpu", options.work, options.seconds), "cpus": os.cpu_count()}
    if device.kind == "gpu":
        found["gpu"] = checks.speed(family, device.torch_name, options.work, options.seconds)
        found["gpu_over_cpu"] = round(found["gpu"]["steps_per_s"] / max(found["cpu"]["steps_per_s"], 1e-9), 2)
    return found


def table(found: Mapping[str, Any]) -> list[str]:
    """Families line by line."""
    widths = (9, 9, 7, 9, 9, 9, 7)
    heads = ("CPU/s", "GPU/s", "times", "warm ms", "16-bit", "resumed", "MiB")
    lines = ["", f"{'family':<18}" + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))]
    for name in LESSONS:
        checked, fast = found.get(f"family {name}", {}), found.get(f"speed {name}", {})
        cells = [
            fast.get("cpu", {}).get("steps_per_s", ""),
            fast.get("gpu", {}).get("steps_per_s", ""),
            fast.get("gpu_over_cpu", ""),
            checked.get("warm_use_p50_ms", ""),
            checked.get("loss_gap", ""),
            checked.get("resumed_metric_gap", ""),
            checked.get("peak_mib", ""),
        ]
        shown = (f"{cell!s:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{name:<18}" + "".join(shown))
    return [*lines, ""]


if __name__ == "__main__":
    sys.exit(main())
