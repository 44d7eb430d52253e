"""``python -m aigc_models FAMILY OPERATION``: train and use models in the terminal, without a queue."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import isfinite
from pathlib import Path
from types import FrameType
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from aigc_models.base import Cancelled, Diverged, Family, InputError, Metrics, Params, Paused
from aigc_models.data.kinds import IMAGES, KINDS
from aigc_models.faults import decode_text, explain
from aigc_models.registry import families
from aigc_models.standalone import LocalRun, as_upload, dataset_id, newest_checkpoint, open_dataset, open_model, perform

_PLACEHOLDERS = {"dataset": "ds_" + "0" * 26, "model": "mdl_" + "0" * 26}  # what is local has no id yet
_CURVE_SECONDS = 1.0


class Terminal:
    """Shows a run's progress as one line that moves, and keeps its curve as JSON lines."""

    def __init__(self, console: Console, curve: Path) -> None:
        self._curve, self._written_at, self._task = curve, 0.0, TaskID(0)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
            console=console,
        )

    def phase(self, name: str) -> None:
        """Begin another line."""
        self._task = self.progress.add_task(name.capitalize(), total=1, metrics="")

    def report(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Move the line."""
        shown = {"metrics": _one_line(metrics)} if metrics else {}
        self.progress.update(self._task, completed=step, total=max(total, 1), **shown)  # type: ignore[arg-type]
        now = time.monotonic()
        if metrics and now - self._written_at >= _CURVE_SECONDS:
            self._written_at = now
            self._curve.parent.mkdir(parents=True, exist_ok=True)
            with self._curve.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"step": step, **metrics}) + "\n")

    def log(self, message: str) -> None:
        """Print a line above the moving one."""
        self.progress.console.print(message)


def _one_line(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())


@contextmanager
def interruptible(run: LocalRun, *, keeps_state: bool) -> Iterator[None]:
    """Ctrl-C (or SIGTERM) stops at the next step with a checkpoint, where the operation has them; twice at once."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        run.cancelling = run.stopping or not keeps_state
        run.stopping = True
        run.log("Stopping after this step. Press Ctrl-C again to stop without a checkpoint.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def options_of(params: type[Params]) -> list[click.Parameter]:
    """One option for each setting, from the class that declares it."""
    schema = params.model_json_schema()
    options: list[click.Parameter] = []
    for name, field in schema["properties"].items():
        required = name in schema.get("required", ())
        flag = "--" + name.replace("_", "-")
        text = field.get("description", "")
        if "x-input" in field:
            metavar = "DATASET" if field["x-input"] == "dataset" else "MODEL"
            text += _input_help(field)
            options.append(click.Option([flag, name], required=required, metavar=metavar, help=text))
            continue
        default = "" if field.get("default") in (None, "") else f"  [default: {json.dumps(field['default'])}]"
        options.append(click.Option([flag, name], metavar=_metavar(field), help=text + _limits(field) + default))
    if params.makes == "dataset":
        options.append(click.Option(["--upload"], required=True, metavar="FILE", help="File to import."))
    if params.presets:
        choice = click.Choice(list(params.presets))
        options.append(click.Option(["--preset"], type=choice, help="Settings to start from; others given here win."))
    return options + _run_options(params)


def _input_help(field: Mapping[str, Any]) -> str:
    if field["x-input"] == "model":
        return " The directory of a training's results."
    kind = KINDS[field["x-kind"]]
    folder = ", a directory of images" if kind.name == IMAGES.name else ""
    return f" {kind.wanted[:1].upper()}{kind.wanted[1:]}{folder}, or a starter's name."


def _run_options(params: type[Params]) -> list[click.Parameter]:
    options: list[click.Parameter] = [
        click.Option(["--out"], type=click.Path(path_type=Path), required=True, help="Directory for the results."),
        click.Option(["--device"], default="cpu", show_default=True, help="Torch device: cpu, cuda:0, ..."),
    ]
    if params.makes == "model":
        resume = "Go on from the newest checkpoint in the directory of the results."
        options.append(click.Option(["--resume"], is_flag=True, help=resume))
    return options


def _metavar(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return "[" + "|".join(str(choice) for choice in field["enum"]) + "]"
    kinds = [field.get("type"), *(option.get("type") for option in field.get("anyOf", ()))]
    names = {"integer": "INTEGER", "number": "NUMBER", "boolean": "true|false"}
    return next((names[kind] for kind in kinds if kind in names), "TEXT")


def _limits(field: Mapping[str, Any]) -> str:
    for source in (field, *field.get("anyOf", ())):
        if "minimum" in source and "maximum" in source:
            return f"  [{source['minimum']} to {source['maximum']}]"
    return ""


def command_of(family: Family, operation: str) -> click.Command:
    """The command of one operation."""
    params = family.operations[operation]

    def invoke(**given: Any) -> None:
        _run(family, operation, given)

    summary = (params.__doc__ or "").strip()
    return click.Command(operation, callback=invoke, params=options_of(params), help=summary, short_help=summary)


def _run(family: Family, operation: str, given: dict[str, Any]) -> None:
    params_class = family.operations[operation]
    console = Console(stderr=True)
    out: Path = given.pop("out")
    checkpoints = out / "checkpoints"
    terminal = Terminal(console, out / "curve.jsonl")
    run = LocalRun(
        out,
        device=given.pop("device"),
        checkpoints=checkpoints if params_class.makes == "model" else None,
        resume_from=newest_checkpoint(checkpoints) if given.pop("resume", False) else None,
        on_phase=terminal.phase,
        on_report=terminal.report,
        on_log=terminal.log,
    )
    try:
        with terminal.progress, interruptible(run, keeps_state=params_class.makes == "model"), ExitStack() as stack:
            params = _open_inputs(_alone(_validated(params_class, given)), given, run, stack)
            metrics = perform(family.name, operation, params, run)
    except InputError as error:
        raise click.ClickException("\n".join(str(fault) for fault in error.faults)) from None
    except Diverged as error:
        raise click.ClickException(f"{error}. Try a smaller learning rate.") from None
    except Paused:
        console.print(f"Stopped. Go on with --resume; the checkpoint is in {checkpoints}.")
        raise click.exceptions.Exit(130) from None
    except Cancelled:
        console.print("Stopped.")
        raise click.exceptions.Exit(130) from None
    shutil.rmtree(checkpoints, ignore_errors=True)
    _show(family, metrics, out)


def _alone(params: Params) -> Params:
    """The settings, where one device is enough for them.

    Raises:
        click.UsageError: They ask for several, which takes a worker.
    """
    if getattr(params, "devices", 1) > 1:
        raise click.UsageError("Here a training has one device. Several work on it when a worker runs it as a job.")
    return params


def _validated(params_class: type[Params], given: Mapping[str, str | None]) -> Params:
    """The settings, with ids in place of what lies in directories.

    Raises:
        click.UsageError: Some settings cannot be used; says all of them.
    """
    schema = params_class.model_json_schema()
    typed = {name: text for name, text in given.items() if text is not None and name in schema["properties"]}
    values: dict[str, Any] = {}
    for name in list(typed):
        if "x-input" in schema["properties"][name]:
            values[name] = _PLACEHOLDERS[schema["properties"][name]["x-input"]]
            del typed[name]
    try:
        beneath = params_class.presets.get(given.get("preset") or "", {})
        chosen = values | decode_text(schema, typed)
        return params_class.model_validate_json(json.dumps(params_class.over(beneath, chosen)))
    except ValidationError as error:
        raise click.UsageError("\n".join(str(fault) for fault in explain(error, params_class))) from None


def _open_inputs(params: Params, given: Mapping[str, str | None], run: LocalRun, stack: ExitStack) -> Params:
    """Import datasets, find models, and give the run their directories; returns settings with the datasets' ids."""
    inputs: dict[str, Path] = {}
    ids: dict[str, str] = {}
    if given.get("upload"):
        inputs["upload"] = stack.enter_context(as_upload(Path(given["upload"] or "")))
    for name, field in params.model_json_schema()["properties"].items():
        source, kind = given.get(name), field.get("x-input")
        if kind == "dataset" and source:
            inputs[name] = open_dataset(source, run.out_dir / "inputs" / name, run, field.get("x-kind", ""))
            ids[name] = dataset_id(inputs[name])
        elif kind == "model" and source:
            inputs[name] = open_model(source)
    run.inputs = inputs
    return params.model_copy(update=ids)


def _number(value: float) -> str:
    return f"{value:,.0f}" if isfinite(value) and abs(value) >= 10_000 else f"{value:.5g}"


def _show(family: Family, metrics: Metrics, out: Path) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("Figure", "Value", "Baseline"):
        table.add_column(title, justify="left" if title == "Figure" else "right")
    baselines = {info.baseline for info in family.metrics.values()}
    for name, value in metrics.items():
        info = family.metrics.get(name)
        if name in baselines:
            continue
        beside = metrics.get(info.baseline) if info and info.baseline else None
        row = (info.title if info else name, _number(value), "" if beside is None else _number(beside))
        table.add_row(*row)
    console = Console()
    if metrics:
        console.print(table)
    console.print(f"The results are in {out}")


def main() -> click.Group:
    """The command with one group for each family."""
    root = click.Group("aigc_models", help="Train and use generative models in the terminal, without a queue.")
    for family in families().values():
        group = click.Group(family.name, help=family.summary)
        for operation in family.operations:
            group.add_command(command_of(family, operation))
        root.add_command(group)
    return root


if __name__ == "__main__":
    # Before torch is loaded: threads that wait for each other sleep soon instead of spinning on a busy machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    main()(prog_name="python -m aigc_models")
