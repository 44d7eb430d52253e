import hashlib
from importlib.resources import files

import pytest
import torch

from aigc_models.metrics import feature_net, image_classifier, image_distance
from aigc_models.metrics.image_figures import IMAGE_METRICS
from aigc_models.metrics.image_quality import Generated, picture_metrics, verdict, wanted
from tests.aigc_models.tiny_images import tiny_set


def test_the_shipped_weights_are_the_pinned_ones() -> None:
    content = (files("aigc_models.metrics") / feature_net.WEIGHTS_FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == feature_net.WEIGHTS_SHA256


def test_features_take_any_size_and_colour() -> None:
    assert feature_net.features(torch.zeros(3, 1, 28, 28)).shape == (3, 96)
    assert feature_net.features(torch.zeros(3, 3, 64, 64, dtype=torch.uint8)).shape == (3, 288)
    grey = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    floats = grey.float() / 127.5 - 1
    assert torch.allclose(feature_net.features(grey), feature_net.features(floats), atol=1e-4)


def test_frechet_distance_of_known_normals() -> None:
    # Two points at +-s have variance 2 s^2 (n - 1); standard deviations s sqrt(2) and mean m are exact here.
    a, b = torch.tensor([[-1.0], [1.0]]).double(), torch.tensor([[2.0], [8.0]]).double()
    mean, deviations = (0 - 5) ** 2, (2**0.5 - 3 * 2**0.5) ** 2
    assert image_distance.frechet(a, b) == pytest.approx(mean + deviations, rel=1e-6)
    assert image_distance.frechet(a, a) == pytest.approx(0.0, abs=1e-9)


def test_frechet_distance_is_symmetric_and_sees_correlation() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(4000, 2, generator=generator).double()
    b = torch.stack([a[:, 0], (a[:, 0] + a[:, 1]) / 2**0.5], 1)
    there, back = image_distance.frechet(a, b), image_distance.frechet(b, a)
    assert there == pytest.approx(back, rel=1e-6)
    assert there > 0.05


def test_marginal_pictures_keep_each_pixels_values_only() -> None:
    images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1) + torch.tensor([0, 100], dtype=torch.uint8).view(
        1, 1, 1, 2
    )
    drawn = image_distance.marginal_pictures(images, 50, seed=0)
    assert set(drawn[..., 0].flatten().tolist()) == {0, 1, 2, 3}
    assert set(drawn[..., 1].flatten().tolist()) == {100, 101, 102, 103}
    assert torch.unique(drawn.flatten(1), dim=0).shape[0] > 4


def test_the_classifier_learns_and_is_the_same_each_time() -> None:
    data = tiny_set(count=48)
    assert data.train_labels is not None
    assert data.test_labels is not None
    models = [image_classifier.train_classifier(data.train, data.train_labels, 2, 0, steps=20) for _ in range(2)]
    assert torch.equal(models[0].out.weight, models[1].out.weight)
    assert image_classifier.accuracy(models[0], data.test, data.test_labels) == 1.0
    assert image_classifier.majority_accuracy(torch.tensor([1, 1, 0]), torch.tensor([0, 1])) == 0.5


def test_real_pictures_pass_and_noise_does_not() -> None:
    data = tiny_set(count=48)
    good = picture_metrics(Generated(data.train, data.train_labels), data, seed=0)
    assert good["domain_fid"] < good["domain_fid_baseline"]
    assert good["tstr_accuracy"] == good["trtr_accuracy"] == 1.0
    assert good.keys() == IMAGE_METRICS.keys()
    assert verdict(good) == []
    noise = torch.randint(0, 256, data.train.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    bad = picture_metrics(Generated(noise, None), data, seed=0)
    assert "tstr_accuracy" not in bad
    assert "Domain-FID" in verdict(bad)[0]


def test_how_many_pictures_are_wanted() -> None:
    assert wanted(tiny_set(count=48)) == 72
