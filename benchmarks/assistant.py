"""Quality of the assistant on bank questions and on help pages in English and Chinese, beside simple ways.

``AIGC_BENCH_DATA=FOLDER python -m benchmarks.assistant [--quick] [--only intents,en,zh,simulated]``: the last line is
JSON. Every training is what anyone would start at its defaults; nothing is chosen by a test.

- ``intent_accuracy``: the official test of banking77 by the trained encoder alone; ``tfidf_accuracy``: logistic
  regression on TF-IDF of words and pairs of words, the same questions.
- ``recall5_en``, ``mrr_en`` (and ``_zh``): headings of a fifth of LibreOffice's help pages are the questions, their
  sections the answers. No heading is searched, of any page, and headings that several sections have are left out.
  ``bm25_*``: BM25 alone over the same texts with the same words; ``dense_*``: the encoder alone.
- ``false_refusals``: share of those questions that are refused although their section is there (the worse language);
  ``refusal_recall``: share of 50 questions to a bank that the help pages' assistant refuses in use, headings searched
  too; ``false_refusals_in_use``: the same for the test's headings, which are searched then.
- ``recall5_simulated``, ``mrr_simulated``: the English test of an assistant that learnt from simulated dialogues of the
  pages it learns from as well; left out unless asked for.
- ``traceable``: share of the sentences of 50 answers that stand in the passage they cite, character by character.
- ``reply_seconds``: median of a warm reply.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from aigc_models.assistant.lesson import TEST, lesson_from
from aigc_models.assistant.params import AssistantReply
from aigc_models.assistant.replying import reply_to
from aigc_models.assistant.saved import Saved, load
from aigc_models.assistant.simulating import DIALOGUES
from aigc_models.base import Metrics
from aigc_models.data.texts import TextSet
from aigc_models.standalone import LocalRun, perform
from benchmarks import help_pages
from benchmarks.writers import DATASET, MODEL, params

_ASKED = 50


def main() -> None:
    """Measure all, print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one pass each: does it run, not how good it is")
    parser.add_argument("--only", default="intents,en,zh", help="parts to measure, with commas between")
    parser.add_argument("--keep", default="", help="folder for the trained models; a temporary one if left out")
    arguments = parser.parse_args()
    folder = os.environ.get("AIGC_BENCH_DATA", "")
    if not help_pages.found(folder):
        raise SystemExit(help_pages.MISSING)
    result: dict[str, Any] = {"quick": arguments.quick}
    with tempfile.TemporaryDirectory() as name:
        home = Path(arguments.keep or name)
        for part in arguments.only.split(","):
            language = "en" if part == "simulated" else part
            texts = help_pages.banking(folder) if part == "intents" else help_pages.pages(folder, language)
            found = _trained(texts, home / part, quick=arguments.quick, simulated=part == "simulated")
            if part == "simulated":
                result |= {f"{figure}_simulated": found[figure] for figure in ("recall5", "mrr", "seconds")}
            elif part == "intents":
                result |= {
                    "intent_accuracy": found["intent_accuracy"],
                    "tfidf_accuracy": found["intent_accuracy_tfidf"],
                    "seconds_intents": found["seconds"],
                }
            else:
                result |= _search_figures(found, part) | _in_use(home / part, texts, part, folder)
            print(json.dumps(_rounded(result)), flush=True)
    for figure, worst in (("false_refusals", max), ("refusal_recall", min), ("false_refusals_in_use", max)):
        each = [result[f"{figure}_{part}"] for part in ("en", "zh") if f"{figure}_{part}" in result]
        if each:
            result[figure] = worst(each)
    print(json.dumps(_rounded(result)))


def _trained(texts: TextSet, home: Path, *, quick: bool, simulated: bool) -> dict[str, float]:
    """A training at its defaults, from its data to its test."""
    inputs = {"dataset": help_pages.saved(texts, home / "dataset")}
    started = time.perf_counter()
    if simulated:
        inputs["dialogues"] = _simulated(inputs["dataset"], home, quick=quick)
    chosen = {**dict.fromkeys(inputs, DATASET), **({"epochs": 1} if quick else {})}
    metrics: Metrics = perform("assistant", "train", params("assistant.train", **chosen), _run(home, inputs))
    return {**metrics, "seconds": time.perf_counter() - started}


def _simulated(pages: Path, home: Path, *, quick: bool) -> Path:
    """Dialogues of the pages to learn from, imported as anyone's."""
    count = {"count": 50 if quick else 5_000}
    made, imported = home / "made", home / "imported"
    perform(
        "assistant",
        "simulate",
        params("assistant.simulate", dataset=DATASET, **count),
        _run(made, {"dataset": pages}),
    )
    upload = home / "upload"
    upload.mkdir(parents=True, exist_ok=True)
    shutil.copy(made / DIALOGUES, upload)
    perform("dataset", "import_text", params("dataset.import_text"), _run(imported, {"upload": upload}))
    return imported / "dataset"


def _run(out: Path, inputs: dict[str, Path]) -> LocalRun:
    return LocalRun(out, inputs, on_log=lambda line: print(f"{out.name}: {line}", flush=True))


def _search_figures(found: Metrics, part: str) -> dict[str, float]:
    own = {f"{figure}_{part}": found[figure] for figure in ("recall5", "mrr", "false_refusals", "seconds")}
    beside = {f"bm25_{figure}_{part}": found[f"{figure}_bm25"] for figure in ("recall5", "mrr")}
    dense = {f"dense_{figure}_{part}": found[f"{figure}_dense"] for figure in ("recall5", "mrr")}
    return own | beside | dense | {f"everyday_refused_{part}": found["refusal_recall"]}


def _in_use(home: Path, texts: TextSet, part: str, folder: str) -> dict[str, float]:
    """Ask the trained assistant itself: what is foreign to it, and what it must know."""
    saved = load(home / "model", "cpu")
    rng = np.random.default_rng(0)
    bank = [document.parts[0].text for document in help_pages.banking(folder).test]
    foreign = [bank[number] for number in rng.permutation(len(bank))[:_ASKED]]
    known = [one.text for one in lesson_from([texts], 0).of(TEST)]
    asked = [known[number] for number in rng.permutation(len(known))[: 4 * _ASKED]]
    refused = [reply_to(saved, _question(text)).kind == "refusal" for text in foreign]
    seconds, kinds, right, said = [], [], 0, 0
    for text in asked:
        started = time.perf_counter()
        reply = reply_to(saved, _question(text))
        seconds.append(time.perf_counter() - started)
        kinds.append(reply.kind)
        if reply.kind == "answer" and kinds.count("answer") <= _ASKED:
            held = {one.number: _whole(saved, one.document, one.text) for one in reply.sources}
            right += sum(one.text in held[one.source] for one in reply.sentences)
            said += len(reply.sentences)
    return {
        f"refusal_recall_{part}": float(np.mean(refused)),
        f"false_refusals_in_use_{part}": kinds.count("refusal") / len(kinds),
        f"clarifications_{part}": kinds.count("clarification") / len(kinds),
        f"traceable_{part}": right / max(said, 1),
        f"reply_seconds_{part}": statistics.median(seconds),
    }


def _whole(saved: Saved, document: str, text: str) -> str:
    """The cited passage as the index has it; empty where there is no such passage."""
    return next((one.text for one in saved.passages if one.document == document and one.text == text), "")


def _question(text: str) -> AssistantReply:
    return AssistantReply(model=MODEL, question=text)


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}


if __name__ == "__main__":
    main()
