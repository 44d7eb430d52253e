"""Our end of the line to RecBole: gives it events, lets it learn, and asks for scores."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists
from aigc_models.data.interactions import Interactions

MISSING_PEER = """RecBole's figures are left out. To have them, make an environment of its own for it:
    python3 -m venv /tmp/recbole
    /tmp/recbole/bin/pip install torch 'numpy<2' 'pandas<2.2' 'scipy<1.12' 'scikit-learn<1.6' tqdm colorlog==4.7.2 \\
        colorama==0.4.4 pyyaml tabulate texttable psutil cloudpickle
    /tmp/recbole/bin/pip install --no-deps recbole==1.2.1
and name its Python: AIGC_PEER_PYTHON=/tmp/recbole/bin/python make bench-recommend, or --peer-python."""

_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "SASRec": {
        "train_neg_sample_args": None,
        "loss_type": "CE",
        "MAX_ITEM_LIST_LENGTH": 50,
        "train_batch_size": 2048,
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    },
    "MultiVAE": {
        "train_neg_sample_args": None,
        "train_batch_size": 2048,
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    },
}


class RecBole:
    """One of its models in training, and a scorer of histories.

    Args:
        model: ``SASRec`` or ``MultiVAE``.
        data: Where items get their names from.
        parts: Events for each of its files; one part called ``all`` lets it split them itself.
        directory: Where the files go.
        python: The Python that has it.
    """

    def __init__(
        self, model: str, data: Interactions, parts: Mapping[str, Interactions], directory: Path, python: str
    ) -> None:
        self._names, self.passes = list(data.item_names), 0.0
        (directory / "bench").mkdir(parents=True, exist_ok=True)
        for name, events in parts.items():
            _write(events, directory / "bench" / ("bench.inter" if name == "all" else f"bench.{name}.inter"))
        script = Path(__file__).with_name("recbole_side.py")
        self._process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=directory
        )
        self._ask(model=model, directory=str(directory), settings=dict(_SETTINGS[model]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def run(self, steps: int) -> float:
        """Take training steps; returns items (targets, or users) a second."""
        found = self._ask(do="steps", count=steps)
        self.passes = found["passes"]
        return float(found["items"] / found["seconds"])

    def score(self, histories: ItemLists) -> Tensor:
        """Shape: (B, I)."""
        with tempfile.TemporaryDirectory() as name:
            path = f"{name}/scores.npy"
            rows = [[self._names[item] for item in histories[row]] for row in range(len(histories))]
            self._ask(do="scores", histories=rows, names=self._names, out=path)
            return torch.from_numpy(np.load(path))

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"RecBole ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _write(events: Interactions, path: Path) -> None:
    """RecBole's own format; the place of an event stands for its time, so that both sides have one order."""
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    lines += [
        f"{events.user_names[user]}\t{events.item_names[item]}\t{place}"
        for place, (user, item) in enumerate(zip(events.users.tolist(), events.items.tolist(), strict=True))
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
