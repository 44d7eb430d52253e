import json
import math
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from aigc_models import training
from aigc_models.base import Cancelled, InputError, Metrics, Paused
from aigc_models.data.images import ImageSet, load_images
from aigc_models.image_vae import evaluation, model, objective, saved
from aigc_models.image_vae.networks import Vae
from aigc_models.image_vae.params import (
    ImageVaeEvaluate,
    ImageVaeGenerate,
    ImageVaeInterpolate,
    ImageVaeReconstruct,
    ImageVaeTrain,
    ImageVaeTraverse,
    plan_for,
    token_plan_for,
)
from aigc_models.image_vae.plan import cost, token_cost
from aigc_models.image_vae.prior import TokenPrior
from aigc_models.image_vae.tokens import Rounding, TokenAutoencoder
from aigc_models.image_vae.trainer import learning_rate
from aigc_models.image_vae.using import PlainModel, TokenModel, TokenNetworks, active_units
from aigc_models.standalone import newest_checkpoint
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_images import tiny_set, write_set

DATASET, MODEL = "ds_" + "0" * 26, "mdl_" + "0" * 26


def settings(**changed: Any) -> ImageVaeTrain:
    small = {"dataset": DATASET, "epochs": 4, "batch_size": 16, "width": 4, "latent_dim": 4, "seed": 3}
    return ImageVaeTrain.model_validate(small | changed)


def trained(directory: Path, dataset: Path, **changed: Any) -> tuple[Metrics, RecordingRun]:
    run = RecordingRun(directory, {"dataset": dataset})
    directory.mkdir(parents=True, exist_ok=True)
    return model.train(settings(**changed), run), run


def using(directory: Path, source: Path, **inputs: Path) -> RecordingRun:
    directory.mkdir(parents=True, exist_ok=True)
    return RecordingRun(directory, {"model": source / "model", **inputs})


# --- the objective, against cases worked out by hand


def test_kl_of_a_case_computed_by_hand() -> None:
    mean, variance = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[1.0, 4.0, 0.25]])
    kl = objective.kl_to_prior(mean, variance.log())
    # 1/2 (s + m^2 - 1 - ln s): 1/2 (1+1-1-0), 1/2 (4-1-ln 4), 1/2 (.25-1+ln 4)
    assert kl[0].tolist() == pytest.approx([0.5, 1.5 - math.log(2), -0.375 + math.log(2)])
    assert objective.kl_to_prior(torch.zeros(1, 2), torch.zeros(1, 2)).tolist() == [[0.0, 0.0]]


def test_kl_agrees_with_torch_and_its_gradient_pulls_to_the_prior() -> None:
    mean, log_variance = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    theirs = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    ours = objective.kl_to_prior(mean, log_variance)
    torch.testing.assert_close(ours, theirs)
    ours.sum().backward()
    torch.testing.assert_close(mean.grad, mean.detach())  # d KL / d mean = mean


def test_free_bits_leave_small_divergences_alone() -> None:
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]], requires_grad=True)  # means .2 and 3
    loss = objective.free_kl(kl, 0.5)
    assert loss.item() == pytest.approx(3.5)
    (gradient,) = torch.autograd.grad(loss, kl)
    assert gradient.tolist() == [[0.0, 0.5], [0.0, 0.5]]


def test_bernoulli_by_hand() -> None:
    x = torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)  # white, black
    output = torch.tensor([math.log(3), math.log(3)]).view(1, 1, 1, 1, 2)  # p(white) = 3/4
    found = objective.log_likelihood(x, output, "bernoulli")
    assert found.item() == pytest.approx(math.log(0.75) + math.log(0.25))


@pytest.mark.parametrize("scale", [-6.0, -3.0, 0.0, 2.0])
@pytest.mark.parametrize("mean", [-1.3, -0.2, 0.999, 4.0])
def test_logistic_probabilities_of_all_levels_sum_to_one(mean: float, scale: float) -> None:
    levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    logs = objective.logistic_log_likelihood(levels, torch.full((256,), mean), torch.full((256,), scale))
    assert logs.exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_logistic_by_hand() -> None:
    x, mean, scale = torch.tensor([0.0, -1.0, 1.0]), torch.tensor([0.1, 0.2, 0.3]), torch.full((3,), math.log(0.5))

    def sigmoid(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    middle = sigmoid((1 / 255 - 0.1) / 0.5) - sigmoid((-1 / 255 - 0.1) / 0.5)
    lowest, highest = sigmoid((-1 + 1 / 255 - 0.2) / 0.5), 1 - sigmoid((1 - 1 / 255 - 0.3) / 0.5)
    found = objective.logistic_log_likelihood(x, mean, scale)
    assert found.tolist() == pytest.approx([math.log(middle), math.log(lowest), math.log(highest)], rel=1e-4)


def test_bits_and_warm_up() -> None:
    assert objective.bits_per_dimension(-math.log(2) * 8 * 10, 10) == pytest.approx(8)
    assert [objective.warmed_up(step, 100, 0.2) for step in (0, 10, 20, 90)] == [0, 0.5, 1, 1]
    assert objective.warmed_up(1, 100, 0.0) == 1
    rates = [learning_rate(1.0, step, 1000) for step in (1, 100, 1000)]
    assert rates == pytest.approx([0.01, 1.0, 0.01])


def test_the_bound_is_likelihood_minus_divergence() -> None:
    """An encoder that always says N(1, 1) and a decoder that always says grey: all is known by hand."""
    vae = Vae(plan_for(settings(latent_dim=2, likelihood="logistic"), 1, 8, 8)).eval()
    for parameter in vae.parameters():
        parameter.data.zero_()
    out = vae.encoder.get_submodule("out").get_parameter("bias")
    out.data.copy_(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    images = torch.full((3, 1, 8, 8), 255, dtype=torch.uint8)
    found = PlainModel(vae, "logistic").bound(images, seed=0)
    white = math.log(1 - 1 / (1 + math.exp(-(1 - 1 / 255) * math.exp(2))))
    assert found["kl"] == pytest.approx(1.0)
    assert found["elbo"] == pytest.approx(64 * white - 1.0, rel=1e-4)
    assert found["active_units"] == 0
    assert found["reconstruction_error"] == pytest.approx(1.0, abs=0.01)


def test_baselines_by_hand() -> None:
    train = torch.tensor([0, 0, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    data = ImageSet(train, None, train[:1], None, ())
    assert evaluation.baseline_log_likelihood(data, "logistic") == pytest.approx(math.log(3 / 259))
    assert evaluation.baseline_log_likelihood(data, "bernoulli") == pytest.approx(math.log(2 / 3))


def test_active_units() -> None:
    means = torch.stack([torch.linspace(-1, 1, 50), torch.full((50,), 2.0), torch.linspace(0, 0.1, 50)], 1)
    assert active_units(means) == 1


# --- networks


@pytest.mark.parametrize("backbone", ["conv", "mlp"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 31), (1, 4, 4), (3, 64, 9)])
def test_any_size_goes_in_and_comes_out(shape: tuple[int, int, int], backbone: str) -> None:
    plan = plan_for(settings(backbone=backbone), *shape)
    vae = Vae(plan)
    mean, log_variance = vae.encode(torch.randn(2, *shape))
    assert mean.shape == log_variance.shape == (2, 4)
    assert vae.decode(mean).shape == (2, plan.outputs, *shape)
    assert cost(plan).parameters == pytest.approx(training.count_parameters(vae), rel=0.25)


def test_estimates_grow_with_the_work() -> None:
    report = {"train": 5000, "channels": 1, "height": 28, "width": 28}
    small, large = (settings(epochs=epochs, width=width).estimate(report, 2) for epochs, width in ((10, 16), (20, 32)))
    assert small is not None
    assert large is not None
    assert small.seconds < large.seconds
    assert small.parameters < large.parameters
    assert settings().estimate({}, 2) is None


# --- operations


def test_training_learns_and_leaves_what_it_promises(tiny_dataset: Path, tmp_path: Path) -> None:
    metrics, run = trained(tmp_path / "out", tiny_dataset, epochs=40, learning_rate=0.01)
    assert metrics["elbo"] > metrics["elbo_baseline"]
    assert metrics["bits_per_dim"] < metrics["bits_per_dim_baseline"]
    assert metrics["reconstruction_error"] < metrics["reconstruction_error_baseline"]
    assert run.phases == ["preparing", "training", "evaluating", "saving"]
    assert run.steps[-1] == (150, 150)
    assert set(run.curve[0]) == {"loss", "reconstruction", "kl", "images_per_second"}
    files = {path.relative_to(run.out_dir).as_posix() for path in run.out_dir.rglob("*") if path.is_file()}
    assert {"model/weights.safetensors", "model/config.json", "samples.png", "report.json"} <= files
    assert len([name for name in files if name.startswith("previews/samples-")]) >= 10
    config = json.loads((run.out_dir / "model" / "config.json").read_text())
    assert config["data"] == {"channels": 1, "height": 12, "width": 12, "classes": ["dark", "light"]}
    assert len(config["information"]) == 4
    assert metrics["active_units"] >= 1


KINDS = [
    {"backbone": "conv", "likelihood": "logistic"},
    {"backbone": "mlp", "likelihood": "logistic"},
    {"backbone": "mlp", "likelihood": "bernoulli"},
    {"prior": "tokens", "likelihood": "logistic", "epochs": 1},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_same_seed_same_result(kind: dict[str, Any], tiny_dataset: Path, tmp_path: Path) -> None:
    first, run = trained(tmp_path / "a", tiny_dataset, **kind)
    torch.manual_seed(77)
    second, again = trained(tmp_path / "b", tiny_dataset, **kind)
    other, _ = trained(tmp_path / "c", tiny_dataset, **kind, seed=4)
    assert first == second
    assert first != other
    ours, theirs = (load_file(each.out_dir / "model" / "weights.safetensors") for each in (run, again))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(("prior", "stop"), [("plain", 5), ("tokens", 8), ("tokens", 11)])
def test_a_resumed_training_is_the_same_bit_for_bit(prior: str, stop: int, tiny_dataset: Path, tmp_path: Path) -> None:
    chosen = settings(prior=prior, epochs=2)
    whole, run = trained(tmp_path / "whole", tiny_dataset, prior=prior, epochs=2)
    broken = RecordingRun(tmp_path / "broken", {"dataset": tiny_dataset}, checkpoints=tmp_path / "checkpoints")
    broken.out_dir.mkdir()
    broken.after_step = lambda step: setattr(broken, "stopping", step == stop)
    with pytest.raises(Paused):
        model.train(chosen, broken)
    assert not (broken.out_dir / "model").exists()
    checkpoint = newest_checkpoint(tmp_path / "checkpoints")
    assert checkpoint is not None
    training.read_state(checkpoint)  # loads without unpickling code
    resumed = RecordingRun(tmp_path / "resumed", {"dataset": tiny_dataset}, resume_from=checkpoint)
    resumed.out_dir.mkdir()
    assert model.train(chosen, resumed) == whole
    assert resumed.steps[0][0] == stop + 1
    ours, theirs = (load_file(each.out_dir / "model" / "weights.safetensors") for each in (run, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_cancelling_leaves_no_model(tiny_dataset: Path, tmp_path: Path) -> None:
    run = RecordingRun(tmp_path, {"dataset": tiny_dataset})
    run.after_step = lambda step: setattr(run, "cancelling", step == 3)
    with pytest.raises(Cancelled):
        model.train(settings(), run)
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "samples.png").exists()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model's results, with its dataset beside them."""
    home = tmp_path_factory.mktemp("vae")
    dataset = write_set(home / "dataset", tiny_set(side=12, count=80))
    trained(home, dataset, latent_dim=6)
    return home


def test_generation_depends_on_each_items_seed_alone(source: Path, tmp_path: Path) -> None:
    def pictures(name: str, seed: int, count: int) -> dict[int, bytes]:
        run = using(tmp_path / name, source)
        assert model.generate(ImageVaeGenerate(model=MODEL, count=count, seed=seed), run)["images"] == count
        with zipfile.ZipFile(run.out_dir / "samples.zip") as archive:
            manifest = json.loads(archive.read("manifest.json"))
            assert run.steps[-1] == (count, count)
            return {item["seed"]: archive.read(item["file"]) for item in manifest["images"]}

    many = pictures("many", 10, 40)
    assert pictures("one", 33, 1)[33] == many[33]
    assert pictures("again", 10, 40) == many
    assert len(set(many.values())) == 40


def test_seeds_wrap_at_the_largest(source: Path, tmp_path: Path) -> None:
    run = using(tmp_path, source)
    model.generate(ImageVaeGenerate(model=MODEL, count=3, seed=2**31 - 1), run)
    with zipfile.ZipFile(run.out_dir / "samples.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert [item["seed"] for item in manifest["images"]] == [2**31 - 1, 0, 1]
    assert manifest["weights_sha256"] == saved.load(source / "model", "cpu").weights_sha256


def test_temperature_narrows_the_draw(source: Path, tmp_path: Path) -> None:
    def spread(temperature: float) -> float:
        run = using(tmp_path / str(temperature), source)
        model.generate(ImageVaeGenerate(model=MODEL, count=16, temperature=temperature), run)
        with zipfile.ZipFile(run.out_dir / "samples.zip") as archive:
            names = [name for name in archive.namelist() if name.endswith(".png")]
            images = [torch.frombuffer(bytearray(_pixels(archive.read(n))), dtype=torch.uint8).float() for n in names]
        return torch.stack(images).std(0).mean().item()

    assert spread(0.1) < spread(1.0)


def _pixels(content: bytes) -> bytes:
    import io

    with Image.open(io.BytesIO(content)) as image:
        return image.tobytes()


def test_evaluating_again_gives_the_trainings_figures(source: Path, tmp_path: Path) -> None:
    run = using(tmp_path, source, dataset=source / "dataset")
    metrics = model.evaluate(ImageVaeEvaluate(model=MODEL, dataset=DATASET, seed=3), run)
    said = json.loads((source / "report.json").read_text())["metrics"]
    assert metrics == pytest.approx(said)


def test_reconstruct_interpolate_and_traverse(source: Path, tmp_path: Path) -> None:
    run = using(tmp_path / "r", source, dataset=source / "dataset")
    found = model.reconstruct(ImageVaeReconstruct(model=MODEL, dataset=DATASET, count=11), run)
    assert found["images"] == 11
    assert found["reconstruction_error"] < 1
    run = using(tmp_path / "i", source)
    assert model.interpolate(ImageVaeInterpolate(model=MODEL, count=3, steps=5), run)["images"] == 15
    run = using(tmp_path / "t", source)
    assert model.traverse(ImageVaeTraverse(model=MODEL, dimensions=10, steps=7), run)["images"] == 42
    for name in "rit":
        with Image.open(tmp_path / name / "samples.png") as sheet:
            assert sheet.width > 100
        with zipfile.ZipFile(tmp_path / name / "samples.zip") as archive:
            assert archive.testzip() is None


def test_a_walk_starts_and_ends_at_its_pictures_and_keeps_their_length() -> None:
    start, end = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    walk = model.slerp(start, end, torch.linspace(0, 1, 5))
    torch.testing.assert_close(walk[0], start)
    torch.testing.assert_close(walk[-1], end)
    torch.testing.assert_close(walk.norm(dim=1), torch.full((5,), 3.0))
    torch.testing.assert_close(model.slerp(start, start, torch.tensor([0.3])), start[None])


def test_another_shape_of_pictures_is_refused(source: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "rgb", tiny_set(channels=3, side=16))
    run = using(tmp_path / "out", source, dataset=other)
    with pytest.raises(InputError, match="16 x 16 x 3") as caught:
        model.evaluate(ImageVaeEvaluate(model=MODEL, dataset=DATASET), run)
    assert caught.value.faults[0].pointer == "/dataset"


def test_a_model_is_loaded_once(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source / "model", copy / "model")
    run = using(tmp_path / "out", copy)
    model.generate(ImageVaeGenerate(model=MODEL, count=2), run)
    (copy / "model" / "weights.safetensors").unlink()
    model.generate(ImageVaeGenerate(model=MODEL, count=2), run)


def test_tiny_and_unlabelled_sets_train(tmp_path: Path) -> None:
    dataset = write_set(tmp_path / "dataset", tiny_set(side=9, count=12, labelled=False, channels=3))
    assert len(load_images(dataset).train) < 16
    metrics, run = trained(tmp_path / "out", dataset)
    assert math.isfinite(metrics["elbo"])
    assert run.steps[-1][0] == run.steps[-1][1]


# --- the tokens tier


def test_rounding_gives_each_token_its_own_values() -> None:
    rounding = Rounding((8, 6, 5))
    tokens = torch.arange(240).view(1, 240)
    values = rounding.from_tokens(tokens, (12, 20))
    assert torch.equal(rounding.to_tokens(values), tokens)
    assert values.flatten(2).unique(dim=2).shape[2] == 240
    assert values.abs().max() <= 1


def test_rounding_reaches_every_value_and_passes_gradients() -> None:
    rounding = Rounding((8, 6, 5))
    z = torch.linspace(-8, 8, 400).view(1, 1, 20, 20).repeat(1, 3, 1, 1).requires_grad_()
    values = rounding(z)
    assert [values[0, index].unique().numel() for index in range(3)] == [8, 6, 5]
    assert torch.equal(rounding.from_tokens(rounding.to_tokens(values), (20, 20)), values.detach())
    values.sum().backward()
    assert z.grad is not None
    assert (z.grad > 0).float().mean() > 0.5


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 31), (1, 4, 4), (3, 64, 9)])
def test_any_size_becomes_tokens(shape: tuple[int, int, int]) -> None:
    plan = token_plan_for(settings(), *shape)
    autoencoder = TokenAutoencoder(plan).eval()
    x = torch.randn(2, *shape)
    tokens = autoencoder.tokens(x)
    assert tokens.shape == (2, plan.tokens)
    assert plan.tokens <= 64
    assert int(tokens.max()) < plan.codes
    torch.testing.assert_close(autoencoder.decode_tokens(tokens), autoencoder.decode(autoencoder.encode(x)))
    parts = (token_cost(plan)[0].parameters, training.count_parameters(autoencoder))
    assert parts[0] == pytest.approx(parts[1], rel=0.3)


@pytest.fixture
def prior() -> TokenPrior:
    prior = TokenPrior(token_plan_for(settings(), 1, 12, 12))
    training.initialise(prior, training.seeded(1))
    with torch.no_grad():
        prior.out.weight.mul_(20)  # far from uniform
    return prior.eval()


def test_the_prior_sees_only_what_came_before(prior: TokenPrior) -> None:
    tokens = torch.randint(0, prior.codes, (1, prior.length))
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % prior.codes
    before, after = prior(tokens), prior(changed)
    torch.testing.assert_close(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


def test_probabilities_of_all_next_tokens_sum_to_one(prior: TokenPrior) -> None:
    tokens = torch.randint(0, prior.codes, (1, prior.length)).repeat(prior.codes, 1)
    tokens[:, -1] = torch.arange(prior.codes)
    rest = prior.log_likelihood(tokens) - prior.log_likelihood(tokens)[0]
    last = torch.log_softmax(prior(tokens[:1])[0, -1], 0)
    torch.testing.assert_close(rest, last - last[0], atol=1e-4, rtol=1e-4)


def test_drawing_with_kept_keys_equals_drawing_without(prior: TokenPrior) -> None:
    uniform = torch.rand(3, prior.length, generator=training.seeded(2))
    drawn = prior.draw(uniform)
    for place in range(prior.length):
        odds = torch.softmax(prior(drawn)[:, place].double(), 1)
        expected = (odds.cumsum(1) < uniform[:, place : place + 1]).sum(1)
        assert torch.equal(drawn[:, place], expected)
    assert prior.draw(uniform, temperature=0.01).unique().numel() <= drawn.unique().numel()


def test_the_bound_of_tokens_counts_both_parts() -> None:
    plan = token_plan_for(settings(likelihood="bernoulli"), 1, 8, 8)
    networks = TokenNetworks(plan)
    for parameter in networks.parameters():
        parameter.data.zero_()
    images = torch.full((3, 1, 8, 8), 255, dtype=torch.uint8)
    found = TokenModel(networks, "bernoulli").bound(images, seed=0)
    named = plan.tokens * math.log(plan.codes)
    assert found["kl"] == pytest.approx(named, rel=1e-5)
    assert found["elbo"] == pytest.approx(64 * math.log(0.5) - named, rel=1e-5)


def test_tokens_learn_generate_and_rebuild(tiny_dataset: Path, tmp_path: Path) -> None:
    metrics, run = trained(tmp_path / "out", tiny_dataset, prior="tokens", epochs=20, learning_rate=0.01)
    assert metrics["reconstruction_error"] < metrics["reconstruction_error_baseline"]
    assert set(run.curve[0]) == {"reconstruction", "images_per_second"}
    assert set(run.curve[-1]) == {"kl", "images_per_second"}
    assert run.curve[-1]["kl"] < 0.7 * 36 * math.log(240)
    use = using(tmp_path / "g", run.out_dir)
    model.generate(ImageVaeGenerate(model=MODEL, count=3), use)
    use = using(tmp_path / "r", run.out_dir, dataset=tiny_dataset)
    model.reconstruct(ImageVaeReconstruct(model=MODEL, dataset=DATASET, count=3), use)
    for walk in (model.interpolate, model.traverse):
        params: Any = ImageVaeInterpolate(model=MODEL) if walk is model.interpolate else ImageVaeTraverse(model=MODEL)
        with pytest.raises(InputError, match="no latent numbers"):
            walk(params, using(tmp_path / "w", run.out_dir))
