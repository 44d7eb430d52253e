"""Product descriptions and Chinese help pages by the text transformer; see ``text``.

Both go the way of any user: the import checks and splits the texts, ``text_transformer.train`` learns, and
``text_transformer.generate`` writes, with eight candidates for each text kept. What is learnt is what so many seconds
allow.
"""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from aigc_models.data.texts import Document, load_texts
from aigc_models.metrics.copied_spans import Sources
from aigc_models.metrics.ngram import WittenBell
from aigc_models.metrics.text_quality import distinct, words
from aigc_models.sharing import Request
from aigc_models.standalone import LocalRun, perform
from aigc_models.text_transformer.model import generate_many
from aigc_models.text_transformer.saved import Saved, load
from aigc_models.writing.conditions import body_of, header_of, known_of
from aigc_models.writing.corpus import part
from aigc_models.writing.vocabulary import Vocabulary
from benchmarks import help_pages
from benchmarks.writers import MODEL, Told, params, trained

FILE, CHINESE = "debian_descriptions.jsonl.gz", "libreoffice_help_zh.jsonl.gz"
SETTINGS: dict[str, Any] = {
    "batch_size": 32, "context": 192, "width": 256, "num_layers": 6, "dropout": 0.2, "weight_decay": 0.1,
}  # fmt: skip
ON_GPU: dict[str, Any] = {
    "batch_size": 64, "context": 256, "width": 384, "num_layers": 6, "num_heads": 8, "dropout": 0.4,
    "weight_decay": 0.1, "patience": 20,
}  # fmt: skip
_QUICK: dict[str, Any] = {"width": 64, "num_layers": 2, "steps": 20, "batch_size": 8}
IMPORT = {"text_column": "text", "title_column": "name", "attribute_columns": "section,tags", "repeats": "drop_similar"}
_ORDER, _COMPARED = 5, 120


def products(folder: Path, told: Told) -> dict[str, Any]:
    """Learn to describe products, and compare with counts of five tokens and with the nearest neighbour's text."""
    dataset = _import(folder / FILE, told)
    model, found = trained("text_transformer", dataset, told.home / "products", told, _settings(told))
    writer = told.run(told.home / "written", model=model)
    texts = load_texts(dataset)
    learnt, aside = part(texts.train, 0)
    saved = load(model, "cpu")
    neighbours = _nearest(learnt, texts.test)
    found |= _by_counts(saved, learnt, aside, (texts.test, neighbours))
    some = [round(place) for place in np.linspace(0, len(texts.test) - 1, 20 if told.quick else _COMPARED)]
    real = [texts.test[place] for place in some]
    copied = [neighbours[place] for place in some]
    written = _written(writer, real)
    asked = [{name: values for name, values in known_of(one).items() if name != "title"} for one in real]
    for name, side in (("", written), ("_neighbour", [body_of(one) for one in copied])):
        found[f"attribute_coverage{name}"] = saved.reader.mean_share(side, asked)
        found[f"distinct2{name}"] = distinct(side)
        found[f"names{name}"] = _named(side, real)
        found[f"overlap{name}"] = float(np.mean([_overlap(a, body_of(b)) for a, b in zip(side, real, strict=True)]))
    found["names_real"] = _named([body_of(one) for one in real], real)
    found["longest_copy"] = float(Sources([body_of(one) for one in texts.train]).longest(written).length)
    _show(real[:: max(1, len(real) // 20)], written[:: max(1, len(real) // 20)])
    return {f"products_{name}": value for name, value in found.items()}


def chinese(folder: Path, told: Told) -> dict[str, Any]:
    """Learn to write like the Chinese help pages."""
    dataset = help_pages.saved(help_pages.pages(str(folder), "zh"), told.home / "chinese-pages")
    settings = {**_settings(told), "vocabulary": 4096}
    model, found = trained("text_transformer", dataset, told.home / "chinese", told, settings)
    real = list(load_texts(dataset).test[:10])
    _show(real, _written(told.run(told.home / "chinese-written", model=model), real))
    return {f"chinese_{name}": value for name, value in found.items()}


def _settings(told: Told) -> dict[str, Any]:
    return {**(SETTINGS if told.on_cpu else ON_GPU), **(_QUICK if told.quick else {})}


def _import(file: Path, told: Told) -> Path:
    upload = told.home / "upload"
    upload.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "rt", encoding="utf-8") as lines, (upload / "products.jsonl").open("w") as out:
        for line in islice(lines, 600 if told.quick else None):
            row = json.loads(line)
            tags = [tag for tag in row["tags"].split(", ") if tag]
            kept = {"name": row["name"], "section": row["section"], "tags": tags, "text": row["description"]}
            out.write(json.dumps(kept, ensure_ascii=False) + "\n")
    run = told.run(told.home / "imported", upload=upload)
    perform("dataset", "import_text", params("dataset.import_text", **IMPORT), run)
    return told.home / "imported" / "dataset"


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


def _written(writer: LocalRun, real: Sequence[Document]) -> list[str]:
    """A text for the attributes of each, all in shared calls of the writer's model."""
    requests, taught = [], Vocabulary.load(writer.inputs["model"])
    for number, one in enumerate(real):
        asked = {name: [value for value in values if taught.has(name, value)] for name, values in known_of(one).items()}
        wish = "\n".join(f"{name}={', '.join(values)}" for name, values in asked.items() if values)
        wish = wish if len(wish) <= 200 else wish[:200].rpartition(",")[0]
        values = {"attributes": wish, "count": 1, "candidates": 8, "seed": number, "max_tokens": 150}
        wanted = params("text_transformer.generate", model=MODEL, **values)
        run = replace(writer, out_dir=writer.out_dir / str(number))
        run.out_dir.mkdir(parents=True, exist_ok=True)
        requests.append(Request(wanted, run))
    for _, outcome in generate_many(requests):
        if isinstance(outcome, Exception):
            raise outcome
    lines = [(one.run.out_dir / "texts.jsonl").read_text(encoding="utf-8").splitlines()[0] for one in requests]
    return [json.loads(line)["text"] for line in lines]


def _named(written: Sequence[str], real: Sequence[Document]) -> float:
    """Share of texts that name their product: the name's first word stands in them, in large or small letters."""
    first = [known_of(one)["title"][0].casefold().split("-")[0] for one in real]
    return float(np.mean([name in text.casefold() for name, text in zip(first, written, strict=True)]))


def _overlap(written: str, real: str) -> float:
    """F1 of the words that both have."""
    ours, theirs = Counter(words(written)), Counter(words(real))
    both = sum((ours & theirs).values())
    return 2 * both / max(sum(ours.values()) + sum(theirs.values()), 1)


def _show(real: Sequence[Document], written: Sequence[str]) -> None:
    for one, text in zip(real, written, strict=True):
        print(f"\n-- {header_of(known_of(one))!r}\nwritten: {text}\nreal: {body_of(one)[:400]}", flush=True)
