"""The operations of a table family, given what makes its trainer and reads its weights."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aigc_models import ranks, training
from aigc_models.base import Fault, InputError, Metrics, Params, Run
from aigc_models.data.table_results import SAMPLES
from aigc_models.data.tables import CODED, Table, TableSet, load_report, load_table
from aigc_models.metrics import table_quality, table_utility
from aigc_models.metrics.image_quality import verdict
from aigc_models.metrics.table_figures import TABLE_METRICS
from aigc_models.metrics.table_report import write_quality
from aigc_models.pictures import save_curves
from aigc_models.tables import previews, saving
from aigc_models.tables.conditions import parse_conditions
from aigc_models.tables.constraints import parse_constraints
from aigc_models.tables.copies import compared
from aigc_models.tables.drawing import Asked, Candidates, Source, Tally, block_of, draw, know
from aigc_models.tables.encoding import Choices, Encoded, fit_encoder, knowing
from aigc_models.tables.lesson import Lesson, Material, Trainer
from aigc_models.tables.saving import Stored, Trained, code_version
from aigc_models.tables.writing import as_csv, write_results

_PREVIEWS, _PREVIEW_ROWS, _CURVE_POINTS = 10, 20, 500
_MOST_MEASURED = 50_000
_DRAWN_FROM = 20  # rows that have a distribution worth a picture


@dataclass(frozen=True, slots=True)
class Kind:
    """What one family is made of.

    Attributes:
        family: Its name.
        prepare: Makes the material of a dataset.
        make: Makes a trainer.
        compare: The material to measure a trained model with.
        open: Reads a model's weights, ready to draw on a device.
    """

    family: str
    prepare: Callable[[Any, TableSet, Run], Material]
    make: Callable[[Lesson], Trainer]
    compare: Callable[[Trained, TableSet], Material]
    open: Callable[[Stored, str], Source]


def prepare_rows(params: Any, tables: TableSet, run: Run) -> Material:
    """The material of a training on single rows."""
    choices = Choices(params.most_categories, params.text_columns)
    encoder = knowing(fit_encoder(tables.train, choices), tables.test)
    known = know(Candidates(tables.train), Candidates(tables.test), compared(encoder.columns))
    for name in encoder.dropped:
        run.log(f"The column {name} holds free text and is left out. Set Free text to keep it.")
    return Material(tables.train, tables.test, encoder, encoder.encode(tables.train, params.seed), known)


def train(kind: Kind, params: Any, run: Run) -> Metrics:
    """Train, evaluate on the held-out rows, and write the model."""
    run.phase("preparing")
    training.tune_process()
    directory = run.inputs["dataset"]
    tables = load_table(directory)
    _target(params.target, tables.train)
    material = kind.prepare(params, tables, run)
    lesson = _lesson(params, material, run)
    trainer = kind.make(lesson)
    _describe(trainer, material, run)
    run.phase("training")
    _loop(trainer, material, run)
    run.phase("evaluating")
    source = trainer.source()
    quality = _measure(source, material, params, run, trainer.total)
    run.phase("saving")
    known = replace(material, more={**material.more, "source": load_report(directory).get("source") or {}})
    saving.save(run.out_dir / "model", kind.family, trainer, known, params.model_dump(mode="json"))
    _save_samples(source, material, run)
    save_curves(trainer.state.plain["curves"], run.out_dir / "loss_curve.svg")
    more = {
        "adjustments": asdict(run.adjustments),
        "parameters": trainer.parameters,
        "precision": trainer.precision.name,
        "dataset_hash": load_report(directory).get("hash", ""),
        "dropped_columns": list(material.encoder.dropped),
    }
    _write_report(quality, params, run, more)
    run.report(trainer.total, trainer.total)
    return quality.metrics


def _lesson(params: Any, material: Material, run: Run) -> Lesson:
    resumed = training.read_state(run.resume_from)["plain"] if run.resume_from else {}
    name = str(resumed.get("precision", training.choose_precision(run.device).name))
    precision = training.Precision(name, "cuda" if run.device.startswith("cuda") else "cpu")
    encoded = Encoded(material.encoded.scalars.to(run.device), material.encoded.codes.to(run.device))
    return Lesson(
        params, material.encoder, encoded, precision, run.device, run.adjustments, material.starts, material.more
    )


def _describe(trainer: Trainer, material: Material, run: Run) -> None:
    layout = material.encoder.layout
    run.log(
        f"{len(material.train)} rows of {len(material.encoder.columns)} columns, {layout.dim} encoded numbers; "
        f"{trainer.parameters:,} parameters; {trainer.precision.name}"
    )
    if material.known.share:
        run.log(f"{material.known.share:.1%} of the held-out rows equal a training row; as many copies may be made.")


def _loop(trainer: Trainer, material: Material, run: Run) -> None:
    state, total = trainer.state, trainer.total
    meter = training.Meter(speed="rows_per_second")
    state.optimisers["meter"] = meter
    state.plain["curves"] = {}
    done = state.load(run.resume_from) if run.resume_from else 0
    preview_every = max(1, total // _PREVIEWS)
    losses: dict[str, Tensor] = {}
    for step in range(done + 1, total + 1):
        losses = {name: loss.detach() for name, loss in trainer.step(step).items()}
        meter.add(trainer.batch_size, **losses)
        read = meter.read(step)
        if read:
            _remember(state, read, step, total)
        run.report(step, total, **read)
        if ranks.leads() and (step % preview_every == 0 or step == total):
            _preview(trainer, material, run, step)
        run.checkpoint(step, partial(state.save, step=step))
    training.check_finite(total, *losses.values())


def _remember(state: training.TrainingState, read: Mapping[str, float], step: int, total: int) -> None:
    if step % max(10, total // _CURVE_POINTS // 10 * 10) == 0:
        for name, value in read.items():
            if not name.endswith("per_second"):
                state.plain["curves"].setdefault(name, []).append((step, value))


def _preview(trainer: Trainer, material: Material, run: Run, step: int) -> None:
    made = block_of(trainer.source(draft=True), trainer.lesson.params.seed)
    with tempfile.TemporaryDirectory() as name:
        picture = previews.save_marginals(material.train, made, Path(name) / "samples.png")
        run.preview("samples", step, picture)
        rows = Path(name) / "rows.csv"
        rows.write_text(as_csv(made.take(slice(0, _PREVIEW_ROWS))), encoding="utf-8")  # type: ignore[arg-type]
        run.preview("rows", step, rows)
    alarm = previews.collapse_alarm(material.train, made)
    if alarm:
        run.log(f"Step {step}: {alarm}")


def _measure(source: Source, material: Material, params: Any, run: Run, total: int) -> table_quality.TableQuality:
    units = len(material.train) if material.starts is None else len(material.starts)
    asked = Asked(params.seed, min(units, _MOST_MEASURED))
    synthetic, tally = draw(source, asked, material.known, lambda *_: run.report(total, total))
    _tell(tally, run)
    target = _target(params.target, material.train)
    names = {column.name for column in synthetic.columns} - source.unmeasured
    quality = table_quality.measure(
        _only(material.train, names),
        _only(material.test, names),
        _only(synthetic, names),
        target=target if target in names else None,
        seed=params.seed,
        report=lambda *_: run.report(total, total),
    )
    for line in verdict(quality.metrics, TABLE_METRICS):
        run.log(line)
    return quality


def _only(table: Table, names: set[str]) -> Table:
    columns = tuple(column for column in table.columns if column.name in names)
    return Table(columns, {column.name: table.cells[column.name] for column in columns})


def _target(chosen: str, train: Table) -> str | None:
    """The column to predict; without a choice the last one with categories."""
    if chosen:
        table_utility.check_target(train, chosen)
        return chosen
    for column in reversed(train.columns):
        if column.type in CODED and len(set(train.cells[column.name].tolist()) - {-1}) > 1:
            return column.name
    return None


def _tell(tally: Tally, run: Run) -> None:
    for reason, count in tally.refused.items():
        run.log(f"{count} of {tally.proposed} candidates, drawn many at once, did not fit: {reason}.")


def _save_samples(source: Source, material: Material, run: Run) -> None:
    made = block_of(source, 0)
    previews.save_marginals(material.train, made, run.out_dir / "samples.png")
    (run.out_dir / SAMPLES).write_text(as_csv(made.take(slice(0, _PREVIEW_ROWS))), encoding="utf-8")  # type: ignore[arg-type]


def _write_report(quality: table_quality.TableQuality, params: Params, run: Run, more: Mapping[str, Any]) -> None:
    report = {
        "metrics": quality.metrics,
        "params": params.model_dump(mode="json"),
        "code_version": code_version(),
        **more,
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (run.out_dir / "report.json").write_text(text, encoding="utf-8")
    write_quality(quality, run.out_dir)


def _open(kind: Kind, run: Run) -> Trained:
    def load(directory: Path) -> Trained:
        stored = saving.open_stored(directory)
        if stored.config["family"] != kind.family:
            sentence = "This model is a {found}, not a {needed}. Choose another model."
            values = {"found": stored.config["family"], "needed": kind.family}
            raise InputError(Fault(sentence, values, "/model", code="wrong-input"))
        source = kind.open(stored, run.device)
        source.propose((0, "warm"), {})  # the first pass prepares kernels
        return Trained(stored, source, saving.weights_hash(directory))

    return run.warm(run.inputs["model"], load)


def generate(kind: Kind, params: Any, run: Run) -> Metrics:
    """Make rows: CSV, Parquet, a dataset's files, and all as one ZIP."""
    run.phase("preparing")
    trained = _open(kind, run)
    columns = trained.source.columns
    conditions = parse_conditions(params.conditions, columns)
    constraints = parse_constraints(params.constraints, columns)
    run.phase("generating")
    asked = Asked(params.seed, params.count, conditions, constraints)
    table, tally = draw(trained.source, asked, trained.stored.known, run.report)
    _tell(tally, run)
    for name in trained.stored.encoder.dropped:
        run.log(f"The column {name} holds free text and is left out.")
    run.phase("saving")
    manifest = {
        "params": params.model_dump(mode="json"),
        "code_version": code_version(),
        "weights_sha256": trained.weights_sha256,
        "proposed": tally.proposed,
        "refused": tally.refused,
        "dropped_columns": list(trained.stored.encoder.dropped),
    }
    write_results(table, run.out_dir, manifest, trained.stored.config["more"].get("source"))
    if len(table) >= _DRAWN_FROM:
        previews.save_marginals(table, table, run.out_dir / "samples.png")
    refused = sum(tally.refused.values())
    return {"rows": float(len(table)), "rows_proposed": float(tally.proposed), "rows_refused": float(refused)}


def evaluate(kind: Kind, params: Any, run: Run) -> Metrics:
    """Measure a trained model on the held-out rows of a dataset."""
    run.phase("preparing")
    training.tune_process()
    trained = _open(kind, run)
    tables = load_table(run.inputs["dataset"])
    _check_columns(trained, tables)
    material = kind.compare(trained, tables)
    _target(params.target, material.train)
    run.phase("evaluating")
    quality = _measure(trained.source, material, params, run, 1)
    run.report(1, 1)
    run.phase("saving")
    _save_samples(trained.source, material, run)
    _write_report(quality, params, run, {"weights_sha256": trained.weights_sha256})
    return quality.metrics


def compare_rows(trained: Trained, tables: TableSet) -> Material:
    """The material to measure a model of single rows with."""
    return material_of(trained, (tables.train, tables.test))


def material_of(trained: Trained, parts: tuple[Table, Table], starts: Tensor | None = None) -> Material:
    """Rows to compare a trained model's with."""
    nothing = Encoded(torch.empty(0, 0), torch.empty(0, 0))
    return Material(*parts, trained.stored.encoder, nothing, trained.stored.known, starts)


def _check_columns(trained: Trained, tables: TableSet) -> None:
    found = {column.name: column.type for column in tables.columns}
    for column in trained.source.columns:
        if column.name in trained.source.unmeasured:
            continue
        if found.get(column.name) != column.type:
            sentence = "The dataset has no column {column} of the type {type}, which the model makes. Choose another."
            values = {"column": column.name, "type": column.type}
            raise InputError(Fault(sentence, values, "/dataset", {"column": column.name}, "wrong-shape"))
