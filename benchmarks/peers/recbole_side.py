"""RecBole in a process and an environment of its own; ``recommend.py`` talks to it in lines of JSON.

Run by the Python that has RecBole 1.2.1; nothing of this project is imported. What RecBole imports and does not use
here (ray, thop, plotly, tensorboard) is replaced by empty modules where it is not installed.
"""

import importlib
import json
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

UNUSED = ("ray", "ray.tune", "thop", "plotly", "plotly.graph_objs", "tensorboard", "torch.utils.tensorboard")


def stub_unused() -> None:
    """Let RecBole be imported without what it does not need here."""
    for name in UNUSED:
        try:
            importlib.import_module(name)
        except ImportError:
            module = types.ModuleType(name)
            for part in ("tune", "profile", "SummaryWriter"):
                setattr(module, part, lambda *_, **__: types.SimpleNamespace())
            module.__path__ = []
            sys.modules[name] = module


class Peer:
    """One of RecBole's models in training.

    Args:
        model: ``SASRec`` or ``MultiVAE``.
        directory: Holds ``bench/bench.{train,valid,test}.inter`` or ``bench/bench.inter``.
        settings: RecBole's own.
    """

    def __init__(self, model: str, directory: str, settings: dict[str, Any]) -> None:
        stub_unused()
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.utils import get_model, get_trainer, init_seed

        general = {"data_path": directory, "use_gpu": False, "show_progress": False, "log_wandb": False}
        config = Config(model=model, dataset="bench", config_dict={**general, **settings})
        init_seed(0, True)
        self.dataset = create_dataset(config)
        self.train, self.valid, _ = data_preparation(config, self.dataset)
        self.model = get_model(model)(config, self.train.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], model)(config, self.model)
        self.optimizer, self.batches, self.passes = trainer.optimizer, iter(()), 0.0

    def steps(self, count: int) -> dict[str, float]:
        """Some training steps, as RecBole's trainer takes them."""
        started, items = time.perf_counter(), 0
        self.model.train()
        for _ in range(count):
            batch = self._next()
            self.optimizer.zero_grad()
            loss = self.model.calculate_loss(batch)
            loss.backward()
            self.optimizer.step()
            items += len(batch)
            self.passes += 1 / len(self.train)
        return {"items": items, "seconds": time.perf_counter() - started, "passes": self.passes}

    def _next(self) -> Any:
        try:
            return next(self.batches)
        except StopIteration:
            self.batches = iter(self.train)
            return next(self.batches)

    def scores(self, histories: list[list[str]], names: list[str], out: str) -> dict[str, float]:
        """Scores of the named items after histories, saved as an array (users, items)."""
        import numpy as np
        import torch

        self.model.eval()
        ids = torch.from_numpy(self.dataset.token2id("item_id", np.array(names)))
        number = dict(zip(names, ids.tolist(), strict=True))
        rows = [[number[name] for name in history] for history in histories]
        with torch.no_grad():
            found = self._sequential(rows) if hasattr(self.model, "max_seq_length") else self._sets(rows)
        np.save(out, found[:, ids].numpy())
        return {}

    def _sequential(self, rows: list[list[int]]) -> Any:
        import torch
        from recbole.data.interaction import Interaction

        longest = self.model.max_seq_length
        items = torch.zeros(len(rows), longest, dtype=torch.int64)
        for row, history in enumerate(rows):
            newest = history[-longest:]
            items[row, : len(newest)] = torch.tensor(newest)
        lengths = torch.tensor([min(len(history), longest) for history in rows])
        return self.model.full_sort_predict(Interaction({"item_id_list": items, "item_length": lengths}))

    def _sets(self, rows: list[list[int]]) -> Any:
        import torch

        held = torch.zeros(len(rows), self.dataset.item_num)
        for row, history in enumerate(rows):
            held[row, history] = 1.0
        return self.model.forward(held)[0]


def main() -> None:
    """Make a peer from the first line, then answer each line with one."""
    answers, sys.stdout = sys.stdout, sys.stderr  # RecBole prints
    first = json.loads(sys.stdin.readline())
    with tempfile.TemporaryDirectory() as name:
        settings = {"checkpoint_dir": str(Path(name) / "saved"), **first["settings"]}
        peer = Peer(first["model"], first["directory"], settings)
        print(json.dumps({"rows": len(peer.train.dataset)}), file=answers, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            found = getattr(peer, request.pop("do"))(**request)
            print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
