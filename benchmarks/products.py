"""Product descriptions, their sentences, and Chinese help pages, by the families that write; see ``text``.

Both go the way of any user: the import checks and splits the texts, ``text_transformer.train`` learns, and
``text_transformer.generate`` writes, with four candidates for each text kept. What is learnt is what so many seconds
allow.
"""

import contextlib
import gzip
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from aigc_models.base import Cancelled
from aigc_models.data.texts import Document, load_texts
from aigc_models.metrics.copied_spans import Sources
from aigc_models.metrics.ngram import WittenBell
from aigc_models.metrics.text_quality import distinct, words
from aigc_models.registry import task
from aigc_models.standalone import LocalRun, perform
from aigc_models.text_transformer.saved import Saved, load
from aigc_models.text_vae.sentences import sentences_of
from aigc_models.writing.conditions import body_of, header_of, known_of
from aigc_models.writing.corpus import part
from benchmarks import help_pages

FILE, CHINESE = "debian_descriptions.jsonl.gz", "libreoffice_help_zh.jsonl.gz"
DATASET, MODEL = "ds_" + "0" * 26, "mdl_" + "0" * 26
SETTINGS: dict[str, Any] = {"batch_size": 32, "context": 192, "width": 256, "num_layers": 4, "dropout": 0.1}
IMPORT = {"text_column": "text", "title_column": "name", "attribute_columns": "section,tags", "repeats": "drop_similar"}
_ORDER, _COMPARED = 5, 120
_LESS = 0.4  # of the seconds is for sentences


@dataclass(frozen=True, slots=True)
class Told:
    """Where it runs, for how long, and whether only to see that it runs."""

    home: Path
    seconds: float
    quick: bool

    def settings(self) -> dict[str, Any]:
        """Of the training."""
        small = {"width": 64, "num_layers": 2, "steps": 20, "batch_size": 8}
        return {**SETTINGS, **(small if self.quick else {})}


def products(folder: Path, told: Told) -> dict[str, Any]:
    """Learn to describe products, and compare with counts of five tokens and with the nearest neighbour's text."""
    dataset = _import(folder / FILE, told)
    model, found = _trained(dataset, told.home / "products", told, {"vocabulary": 4096})
    texts = load_texts(dataset)
    learnt, aside = part(texts.train, 0)
    saved = load(model, "cpu")
    neighbours = _nearest(learnt, texts.test)
    found |= _by_counts(saved, learnt, aside, (texts.test, neighbours))
    some = [round(place) for place in np.linspace(0, len(texts.test) - 1, 20 if told.quick else _COMPARED)]
    real = [texts.test[place] for place in some]
    copied = [neighbours[place] for place in some]
    written = _written(model, real, told.home / "written")
    asked = [{name: values for name, values in known_of(one).items() if name != "title"} for one in real]
    for name, side in (("", written), ("_neighbour", [body_of(one) for one in copied])):
        found[f"attribute_coverage{name}"] = saved.reader.mean_share(side, asked)
        found[f"distinct2{name}"] = distinct(side)
        found[f"overlap{name}"] = float(np.mean([_overlap(a, body_of(b)) for a, b in zip(side, real, strict=True)]))
    found["longest_copy"] = float(Sources([body_of(one) for one in texts.train]).longest(written).length)
    _show(real[:: max(1, len(real) // 20)], written[:: max(1, len(real) // 20)])
    return {f"products_{name}": value for name, value in found.items()}


def chinese(folder: Path, told: Told) -> dict[str, Any]:
    """Learn to write like the Chinese help pages."""
    dataset = help_pages.saved(help_pages.pages(str(folder), "zh"), told.home / "chinese-pages")
    model, found = _trained(dataset, told.home / "chinese", told, {"vocabulary": 6000})
    real = list(load_texts(dataset).test[:10])
    _show(real, _written(model, real, told.home / "chinese-written"))
    return {f"chinese_{name}": value for name, value in found.items()}


def sentences(folder: Path, told: Told) -> dict[str, Any]:
    """Sentences of the product descriptions by the sentence VAE: rebuilt ones, and ways between three pairs."""
    dataset, out = told.home / "imported" / "dataset", told.home / "sentences"
    if not dataset.exists():
        dataset = _import(folder / FILE, told)
    small = {"steps": 20, "width": 32, "num_layers": 1, "longest": 120}
    settings: dict[str, Any] = {"dataset": DATASET, "longest": 64, **(small if told.quick else {})}
    if not told.quick:
        pace = _seconds_a_step(dataset, told.home / "vae-pilot", settings, "text_vae")
        settings["steps"] = max(100, int(_LESS * told.seconds / pace))
    run = LocalRun(out, {"dataset": dataset}, on_log=lambda line: print("#", line, flush=True))
    figures = perform("text_vae", "train", _params("train", "text_vae", **settings), run)
    test = [one for one in sentences_of(load_texts(dataset).test) if 30 < len(one) < 90][::7][:6]
    for mode, given, count in (("reconstruct", test, 1), *(("interpolate", test[n : n + 2], 5) for n in (0, 2, 4))):
        wanted = _params("generate", "text_vae", model=MODEL, mode=mode, sentences="\n".join(given), count=count)
        perform("text_vae", "generate", wanted, LocalRun(told.home / "ways", {"model": out / "model"}))
        print(f"\n-- {mode}: {given}\n{(told.home / 'ways' / 'texts.txt').read_text(encoding='utf-8')}", flush=True)
    return {f"sentences_{name}": value for name, value in {**figures, "steps": settings["steps"]}.items()}


def _import(file: Path, told: Told) -> Path:
    upload = told.home / "upload"
    upload.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "rt", encoding="utf-8") as lines, (upload / "products.jsonl").open("w") as out:
        for line in islice(lines, 600 if told.quick else None):
            row = json.loads(line)
            tags = [tag for tag in row["tags"].split(", ") if tag]
            kept = {"name": row["name"], "section": row["section"], "tags": tags, "text": row["description"]}
            out.write(json.dumps(kept, ensure_ascii=False) + "\n")
    run = LocalRun(told.home / "imported", {"upload": upload})
    perform("dataset", "import_text", task("dataset.import_text").model_validate(IMPORT), run)
    return told.home / "imported" / "dataset"


def _trained(dataset: Path, out: Path, told: Told, more: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """A training of so many seconds; how many steps that is follows from a brief one."""
    settings = {**told.settings(), **more}
    if not told.quick:
        settings["steps"] = max(100, int(told.seconds / _seconds_a_step(dataset, told.home / "pilot", settings)))
    run = LocalRun(out, {"dataset": dataset}, on_log=lambda line: print("#", line, flush=True))
    started = time.perf_counter()
    figures = perform("text_transformer", "train", _params("train", dataset=DATASET, **settings), run)
    return out / "model", {**figures, "steps": settings["steps"], "seconds": time.perf_counter() - started}


def _seconds_a_step(dataset: Path, out: Path, settings: dict[str, Any], family: str = "text_transformer") -> float:
    times: list[float] = []

    def stop(step: int, _total: int, _figures: Any) -> None:
        times.append(time.perf_counter())
        run.cancelling = step >= 30

    run = LocalRun(out, {"dataset": dataset}, on_report=stop)
    with contextlib.suppress(Cancelled):
        perform(family, "train", _params("train", family, **{**settings, "dataset": DATASET, "steps": 2000}), run)
    return float(np.median(np.diff(times[5:])))


def _params(operation: str, family: str = "text_transformer", **values: Any) -> Any:
    return task(f"{family}.{operation}").model_validate_json(json.dumps(values))


def _nearest(learnt: Sequence[Document], wanted: Sequence[Document]) -> list[Document]:
    """For each product the one to learn from whose name, section and tags are the most alike (TF-IDF of words)."""
    vectors = TfidfVectorizer(token_pattern=r"[^\s,]+", sublinear_tf=True)
    known: csr_matrix = vectors.fit_transform([header_of(known_of(one)) for one in learnt])
    asked: csr_matrix = vectors.transform([header_of(known_of(one)) for one in wanted])
    return [learnt[int(np.asarray((asked[row] @ known.T).todense()).argmax())] for row in range(asked.shape[0])]


def _by_counts(
    saved: Saved, learnt: Sequence[Document], aside: Sequence[Document], test: tuple[Sequence[Document], list[Document]]
) -> dict[str, float]:
    """Perplexity per token of the network's own tokens: by Witten-Bell counts, and by these and the nearest text."""
    rows = [np.array([*saved.tokenizer.encode(body_of(one)), 0]) for one in learnt]
    counts = WittenBell(np.concatenate(rows).astype(np.int64), saved.tokenizer.vocabulary, _ORDER)
    shares = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
    tried = _mixed(saved, counts, aside, _nearest(learnt, aside), shares)
    best = int(np.argmin(tried))
    found = _mixed(saved, counts, test[0], test[1], (0.0, shares[best]))
    return {"perplexity_5gram": found[0], "perplexity_neighbour": found[1], "neighbour_share": shares[best]}


def _mixed(
    saved: Saved, counts: WittenBell, documents: Sequence[Document], beside: Sequence[Document], shares: Sequence[float]
) -> list[float]:
    """Perplexities where tokens come from counts, and for a share from those of a text beside."""
    nats, tokens = np.zeros(len(shares)), 0
    for one, other in zip(documents, beside, strict=True):
        own = np.array([*saved.tokenizer.encode(body_of(one)), 0], dtype=np.int64)
        copied = np.bincount([*saved.tokenizer.encode(body_of(other)), 0], minlength=saved.tokenizer.vocabulary)
        likely, copy = np.exp(counts.log_shares(np.concatenate([[0], own]))[1:]), (copied / copied.sum())[own]
        for place, share in enumerate(shares):
            nats[place] -= np.log((1 - share) * likely + share * copy).sum()
        tokens += len(own)
    return [float(value) for value in np.exp(nats / tokens)]


def _written(model: Path, real: Sequence[Document], out: Path) -> list[str]:
    """A text for the attributes of each."""
    texts = []
    run = LocalRun(out, {"model": model})
    for number, one in enumerate(real):
        wish = "\n".join(f"{name}={', '.join(values)}" for name, values in known_of(one).items())
        wish = wish if len(wish) <= 200 else wish[:200].rpartition(",")[0]
        wanted = _params("generate", model=MODEL, attributes=wish, count=1, candidates=4, seed=number, max_tokens=150)
        perform("text_transformer", "generate", wanted, run)
        texts.append(json.loads((out / "texts.jsonl").read_text(encoding="utf-8").splitlines()[0])["text"])
    return texts


def _overlap(written: str, real: str) -> float:
    """F1 of the words that both have."""
    ours, theirs = Counter(words(written)), Counter(words(real))
    both = sum((ours & theirs).values())
    return 2 * both / max(sum(ours.values()) + sum(theirs.values()), 1)


def _show(real: Sequence[Document], written: Sequence[str]) -> None:
    for one, text in zip(real, written, strict=True):
        print(f"\n-- {header_of(known_of(one))!r}\nwritten: {text}\nreal: {body_of(one)[:400]}", flush=True)
