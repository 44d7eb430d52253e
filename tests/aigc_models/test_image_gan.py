import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from aigc_models.base import Diverged, InputError, Metrics, Paused
from aigc_models.image_gan import alarms, model
from aigc_models.image_gan.networks import build
from aigc_models.image_gan.params import ImageGanEvaluate, ImageGanGenerate, ImageGanTrain, plan_for
from aigc_models.image_gan.plan import Plan, cost
from aigc_models.image_gan.session import prepare, run_steps
from aigc_models.image_gan.trainer import AUGMENTATIONS, Recipe, Trainer, draw
from aigc_models.training import Precision, count_parameters
from tests.aigc_models.tiny_images import run_in, tiny_set, write_set

DATASET, MODEL = "ds_" + "0" * 26, "mdl_" + "0" * 26
TINY: dict[str, Any] = {"dataset": DATASET, "epochs": 2, "batch_size": 6, "width": 4, "latent_dim": 4}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_set(tmp_path / "dataset", tiny_set())


def train(directory: Path, dataset: Path, **settings: Any) -> Metrics:
    run = run_in(directory, dataset=dataset)
    return model.train(ImageGanTrain(**{**TINY, **settings}), run)


def weights(directory: Path) -> bytes:
    return (directory / "model" / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trained")
    train(home, write_set(home / "dataset", tiny_set()))
    return home


def test_the_same_seed_gives_the_same_model_and_another_seed_another(trained: Path, tmp_path: Path) -> None:
    again = train(tmp_path / "again", trained / "dataset")
    assert weights(trained) == weights(tmp_path / "again")
    assert again == json.loads((trained / "report.json").read_text())["metrics"]
    train(tmp_path / "other", trained / "dataset", seed=1)
    assert weights(trained) != weights(tmp_path / "other")


def test_training_leaves_everything_a_person_wants(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"model", "samples.png", "report.json", "loss_curve.svg", "previews"} <= names
    files = {path.name for path in (trained / "model").iterdir()}
    assert files == {"weights.safetensors", "discriminator.safetensors", "config.json"}
    config = json.loads((trained / "model" / "config.json").read_text())
    assert config["data"] == {"channels": 1, "height": 16, "width": 16, "classes": ["dark", "light"]}
    assert (config["family"], config["params"]["epochs"]) == ("image_gan", 2)


@pytest.mark.parametrize("augmentation", ["none", "adaptive"])
def test_resuming_equals_an_uninterrupted_run(tmp_path: Path, dataset: Path, augmentation: str) -> None:
    settings = {"augmentation": augmentation, "epochs": 4, "penalty_every": 2}
    whole = train(tmp_path / "whole", dataset, **settings)
    params = ImageGanTrain(**{**TINY, **settings})
    first = run_in(tmp_path / "first", dataset=dataset)
    first.checkpoints = tmp_path / "checkpoints"
    first.on_report = lambda step, *_: setattr(first, "stopping", step == 7)
    with pytest.raises(Paused):
        model.train(params, first)
    second = run_in(tmp_path / "second", dataset=dataset)
    second.resume_from = tmp_path / "checkpoints" / "step-00000007"
    steps: list[int] = []
    second.on_report = lambda step, *_: steps.append(step)
    assert model.train(params, second) == whole
    assert weights(tmp_path / "second") == weights(tmp_path / "whole")
    assert steps == list(range(8, 13))
    curves = [(tmp_path / name / "loss_curve.svg").read_text() for name in ("whole", "second")]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("backbone", ["mlp", "dcgan", "resnet"])
@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("classes", [0, 3])
def test_every_backbone_makes_and_judges_pictures(backbone: str, attention: bool, classes: int) -> None:
    plan = Plan(backbone, 28, 3, classes, 4, 8, attention)
    generator, discriminator = build(plan)
    labels = torch.tensor([0, 2]) if classes else None
    pictures = generator(torch.randn(2, 8), labels)
    assert pictures.shape == (2, 3, 28, 28)
    assert pictures.abs().max() <= 1
    assert discriminator(pictures, labels).shape == (2,)
    assert cost(plan).parameters == pytest.approx(count_parameters(generator, discriminator), rel=0.1)


@pytest.mark.parametrize("size", [8, 20, 32, 36, 64, 256])
def test_networks_fit_many_sizes(size: int) -> None:
    plan = Plan("dcgan", size, 1, 0, 4, 4, True)
    generator, discriminator = build(plan)
    assert discriminator(generator(torch.randn(1, 4).repeat(2, 1))).shape == (2,)


@pytest.mark.parametrize("loss", ["relativistic", "non_saturating", "hinge", "wgan_gp"])
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_every_loss_trains_with_every_augmentation(loss: str, augmentation: str) -> None:
    plan = Plan("dcgan", 16, 1, 2, 4, 4, False)
    recipe = Recipe(loss=loss, augmentation=augmentation, penalty_every=1, steps=3)
    trainer = Trainer(plan, recipe, Precision("float32", "cpu"))
    data = tiny_set()
    before = {name: p.clone() for name, p in trainer.discriminator.named_parameters()}
    assert data.train_labels is not None
    for _ in range(3):
        losses = trainer.step(data.train[:6], data.train_labels[:6])
        assert all(torch.isfinite(value) for value in losses.values())
    same = {name for name, p in trainer.discriminator.named_parameters() if torch.equal(before[name], p)}
    if loss == "relativistic":  # sees differences of two judgements: what is added to both has no gradient but rounding
        added = trainer.discriminator.get_parameter("judge.linear.bias")
        assert added.grad is not None
        assert added.grad.abs().max() < 1e-6
        same.discard("judge.linear.bias")
    assert same == set()


def test_low_precision_stays_close_to_full_precision() -> None:
    plan, data = Plan("dcgan", 16, 1, 2, 8, 4, False), tiny_set()
    assert data.train_labels is not None
    losses = []
    for name in ("float32", "bfloat16"):
        trainer = Trainer(plan, Recipe(steps=8), Precision(name, "cpu"))
        rows = [trainer.step(data.train, data.train_labels) for _ in range(8)]
        losses.append(torch.stack([row["d_loss"] for row in rows]))
    assert torch.allclose(losses[0], losses[1], atol=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_datasets_without_classes_and_of_odd_sizes(tmp_path: Path, channels: int) -> None:
    dataset = write_set(tmp_path / "dataset", tiny_set(channels, side=19, labelled=False))
    metrics = train(tmp_path / "out", dataset)
    assert "domain_fid" in metrics
    assert "tstr_accuracy" not in metrics
    run = run_in(tmp_path / "made", model=tmp_path / "out" / "model")
    model.generate(ImageGanGenerate(model=MODEL, count=3), run)
    with Image.open(tmp_path / "made" / "samples.png") as sheet:
        assert sheet.mode == ("L" if channels == 1 else "RGB")
    with pytest.raises(InputError, match="knows no classes"):
        model.generate(ImageGanGenerate(model=MODEL, classes="shoe"), run)
    with pytest.raises(InputError, match="no classes to learn"):
        train(tmp_path / "refused", dataset, conditional="yes")


def test_generating_names_classes_and_seeds(trained: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path, model=trained / "model")
    assert model.generate(ImageGanGenerate(model=MODEL, count=5, classes="light", seed=9), run)["images"] == 5
    with zipfile.ZipFile(tmp_path / "samples.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert len(archive.namelist()) == 6
    assert [item["seed"] for item in manifest["images"]] == [9, 10, 11, 12, 13]
    assert {item["class"] for item in manifest["images"]} == {"light"}
    with pytest.raises(InputError, match="no class called boot"):
        model.generate(ImageGanGenerate(model=MODEL, classes="boot"), run)


def test_an_item_depends_on_its_own_seed_alone(trained: Path, tmp_path: Path) -> None:
    def made(name: str, count: int, seed: int) -> dict[int, bytes]:
        run = run_in(tmp_path / name, model=trained / "model")
        model.generate(ImageGanGenerate(model=MODEL, count=count, seed=seed, classes="dark"), run)
        with zipfile.ZipFile(tmp_path / name / "samples.zip") as archive:
            items = json.loads(archive.read("manifest.json"))["images"]
            return {item["seed"]: archive.read(item["file"]) for item in items}

    many, one = made("many", 21, 0), made("one", 1, 18)
    assert many[18] == one[18]


def test_evaluating_repeats_the_trainings_figures(trained: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path, model=trained / "model", dataset=trained / "dataset")
    metrics = model.evaluate(ImageGanEvaluate(model=MODEL, dataset=DATASET), run)
    assert metrics == json.loads((trained / "report.json").read_text())["metrics"]
    run.inputs = {"model": trained / "model", "dataset": write_set(tmp_path / "rgb", tiny_set(3))}
    with pytest.raises(InputError, match="3 colour channels"):
        model.evaluate(ImageGanEvaluate(model=MODEL, dataset=DATASET), run)


def test_a_diverged_training_says_so(tmp_path: Path, dataset: Path) -> None:
    session = prepare(ImageGanTrain(**TINY), run_in(tmp_path / "out", dataset=dataset))
    with torch.no_grad():
        next(session.trainer.generator.parameters())[0] = torch.nan
    with pytest.raises(Diverged):
        run_steps(session)


def test_alarms() -> None:
    same = torch.full((6, 1, 4, 4), 100, dtype=torch.uint8)
    varied = torch.randint(0, 256, (6, 1, 4, 4), dtype=torch.uint8)
    assert alarms.variety(same, None) == 0.0
    assert "Collapse" in (alarms.collapse_alarm(0.0, alarms.variety(varied, None)) or "")
    assert alarms.collapse_alarm(50, 50) is None
    ratio = alarms.overfitting(torch.tensor([2.0]), torch.tensor([0.5]), torch.tensor([0.0]))
    assert ratio == pytest.approx(0.75)
    assert "Overfitting" in (alarms.overfitting_alarm(ratio) or "")
    assert alarms.overfitting_alarm(0.1) is None


def test_variety_is_measured_within_classes() -> None:
    pictures = torch.tensor([0, 255, 0, 255], dtype=torch.uint8).view(4, 1, 1, 1)
    assert alarms.variety(pictures, torch.tensor([0, 1, 0, 1])) == 0.0


def test_estimates_grow_with_the_work() -> None:
    report = {"train": 5000, "channels": 1, "height": 28, "width": 28, "classes": ["a", "b"]}
    small, large = (ImageGanTrain(dataset=DATASET, epochs=n).estimate(report, 2) for n in (4, 40))
    assert small is not None
    assert large is not None
    assert large.seconds > 3 * small.seconds
    assert small.parameters > 100_000
    assert ImageGanTrain(dataset=DATASET).estimate({}, 2) is None


def test_presets_are_valid_and_sizes_are_found() -> None:
    for values in ImageGanTrain.presets.values():
        ImageGanTrain.model_validate({"dataset": DATASET, **values})
    params = ImageGanTrain(dataset=DATASET)
    assert [plan_for(params, 1, side, 0).size for side in (3, 28, 29, 64, 500)] == [8, 28, 32, 64, 64]


def test_drawing_fills_the_last_chunk() -> None:
    generator = build(Plan("dcgan", 16, 1, 0, 4, 4, False))[0].eval()
    noise = torch.randn(5, 4)
    assert torch.equal(draw(generator, noise, None, 4)[4], draw(generator, noise[4:], None, 4)[0])
