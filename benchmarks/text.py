"""Speed and quality of the text transformer on tinyshakespeare, by characters, beside nanoGPT's CPU recipe.

``python -m benchmarks.text [--quick] [--long SECONDS] [--only counts,speeds,quality,precision,long,products,sentences,
chinese]``: the last line is JSON. ``AIGC_BENCH_DATA`` names the folder that holds ``tinyshakespeare.txt``; its first
90 % are learnt from, the rest validates, all of it. The peer is ``benchmarks/peers/nano_decoder.py``, written from the
recipe's published settings. Both sides of a speed take turns, each in a process of its own with the same threads.

- ``train_speedup``: tokens a second of our training over the peer's, a network of as many numbers, the same
  batch; ``free_batch_speedup``: the same with a batch of our choice.
- ``peer_val_loss``: the peer's after its 2,000 steps; ``val_loss_at_peer_time``: ours after as many seconds of
  training; ``time_to_loss_speedup``: the peer's seconds over those of a brief training of ours whose loss is no higher,
  none where it is.
- ``bf16_gap``: our loss in bfloat16 less that in 32 bits after the same steps.
- ``sample_speedup_b1`` and ``sample_speedup_b32``: characters a second, one text and 32 at once, over the peer's one.
- ``jobs_speedup``: 64 prompts in one batch over one at a time; ``jobs_per_second``: those in the batch; ``same_text``
  says whether the texts are the same.
- ``ngram_loss``: Witten-Bell counts of four characters. ``long_run_val_loss``: after ``--long`` seconds.
- ``products_*``, after ``--products`` seconds of training on ``debian_descriptions.jsonl.gz``: ``perplexity`` per token
  of products kept apart beside ``perplexity_5gram`` (counts of the same tokens) and ``perplexity_neighbour`` (these
  counts, and for a share the tokens of the product whose name, section and tags are the most alike);
  ``attribute_coverage``, ``distinct2``, ``overlap`` (words in common with the real text, F1) and ``names`` (texts with
  the first word of their product's name) beside that product's own text; ``longest_copy`` from the training texts.
  Twenty are printed beside the real ones.
- ``sentences_*``, after as many seconds on the questions of ``banking77/train.csv``: the sentence VAE's, beside
  ``*_ngram`` (counts of five characters) and ``*_transformer`` (a text transformer of as many layers, after as many
  steps); new questions, rebuilt ones, ways between three pairs and ones near another are printed.
- ``chinese_*``: the same training on ``libreoffice_help_zh.jsonl.gz``; ten are printed.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aigc_models import training
from aigc_models.metrics.ngram import WittenBell
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.text_transformer.params import TextTransformerTrain
from aigc_models.text_transformer.trainer import Lesson, TextTrainer, token_losses
from aigc_models.writing.corpus import Corpus
from aigc_models.writing.generating import Text, write
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import BODY, MARKS, Tokenizer
from benchmarks.peers.nano_decoder import CONTEXT, LAYERS, ROWS, STEPS, WIDTH, PeerTraining
from benchmarks.products import chinese, products
from benchmarks.sentences import sentences
from benchmarks.sides import Side, in_turns
from benchmarks.writers import DATASET, Told

SIZE = {"width": WIDTH, "num_layers": LAYERS, "num_heads": 4, "context": CONTEXT}
SAME = {**SIZE, "batch_size": ROWS, "optimiser": "adamw"}
FREE = {**SAME, "batch_size": 64}
FAST = {"width": 128, "num_layers": 4, "context": 64, "batch_size": 32, "learning_rate": 0.008}
LONG = {"width": 192, "num_layers": 4, "context": 256, "batch_size": 12, "learning_rate": 0.006, "dropout": 0.05}
_BRIEF = 5  # so many times shorter than the peer's training
MISSING = "Set AIGC_BENCH_DATA to a folder that holds tinyshakespeare.txt (1,115,394 characters)."


class OurTraining:
    """Our training of a network of characters, with what the benchmark asks of it.

    Args:
        data: Characters to learn from and to validate with, as numbers.
        vocabulary: How many there are.
        settings: Of the training.
        threads: Of its process.
        precision: ``"float32"`` or ``"bfloat16"``; empty takes what the device does best.
    """

    def __init__(
        self, data: tuple[Any, Any], vocabulary: int, settings: dict[str, Any], threads: int, precision: str = ""
    ) -> None:
        torch.set_num_threads(threads)
        training.tune_process()
        chosen = {"dataset": DATASET, "patience": 1000, "weight_decay": 0.1, **settings}
        params = TextTransformerTrain.model_validate_json(json.dumps(chosen))
        corpora = [Corpus(part.int(), torch.ones(len(part), dtype=torch.bool), len(part)) for part in data]
        # The characters alone, as the peer has them, behind the two marks.
        tokenizer = Tokenizer("characters", [b""] * (MARKS + vocabulary), lambda text: list(map(ord, text)))
        corpora = [Corpus(one.tokens + MARKS, one.counted, one.characters) for one in corpora]
        self.trainer = TextTrainer(params, Lesson(corpora[0], corpora[1], tokenizer, []))
        if precision:
            self.trainer.precision = training.Precision(precision, "cpu")
        self.validation, self.done = corpora[1], 0

    def step(self) -> int:
        """Take one step; returns the tokens it worked on."""
        self.done += 1
        self.trainer.step(self.done)
        return self.trainer.worked_on

    def learn(self, steps: int) -> float:
        """Take steps; returns the seconds they took."""
        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        return time.perf_counter() - started

    def learn_for(self, seconds: float) -> tuple[int, float]:
        """Train for so long, the learning rate falling by time; returns the steps it took, and the seconds."""
        started, passed, first = time.perf_counter(), 0.0, self.done
        while passed < seconds:
            self.learn(10)
            passed = time.perf_counter() - started
            pace = passed / (self.done - first)
            self.trainer.total = self.done + max(1, round((seconds - passed) / pace))
        return self.done - first, passed

    def loss(self) -> float:
        """Nats per character over whole windows of the validation text, as the peer's."""
        network, length = self.trainer.network.eval(), self.trainer.params.context
        starts = torch.arange(0, len(self.validation) - length, length)
        total = 0.0
        for some in starts.split(64):
            total += float(token_losses(network, *self.validation.windows(some, length)).double().sum())
        network.train()
        return total / (len(starts) * length)

    def write(self, rows: int, length: int) -> float:
        """Draw characters; returns how many a second."""
        started = time.perf_counter()
        self._texts(range(rows), length)
        return rows * length / (time.perf_counter() - started)

    def together(self, jobs: int, length: int) -> tuple[float, float, bool]:
        """Prompts a second one by one and in one batch, and whether both give the same texts."""
        started = time.perf_counter()
        alone = [self._texts([seed], length)[0].tokens for seed in range(jobs)]
        between = time.perf_counter()
        batched = [text.tokens for text in self._texts(range(jobs), length)]
        ended = time.perf_counter()
        return jobs / (between - started), jobs / (ended - between), alone == batched

    def _texts(self, seeds: Any, length: int) -> list[Text]:
        network: TextTransformer = self.trainer.network.eval()
        texts = [Text([BODY], seed, length) for seed in seeds]
        write(network, self.trainer.lesson.tokenizer, Choice(), texts)
        network.train()
        return texts


def main() -> None:
    """Measure all, print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few steps only: does it run, not how good it is")
    parser.add_argument("--long", type=float, default=0.0, help="seconds of the long run; 0 leaves it out")
    parser.add_argument(
        "--products", type=float, default=900.0, help="seconds of each training on products, sentences, chinese"
    )
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, with commas between")
    parser.add_argument(
        "--keep", default="", help="folder for what is trained on products; a temporary one if left out"
    )
    parser.add_argument("--device", default="cpu", help="where products, sentences and chinese are trained and written")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    path = Path(os.environ.get("AIGC_BENCH_DATA", "")) / "tinyshakespeare.txt"
    if not path.is_file():
        raise SystemExit(MISSING)
    result: dict[str, Any] = {"quick": arguments.quick, "threads": arguments.threads}
    with tempfile.TemporaryDirectory() as name:
        told = Told(Path(arguments.keep or name), arguments.products, arguments.quick, arguments.device)
        for part in arguments.only.split(","):
            if part in OF_TEXTS:
                result |= OF_TEXTS[part](path.parent, told)
            else:
                result |= OF_CHARACTERS[part](*load(path), arguments)
            print(json.dumps(rounded(result)), flush=True)


def load(path: Path) -> tuple[tuple[torch.Tensor, torch.Tensor], int]:
    """The two parts of a text as numbers of characters, and how many characters there are."""
    text = path.read_text(encoding="utf-8")
    characters = sorted(set(text))
    number = {character: place for place, character in enumerate(characters)}
    codes = torch.tensor([number[character] for character in text])
    return (codes[: int(0.9 * len(codes))], codes[int(0.9 * len(codes)) :]), len(characters)


def counts(data: Any, vocabulary: int, _arguments: argparse.Namespace) -> dict[str, Any]:
    """Nats per character of the best short Witten-Bell counts."""
    learnt, validation = (part.numpy().astype(np.int64) for part in data)
    losses = [float(-WittenBell(learnt, vocabulary, order).log_shares(validation).mean()) for order in (4, 5, 6)]
    return {"ngram_loss": min(losses)}


def speeds(data: Any, vocabulary: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Training and sampling in turns with the peer."""
    blocks, steps = (1, 3) if arguments.quick else (7, 30)
    threads = arguments.threads
    with (
        Side(PeerTraining, data[0], vocabulary, threads) as peer,
        Side(OurTraining, data, vocabulary, {**SAME, "steps": 2000}, threads) as same,
        Side(OurTraining, data, vocabulary, {**FREE, "steps": 2000}, threads) as free,
    ):
        rates = in_turns([peer, same, free], blocks, steps)
        turns: dict[str, list[float]] = {"peer": [], "b1": [], "b32": []}
        for _ in range(2 if arguments.quick else 6):
            turns["peer"].append(peer.call("write", 1, 63))
            turns["b1"].append(same.call("write", 1, 63))
            turns["b32"].append(same.call("write", 32, 63))
        medians = {name: statistics.median(rate[1:]) for name, rate in turns.items()}
        apart, jobs, alike = same.call("together", 8 if arguments.quick else 64, 63)
    return {
        "peer_tokens_per_second": rates[0],
        "train_speedup": rates[1] / rates[0],
        "free_batch_speedup": rates[2] / rates[0],
        "peer_characters_per_second": medians["peer"],
        "sample_speedup_b1": medians["b1"] / medians["peer"],
        "sample_speedup_b32": medians["b32"] / medians["peer"],
        "jobs_speedup": jobs / apart,
        "jobs_per_second": jobs,
        "same_text": alike,
    }


def quality(data: Any, vocabulary: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Losses by time: the peer's whole recipe, and ours in as many seconds, in turns on the same machine."""
    peer_steps = 20 if arguments.quick else STEPS
    with (
        Side(PeerTraining, data[0], vocabulary, arguments.threads) as peer,
        Side(OurTraining, data, vocabulary, {**FAST, "steps": 5}, arguments.threads) as pilot,
    ):
        trial = peer.call("learn", 20) / 20
        pilot.call("learn", 3)
        own = pilot.call("learn", 10) / 10
    rounds = 20
    budget = max(1, int(peer_steps * trial / own / rounds)) * rounds  # our steps in the peer's time
    brief_steps = max(1, budget // _BRIEF // rounds) * rounds
    with (
        Side(PeerTraining, data[0], vocabulary, arguments.threads) as peer,
        Side(OurTraining, data, vocabulary, {**FAST, "steps": budget}, arguments.threads) as whole,
        Side(OurTraining, data, vocabulary, {**FAST, "steps": brief_steps}, arguments.threads) as brief,
    ):
        taken = {"peer": 0.0, "whole": 0.0, "brief": 0.0}
        for _ in range(rounds):
            taken["peer"] += peer.call("learn", max(1, peer_steps // rounds))
            taken["whole"] += whole.call("learn", budget // rounds)
            taken["brief"] += brief.call("learn", brief_steps // rounds)
        peer_loss, ours, quick = peer.call("loss", data[1]), whole.call("loss"), brief.call("loss")
    return {
        "peer_val_loss": peer_loss,
        "peer_seconds": taken["peer"],
        "val_loss_at_peer_time": ours,
        "our_seconds": taken["whole"],
        "brief_val_loss": quick,
        "brief_seconds": taken["brief"],
        "time_to_loss_speedup": taken["peer"] / taken["brief"] if quick <= peer_loss else None,
    }


def precision_gap(data: Any, vocabulary: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Our loss in bfloat16 less that in 32 bits, after the same steps."""
    steps = 5 if arguments.quick else 400
    losses = {}
    for precision in ("bfloat16", "float32"):
        with Side(OurTraining, data, vocabulary, {**FAST, "steps": steps}, arguments.threads, precision) as side:
            side.call("learn", steps)
            losses[precision] = side.call("loss")
    return {"bf16_gap": losses["bfloat16"] - losses["float32"]}


def long_run(data: Any, vocabulary: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """A larger network for a given time."""
    if arguments.long <= 0:
        return {"long_run_val_loss": None, "long_run_seconds": 0.0}
    with Side(OurTraining, data, vocabulary, {**LONG, "steps": 1000}, arguments.threads) as side:
        steps, seconds = side.call("learn_for", arguments.long)
        return {"long_run_val_loss": side.call("loss"), "long_run_seconds": seconds, "long_run_steps": steps}


def rounded(result: dict[str, Any]) -> dict[str, Any]:
    """Four digits after the point."""
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}


OF_CHARACTERS = {
    "counts": counts, "speeds": speeds, "quality": quality, "precision": precision_gap, "long": long_run,
}  # fmt: skip
OF_TEXTS = {"products": products, "sentences": sentences, "chinese": chinese}
PARTS = (*OF_CHARACTERS, *OF_TEXTS)

if __name__ == "__main__":
    main()
