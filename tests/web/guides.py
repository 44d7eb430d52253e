"""A log, what comes next in it, and a how-to drafted from it, as an import, a training and a job would leave them."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

from aigc_models.data.how_tos import FILE, PACKED, TEXT, HowTo, Pitfall, Step, Way
from aigc_models.data.log_decoding import read_upload
from aigc_models.data.next_events import FILE as FORETOLD
from aigc_models.data.next_events import Expected, Foretold, Weighed
from aigc_models.dataset.log_params import DatasetImportEventLog

LOG = "case,action,when,page,user\n" + "".join(
    f"bo{case}@example.org,{event},2024-05-01 {8 + case:02}:{minute:02}:00,Main,u{case}\n"
    for case in range(8)
    for minute, event in enumerate(("Open <it>", "Write to a@example.org", "保存"))
)
DRAFT = HowTo(
    title="Save <it>",
    language="en",
    outcome="succeeded",
    sessions=143,
    considered=170,
    seconds=95.0,
    chance=0.92,
    steps=[
        Step(1, "Open the list", 1.0, 143, False, screen="Invoices", seconds=4.0, without=0.41),
        Step(2, "Filter", 0.4, 57, True),
        Step(3, "Save", 0.999, 142, False, because=[Weighed("Open the list", 1, 0.8)], either_order=True),
    ],
    ways=[Way(1, 1, ["Press Ctrl+O", "Wait"], 0.3)],
    pitfalls=[
        Pitfall("mistake", "Print", 1, 20, 0.12, 0.76, 0.06),
        Pitfall("back", "Help", 3, 30, 0.18),
    ],
    evidence=["s-1", "s-2"],
    left_out=["Look around"],
)
FIGURES = {"accuracy1": 0.66, "accuracy3": 0.83, "perplexity": 3.2} | {
    f"{name}_{way}": value
    for way, values in {"frequent": (0.1, 0.2, 70.0), "markov1": (0.5, 0.7, 5.4), "markov3": (0.65, 0.82, 4.0)}.items()
    for name, value in zip(("accuracy1", "accuracy3", "perplexity"), values, strict=True)
}


def log_files(folder: Path) -> dict[str, bytes]:
    """What an import of the log writes."""
    file, out = folder / "log.csv", folder / "out"
    (out / "work").mkdir(parents=True)
    file.write_text(LOG, encoding="utf-8")
    params = DatasetImportEventLog().model_dump(mode="json")
    read_upload({"file": str(file), "work": str(out / "work"), "out": str(out), "params": params}, lambda *_: None)
    return {f"dataset/{path.name}": path.read_bytes() for path in (out / "dataset").iterdir()}


def draft_files() -> dict[str, bytes]:
    """What a job that drafts writes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("01 Save.md", "# How to: Save\n\n1. **Open the list**\n")
    stored = json.dumps({"how_tos": [asdict(DRAFT)]}).encode()
    return {FILE: stored, TEXT: b"# How to: Save\n", PACKED: packed.getvalue()}


def foretold_files() -> dict[str, bytes]:
    """What a job writes that says what comes next."""
    because = [Weighed("Open <it>", 1, 0.75)]
    found = Foretold(
        ["Open <it>", "Fly"],
        ["Fly"],
        [Expected("保存", 0.6, because), Expected("", 0.004)],
        because,
        [("Save", 0.9)],
        [("failed", 0.25)],
    )
    return {FORETOLD: json.dumps({"sessions": [asdict(found)]}).encode()}
