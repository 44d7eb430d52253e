from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from aigc_models import registry
from aigc_models.base import Family, Params

PACKAGE = Path(registry.__file__).parent


class RegistryExampleTrain(Params):
    """A third party's training, only for this test."""


THEIRS = Family("theirs", "Theirs", "Someone else's.", "", {"train": RegistryExampleTrain})


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    point = EntryPoint("theirs", "tests.aigc_models.test_registry:THEIRS", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.ENTRY_POINTS else [])
    registry.families.cache_clear()
    yield
    registry.families.cache_clear()


def test_every_family_directory_is_registered() -> None:
    with_params = {path.parent.name for path in PACKAGE.glob("*/params.py")}
    assert with_params == set(registry.BUILT_IN)
    assert [family.name for family in registry.families().values()] == list(registry.BUILT_IN)


def test_tasks_are_family_and_operation() -> None:
    assert {"image_gan.train", "image_vae.generate", "dataset.import_images"} <= set(registry.tasks())
    assert registry.task("image_vae.train").__name__ == "ImageVaeTrain"
    with pytest.raises(registry.UnknownTask):
        registry.task("image_vae.fly")


@pytest.mark.usefixtures("third_party")
def test_others_add_families_by_entry_point() -> None:
    assert registry.task("theirs.train") is RegistryExampleTrain
    assert list(registry.families())[-1] == "theirs"
