"""Bank customers' questions by the sentence VAE, beside a text transformer and counts of characters; see ``text``."""

import csv
from pathlib import Path
from typing import Any

from aigc_models.data.texts import load_texts
from aigc_models.standalone import perform
from aigc_models.text_vae.sentences import sentences_of
from benchmarks.writers import MODEL, Told, params, trained

FILE = Path("banking77") / "train.csv"
SETTINGS: dict[str, Any] = {"longest": 40, "num_layers": 3, "width": 192}
_QUICK: dict[str, Any] = {"steps": 20, "num_layers": 1, "width": 32, "longest": 100}
_SHORTEST, _LONGEST = 30, 90  # characters of a question that is written again
_KEPT = ("bits_per_character", "perplexity", "distinct2", "self_bleu", "seconds")


def sentences(folder: Path, told: Told) -> dict[str, Any]:
    """Learn to write questions; print new ones, rebuilt ones, ways between three pairs, and ones near another."""
    dataset, out = _import(folder / FILE, told), told.home / "sentences"
    settings = {**SETTINGS, **({} if told.on_cpu else {"batch_size": 128}), **(_QUICK if told.quick else {})}
    model, found = trained("text_vae", dataset, out, told, settings)
    test = [one for one in sentences_of(load_texts(dataset).test) if _SHORTEST < len(one) < _LONGEST][::7][:6]
    _show(told, model, "sample", [], 12)
    _show(told, model, "reconstruct", test, 1)
    for first in (0, 2, 4):
        _show(told, model, "interpolate", test[first : first + 2], 5)
    _show(told, model, "near", test[4:5], 4)
    same = {name: settings[name] for name in ("num_layers", "width")} | {"context": 64, "dropout": 0.1}
    same |= {"batch_size": settings.get("batch_size", 64), "steps": found["steps"]}
    _, beside = trained("text_transformer", dataset, told.home / "sentences-beside", told, same)
    found |= {f"{name}_transformer": beside[name] for name in _KEPT}
    return {f"sentences_{name}": value for name, value in found.items()}


def _show(told: Told, model: Path, mode: str, given: list[str], count: int) -> None:
    wanted = params("text_vae.generate", model=MODEL, mode=mode, sentences="\n".join(given), count=count)
    run = told.run(told.home / "ways", model=model)
    perform("text_vae", "generate", wanted, run)
    print(f"\n-- {mode}: {given}\n{(run.out_dir / 'texts.txt').read_text(encoding='utf-8')}", flush=True)


def _import(file: Path, told: Told) -> Path:
    upload = told.home / "questions"
    upload.mkdir(parents=True, exist_ok=True)
    with file.open(encoding="utf-8", newline="") as rows, (upload / "questions.csv").open("w", newline="") as out:
        csv.writer(out).writerows([row[:1] for row in list(csv.reader(rows))[: 1000 if told.quick else None]])
    run = told.run(told.home / "questions-imported", upload=upload)
    perform("dataset", "import_text", params("dataset.import_text", text_column="text"), run)
    return told.home / "questions-imported" / "dataset"
