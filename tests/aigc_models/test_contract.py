"""What every family promises, checked for each; a new family adds its small settings here and nothing else."""

import inspect
import json
import zipfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from aigc_models import registry
from aigc_models.base import Adjustments, Cancelled, Estimate, Family, InputError, Metrics, Params, Paused
from aigc_models.sharing import Request
from aigc_models.standalone import newest_checkpoint, perform
from aigc_models.training import STATE_FILE
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_tables import report_of

IDS = {"dataset": "ds_" + "0" * 26, "model": "mdl_" + "0" * 26}
SMALL: Mapping[str, Mapping[str, Any]] = {
    "image_gan": {"epochs": 3, "batch_size": 8, "width": 4, "latent_dim": 4, "seed": 5},
    "image_vae": {"epochs": 3, "batch_size": 8, "width": 4, "latent_dim": 4, "seed": 5},
    "table_gan": {
        "epochs": 4,
        "least_steps": 1,
        "batch_size": 16,
        "pac": 2,
        "critic_dropout": 0.5,
        "width": 8,
        "latent_dim": 4,
        "seed": 5,
    },
    "table_vae": {"epochs": 4, "least_steps": 1, "batch_size": 16, "width": 8, "latent_dim": 4, "seed": 5},
    "sasrec": {"epochs": 3, "batch_size": 8, "width": 8, "max_length": 8, "seed": 5},
    "mult_vae": {"epochs": 3, "batch_size": 8, "hidden_dim": 8, "latent_dim": 4, "seed": 5},
    "assistant": {"epochs": 3, "batch_size": 16, "width": 8, "buckets": 1024, "seed": 5},
    "text_transformer": {"steps": 24, "batch_size": 4, "width": 16, "num_layers": 1, "context": 16, "seed": 5},
    "next_event": {"epochs": 6, "batch_size": 16, "width": 8, "max_length": 8, "seed": 5},
    "text_vae": {
        "steps": 24,
        "batch_size": 8,
        "width": 16,
        "num_layers": 1,
        "latent_dim": 4,
        "longest": 120,
        "seed": 5,
    },
    "pretrained_lm": {"steps": 14, "batch_size": 4, "context": 24, "rank": 2, "seed": 5},
}
# How the shortest training is asked for, where not by a single pass.
BRIEFLY: Mapping[str, Mapping[str, Any]] = {
    "text_transformer": {"steps": 8},
    "text_vae": {"steps": 8},
    "pretrained_lm": {"steps": 4},
}
FAMILIES = registry.families()
TASKS = registry.tasks()
TABLES = ["table_gan", "table_vae"]
TEXTS = ["text_transformer", "text_vae", "pretrained_lm"]
TRAINED = [name for name, family in FAMILIES.items() if "train" in family.operations]


def params_of(task: str, **changed: Any) -> Params:
    """Settings of a task with ids where inputs are needed."""
    fields = TASKS[task].model_json_schema()["properties"]
    inputs = {name: IDS[field["x-input"]] for name, field in fields.items() if "x-input" in field}
    return TASKS[task].model_validate_json(json.dumps(inputs | changed))


def train(family: str, run: RecordingRun, **changed: Any) -> Metrics:
    return perform(family, "train", params_of(f"{family}.train", **{**SMALL[family], **changed}), run)


def weights(run: RecordingRun) -> dict[str, torch.Tensor]:
    names = ("weights.safetensors", "adapter_model.safetensors")  # whole, or beside a base that stays where it is
    (file,) = (run.out_dir / "model" / name for name in names if (run.out_dir / "model" / name).is_file())
    return load_file(file)


# --- declarations


def test_small_settings_are_here_for_every_family() -> None:
    assert set(SMALL) == set(TRAINED), "add small settings for the new family to SMALL"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_declares_itself(name: str) -> None:
    family = FAMILIES[name]
    assert isinstance(family, Family)
    assert family.title
    assert family.summary.endswith(".")
    if any(params.makes == "model" for params in family.operations.values()):
        assert family.paper.startswith("https://")
        assert {"train", "evaluate"} <= set(family.operations)
        assert {"generate", "recommend", "reply", "next_events"} & set(family.operations)
    for title, info in family.metrics.items():
        assert info.title, title
        assert info.description.endswith(".")
        assert info.baseline is None or info.baseline in family.metrics, title


def test_names_of_settings_classes_are_unique() -> None:
    names = [params.__name__ for params in TASKS.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("task", TASKS)
def test_an_operation_declares_itself(task: str) -> None:
    params = TASKS[task]
    assert issubclass(params, Params)
    assert (params.__doc__ or "").strip().endswith(".")
    assert params.lane in ("training", "generation")
    assert params.makes in ("model", "dataset", "files")
    for name, field in params.model_fields.items():
        assert field.title, name
        assert len(field.title) <= 24, name
        assert (field.description or "").endswith("."), name
        assert len((field.description or "").split()) >= 4, name
    function = getattr(import_module(f"{params.__module__.rpartition('.')[0]}.model"), task.split(".")[1])
    assert list(inspect.signature(function).parameters) == ["params", "run"]
    assert inspect.signature(function).parameters["params"].annotation is params


@pytest.mark.parametrize("task", TASKS)
def test_defaults_and_presets_are_valid(task: str) -> None:
    params = params_of(task)
    assert TASKS[task].model_validate_json(params.model_dump_json()) == params
    for preset, values in TASKS[task].presets.items():
        assert params_of(task, **values) != params or preset == "balanced"
        standing_back = TASKS[task].stands_back.items()
        assert all(name in values for name, other in standing_back if other in values), "else it would be 0"
    if task.endswith(".train"):
        assert list(TASKS[task].presets) == ["quick", "balanced", "best"]


@pytest.mark.parametrize("family", TRAINED)
def test_estimates_order_the_presets(family: str) -> None:
    pictures = {"train": 5000, "test": 1000, "channels": 1, "height": 28, "width": 28, "classes": ["a", "b"]}
    report = {**pictures, **report_of(5000), "events": 100_000, "users": 1000, "items": 1700}
    report |= {"sessions": 6_000, "actions": 60}
    report["characters"] = {"train": 1_000_000, "test": 100_000}
    presets = TASKS[f"{family}.train"].presets.values()
    local = {"uploaded": None} if family == "pretrained_lm" else {}  # of an upload, nothing is known from here
    costs = [params_of(f"{family}.train", **local, **values).estimate(report, 2) for values in presets]
    known = [cost for cost in costs if isinstance(cost, Estimate)]
    assert len(known) == 3
    assert known[0].seconds < known[1].seconds < known[2].seconds
    assert known[0].seconds < 60


# --- behaviour


@pytest.mark.parametrize("family", TRAINED)
def test_a_training_is_complete_and_repeatable(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    first, second = (RecordingRun(tmp_path / name, {"dataset": tiny_dataset}) for name in "ab")
    metrics = train(family, first)
    torch.manual_seed(1)
    torch.randn(3)
    assert train(family, second) == metrics
    assert all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())
    assert all(isinstance(value, float) for value in metrics.values())
    steps = [step for step, _ in first.steps]
    assert steps == sorted(steps)
    assert first.steps[-1][0] == first.steps[-1][1]
    assert first.phases == ["preparing", "training", "evaluating", "saving"]
    assert set(FAMILIES[family].metrics) >= set(metrics), "every figure has a title"
    config = json.loads((first.out_dir / "model" / "config.json").read_text())
    assert config["family"] == family
    assert {"code_version", "params", "data"} <= set(config)
    assert (first.out_dir / "report.json").is_file()
    assert list((first.out_dir / "previews").iterdir())
    assert not [path for path in first.out_dir.rglob("*") if path.suffix in (".pt", ".pkl", ".pth", ".bin")]


@pytest.mark.parametrize("family", TRAINED)
def test_another_seed_gives_another_model(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    first, second = (RecordingRun(tmp_path / name, {"dataset": tiny_dataset}) for name in "ab")
    train(family, first, **BRIEFLY.get(family, {"epochs": 1}))
    train(family, second, seed=6, **BRIEFLY.get(family, {"epochs": 1}))
    assert not all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


@pytest.mark.parametrize("family", TRAINED)
def test_a_resumed_training_equals_an_undisturbed_one(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    whole = RecordingRun(tmp_path / "whole", {"dataset": tiny_dataset})
    metrics = train(family, whole)
    checkpoints = tmp_path / "checkpoints"
    broken = RecordingRun(tmp_path / "broken", {"dataset": tiny_dataset}, checkpoints=checkpoints)
    broken.after_step = lambda step: setattr(broken, "stopping", step == 7)
    with pytest.raises(Paused):
        train(family, broken)
    assert not (broken.out_dir / "model").exists()
    checkpoint = newest_checkpoint(checkpoints)
    assert checkpoint is not None
    torch.load(checkpoint / STATE_FILE, weights_only=True)
    resumed = RecordingRun(tmp_path / "resumed", {"dataset": tiny_dataset}, resume_from=checkpoint)
    assert train(family, resumed) == metrics
    assert resumed.steps[0][0] == 8
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(whole).items())


class SumsInAnyOrder(TorchDispatchMode):
    """Notes operations that add several numbers into one place in the order in which threads come, on a CPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in ("index_put", "index_put_", "_index_put_impl_", "_unsafe_index_put"):
            places = [one for one in args[1] if one is not None and one.dtype != torch.bool]  # a mask names each once
            accumulate = args[3] if len(args) > 3 else kwargs.get("accumulate", False)
            if accumulate and places:
                each = torch.stack(torch.broadcast_tensors(*places)).flatten(1)
                if each.unique(dim=1).shape != each.shape:
                    self.found.add(str(func))
        return func(*args, **kwargs)


@pytest.mark.parametrize(
    ("family", "changed"),
    [
        *((name, {}) for name in TRAINED),
        ("sasrec", {"loss": "sampled", "negatives": 4}),
        ("image_gan", {"augmentation": "strong"}),
    ],
)
def test_what_is_learnt_does_not_depend_on_which_thread_is_first(
    family: str, changed: dict[str, Any], tiny_dataset: Path, tmp_path: Path
) -> None:
    """A tiny training has one thread, a large one several: no sum of it may be left to chance."""
    run = RecordingRun(tmp_path / "run", {"dataset": tiny_dataset}, checkpoints=tmp_path / "checkpoints")
    run.after_step = lambda step: setattr(run, "stopping", step == 2)
    with SumsInAnyOrder() as mode, pytest.raises(Paused):
        train(family, run, **changed)
    assert mode.found == set()


@pytest.mark.parametrize("family", TRAINED)
def test_a_training_in_parts_learns_the_same(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    """Batch norms see a part at a time, so the figures are close, not equal."""
    whole = RecordingRun(tmp_path / "whole", {"dataset": tiny_dataset})
    train(family, whole)
    checkpoints, gently = tmp_path / "checkpoints", Adjustments(micro_batches=2)
    first = RecordingRun(tmp_path / "first", {"dataset": tiny_dataset}, checkpoints=checkpoints, adjustments=gently)
    first.after_step = lambda step: setattr(first, "stopping", step == 12)
    with pytest.raises(Paused):
        train(family, first)
    for name, value in first.curve[0].items():
        if not name.endswith("_per_second"):
            assert value == pytest.approx(whole.curve[0][name], rel=0.15, abs=0.1), name
    second = RecordingRun(tmp_path / "second", {"dataset": tiny_dataset}, adjustments=gently)
    second.resume_from = newest_checkpoint(checkpoints)
    train(family, second)
    assert second.steps[-1] == whole.steps[-1]
    report = json.loads((second.out_dir / "report.json").read_text())
    assert report["adjustments"] == {"micro_batches": 2, "learning_rate_factor": 1.0}


@pytest.mark.parametrize("family", TRAINED)
def test_a_lower_learning_rate_is_one(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    half = Adjustments(learning_rate_factor=0.5)
    asked, adjusted = (RecordingRun(tmp_path / name, {"dataset": tiny_dataset}) for name in "ab")
    adjusted.adjustments = half
    usual = params_of(f"{family}.train").model_dump()["learning_rate"]
    train(family, asked, learning_rate=usual / 2, **BRIEFLY.get(family, {"epochs": 1}))
    train(family, adjusted, **BRIEFLY.get(family, {"epochs": 1}))
    assert all(torch.equal(value, weights(adjusted)[name]) for name, value in weights(asked).items())


@pytest.mark.parametrize("family", TRAINED)
def test_a_cancelled_training_leaves_no_result(family: str, tiny_dataset: Path, tmp_path: Path) -> None:
    run = RecordingRun(tmp_path / "out", {"dataset": tiny_dataset})
    run.after_step = lambda step: setattr(run, "cancelling", step == 2)
    with pytest.raises(Cancelled):
        train(family, run)
    left = {path.name for path in run.out_dir.iterdir()}
    assert left <= {"previews"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Results of a short training of every family, made when first asked for."""
    return {family: tmp_path_factory.mktemp(family) for family in TRAINED}


def trained_model(models: Mapping[str, Path], family: str, dataset: Path) -> Path:
    home = models[family]
    if not (home / "model").exists():
        train(family, RecordingRun(home, {"dataset": dataset}), **BRIEFLY.get(family, {"epochs": 1}))
    return home / "model"


@pytest.mark.parametrize("task", [f"{name}.generate" for name in FAMILIES if name.startswith("image_")])
def test_an_item_depends_on_its_own_seed_alone(
    task: str, models: dict[str, Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    family = task.split(".")[0]
    source = trained_model(models, family, tiny_dataset)

    def made(name: str, **values: Any) -> dict[Any, bytes]:
        run = RecordingRun(tmp_path / name, {"model": source})
        perform(family, "generate", params_of(task, **values), run)
        assert run.steps[-1][0] == run.steps[-1][1]
        assert (run.out_dir / "samples.png").is_file()
        with zipfile.ZipFile(run.out_dir / "samples.zip") as archive:
            manifest = json.loads(archive.read("manifest.json"))
            assert {"params", "code_version", "weights_sha256"} <= set(manifest)
            return {item["seed"]: archive.read(item["file"]) for item in manifest["images"]}

    many = made("many", count=20, seed=2)
    assert made("again", count=20, seed=2) == many
    alone = made("alone", count=1, seed=2)
    assert alone[2] == many[2]
    shifted = made("shifted", count=3, seed=4)
    assert shifted.keys() == {4, 5, 6}


@pytest.mark.parametrize("family", TABLES)
def test_a_row_depends_on_the_seed_and_its_place_alone(
    family: str, models: dict[str, Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    source = trained_model(models, family, tiny_dataset)

    def made(name: str, **values: Any) -> list[str]:
        run = RecordingRun(tmp_path / name, {"model": source})
        perform(family, "generate", params_of(f"{family}.generate", **values), run)
        assert run.steps[-1] == (values["count"], values["count"])
        with zipfile.ZipFile(run.out_dir / "samples.zip") as archive:
            manifest = json.loads(archive.read("manifest.json"))
            assert {"params", "code_version", "weights_sha256", "refused"} <= set(manifest)
            lines = archive.read("synthetic.csv").decode().splitlines()
        assert len(lines) == values["count"] + 1
        return lines[1:]

    many = made("many", count=5000, seed=2)
    assert made("again", count=5000, seed=2) == many
    assert made("alone", count=1, seed=2) == many[:1]
    assert made("more", count=4100, seed=2) == many[:4100]
    assert made("other", count=3, seed=3) != many[:3]


@pytest.mark.parametrize("family", TEXTS)
def test_a_text_depends_on_its_own_seed_alone(
    family: str, models: dict[str, Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    source = trained_model(models, family, tiny_dataset)

    def made(name: str, **values: Any) -> dict[int, str]:
        run = RecordingRun(tmp_path / name, {"model": source})
        perform(family, "generate", params_of(f"{family}.generate", **values), run)
        assert run.steps[-1][0] == run.steps[-1][1]
        with zipfile.ZipFile(run.out_dir / "samples.zip") as archive:
            manifest = json.loads(archive.read("manifest.json"))
            assert {"params", "code_version", "weights_sha256"} <= set(manifest)
            lines = [json.loads(line) for line in archive.read("texts.jsonl").decode().splitlines()]
        return {line["seed"]: line["text"] for line in lines}

    many = made("many", count=70, seed=2)
    assert len(set(many.values())) > 1
    assert made("again", count=70, seed=2) == many
    assert made("alone", count=1, seed=2) == {2: many[2]}
    assert made("shifted", count=3, seed=4) == {seed: many[seed] for seed in (4, 5, 6)}


# Several jobs of each operation that can share a call; where a last one is given after None, it is refused.
COMPANY: Mapping[str, Sequence[Mapping[str, Any] | None]] = {
    "image_gan.generate": [{"count": 3}, {"seed": 4, "truncation": 0.5}, {"count": 17}, None, {"classes": "nothing"}],
    "image_vae.generate": [{"count": 3}, {"seed": 4, "temperature": 0.5}, {"count": 17}],
    "table_gan.generate": [{"seed": 1}, {"count": 5, "conditions": "Status=bad"}, None, {"conditions": "Nothing=1"}],
    "table_vae.generate": [{"seed": 1}, {"count": 5}, {"count": 5, "seed": 9}, None, {"conditions": "Nothing=1"}],
    "sasrec.recommend": [{"users": "u1"}, {"users": "u2,u3"}, {"history": "i1", "count": 3}, None, {}],
    "mult_vae.recommend": [{"users": "u1"}, {"users": "u2,u3"}, {"history": "i1", "count": 3}, None, {}],
    "text_transformer.generate": [
        {"seed": 1, "prompt": "the"},
        {"count": 3, "prompt": "a fast player " * 3, "temperature": 1.0, "repetition_penalty": 1.2},
        {"seed": 3, "top_k": 5, "max_tokens": 40},
        {"seed": 3, "candidates": 3},
        None,
        {"attributes": "colour=red"},
    ],
    "text_vae.generate": [{"count": 2}, {"seed": 4, "temperature": 1.0}, None, {"mode": "near"}],
    "assistant.reply": [{"question": "How do I send a form?"}, {"question": "What is a worker?"}, None, {}],
}
ONE: Mapping[str, Mapping[str, Any]] = {"generate": {"count": 1}, "recommend": {}, "reply": {"writer": None}}
WRITES = {"text_transformer": {"max_tokens": 24}}


def test_every_operation_that_can_share_a_call_is_here() -> None:
    shared = {task for task, kind in TASKS.items() if kind.items(ONE.get(task.split(".")[1], {})) is not None}
    assert shared == set(COMPANY)


def contents(run: RecordingRun) -> dict[str, bytes]:
    files = [path for path in run.out_dir.rglob("*") if path.is_file()]
    return {path.relative_to(run.out_dir).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("task", COMPANY)
def test_jobs_that_share_a_call_make_what_each_makes_alone(
    task: str, models: dict[str, Path], tiny_dataset: Path, tmp_path: Path
) -> None:
    """Bit for bit, loaded anew for each; what is refused, and what is cancelled, leaves the others alone."""
    family, operation = task.split(".")
    model = trained_model(models, family, tiny_dataset)
    good, bad = (list(part) for part in (COMPANY[task], [])) if None not in COMPANY[task] else split_at_none(task)
    common = {**ONE[operation], **WRITES.get(family, {})}
    wishes = [params_of(task, **{**common, **wish}) for wish in [*good, *bad] if wish is not None]

    def run(name: str) -> RecordingRun:
        made = RecordingRun(tmp_path / name, {"model": model})
        made.out_dir.mkdir(parents=True)
        return made

    alone = [run(f"alone-{place}") for place in range(len(good))]
    metrics = [perform(family, operation, wish, one) for wish, one in zip(wishes, alone, strict=False)]
    together = [run(f"together-{place}") for place in range(len(wishes) + 1)]
    together[-1].cancelling = True
    requests = [Request(wish, one) for wish, one in zip([*wishes, wishes[0]], together, strict=True)]
    many = getattr(import_module(f"{TASKS[task].__module__.rpartition('.')[0]}.model"), f"{operation}_many")
    ended = dict(many(requests))
    assert set(ended) == set(range(len(requests)))
    for place, (one, found) in enumerate(zip(alone, metrics, strict=True)):
        assert ended[place] == found
        assert contents(together[place]) == contents(one)
        assert together[place].steps[-1] == one.steps[-1]
        assert together[place].phases == one.phases
    assert all(isinstance(ended[len(good) + place], InputError) for place in range(len(bad)))
    assert isinstance(ended[len(wishes)], Cancelled)
    assert len({content["samples.zip"] for content in map(contents, alone) if "samples.zip" in content}) != 1


def split_at_none(task: str) -> tuple[list[Any], list[Any]]:
    place = COMPANY[task].index(None)
    return list(COMPANY[task][:place]), list(COMPANY[task][place + 1 :])


@pytest.mark.parametrize("family", TRAINED)
def test_an_evaluation_repeats(family: str, models: dict[str, Path], tiny_dataset: Path, tmp_path: Path) -> None:
    source = trained_model(models, family, tiny_dataset)
    inputs = {"model": source, "dataset": tiny_dataset}
    runs = [RecordingRun(tmp_path / name, inputs) for name in "ab"]
    first, second = (perform(family, "evaluate", params_of(f"{family}.evaluate"), run) for run in runs)
    assert first == second
    assert set(FAMILIES[family].metrics) >= set(first)
    assert runs[0].steps[-1][0] == runs[0].steps[-1][1]
