"""Reads an upload of texts and writes a dataset; runs as a process of its own with limits.

``python -m aigc_models.data.text_decoding REQUEST`` where the request is JSON: ``file``, ``work`` (a directory for
what lies on disk meanwhile), ``out`` (the run's directory) and ``params`` (the import's settings). It writes
``dataset/`` and ``preview.json`` below ``out``, and ``result.json`` into ``work``: some counts, or the faults.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aigc_models.data import text_copies, text_languages, text_personal, text_report, text_split
from aigc_models.data.reading import Beat, refuse
from aigc_models.data.sandbox import answer
from aigc_models.data.text_files import Gathered, gather
from aigc_models.data.text_report import Found
from aigc_models.data.texts import Document, save_texts

PREVIEW = "preview.json"
STEPS = 1000  # of the whole work: a quarter each for reading, personal data, copies and languages


def read_upload(request: Mapping[str, Any], beat: Beat) -> dict[str, Any]:
    """Read everything, write the dataset, and give its counts.

    Raises:
        InputError: The upload cannot be used; faults name file, line or row, and value.
    """
    params: Mapping[str, Any] = request["params"]
    file = Path(request["file"])

    last = -1

    def told(start: int, share: float) -> None:
        nonlocal last
        step = start + int(STEPS / 4 * min(1.0, share))
        if step != last:  # a line for each of a million texts would take longer than reading them
            last = step
            beat(step, STEPS)

    gathered = gather(file, Path(request["work"]), params, lambda share: told(0, share))
    if not gathered.documents:
        raise refuse("The file {file} holds no text.", "dataset-empty", file=file.name)
    found, documents = judge(gathered, params, told)
    texts = text_split.split(gathered.shape, documents, found.groups, params["test_percent"])
    out = Path(request["out"])
    save_texts(texts, text_report.report(texts, gathered, found), out / "dataset")
    (out / PREVIEW).write_text(json.dumps(text_report.preview(texts), ensure_ascii=False), encoding="utf-8")
    return {"train": len(texts.train), "test": len(texts.test)}


def judge(gathered: Gathered, params: Mapping[str, Any], told: Any) -> tuple[Found, list[Document]]:
    """Tell languages, personal data and copies, and do what the settings say about them."""
    documents, total = gathered.documents, len(gathered.documents)
    personal = text_personal.look(documents, lambda done: told(250, done / total))
    if params["mask"]:
        documents = [text_personal.mask(document) for document in documents]
    contents = [content(document) for document in documents]
    firsts = text_copies.same(contents)
    groups = text_copies.near(contents, firsts, lambda share: told(500, share))
    copies = int((firsts != range(total)).sum())
    near = int((groups != range(total)).sum()) - copies
    kept = list(range(total))
    if params["repeats"] != "keep":
        heads = firsts if params["repeats"] == "drop_same" else groups
        kept = [place for place in kept if heads[place] == place]
    known = params["language"].strip().casefold()
    said = [contents[place] for place in kept]
    languages = [known] * len(said) if known else text_languages.languages_of(said, lambda share: told(750, share))
    documents = [
        replace(documents[place], language=documents[place].language or language)
        for place, language in zip(kept, languages, strict=True)
    ]
    together = [int(groups[place]) for place in kept]
    too_alike = text_split.cannot_be_parted(together, params["test_percent"])
    found = Found(
        groups=[int(firsts[place]) for place in kept] if too_alike else together,
        too_alike=too_alike,
        copies=copies,
        near_copies=near,
        dropped=total - len(kept),
        personal=personal,
        masked=params["mask"],
    )
    return found, documents


def content(document: Document) -> str:
    """What of a document is compared and told the language of; what is asked counts as much as what is answered."""
    return document.text


if __name__ == "__main__":
    answer(json.loads(sys.argv[1]), read_upload)
