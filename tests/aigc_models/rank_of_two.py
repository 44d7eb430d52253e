"""One of the processes that :mod:`tests.aigc_models.test_ranks` starts: trains families one after the other."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import torch

from aigc_models import ranks
from aigc_models.ranks import Follower
from aigc_models.standalone import perform
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.test_contract import SMALL, params_of


def main() -> None:
    place, families = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    with ranks.joined("cpu", place / "store") as own:
        for family, changed in families.items():
            inputs = {"dataset": place / ("texts" if family.startswith("text") else "images")}
            params = params_of(f"{family}.train", **{**SMALL[family], **changed})
            out = place / family if own.first else place / f"{family}-{own.place}"
            if own.first:
                run = RecordingRun(out, inputs)
                metrics = perform(family, "train", params, run)
                told = {"metrics": dict(metrics), "steps": run.steps, "phases": run.phases}
                (out / "metrics.json").write_text(json.dumps(told))
            else:
                follower = Follower("cpu", inputs, out, None, RecordingRun(out).adjustments)
                ranks.follow(partial(perform, family, "train", params), follower)
    assert os.environ["WORLD_SIZE"] == "2"


if __name__ == "__main__":
    main()
