import io
import json
import zipfile
from pathlib import Path

import torch
from PIL import Image

from aigc_models import pictures


def test_bytes_and_floats_convert_both_ways() -> None:
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(pictures.to_bytes(pictures.from_bytes(values)), values)
    assert pictures.to_bytes(torch.tensor([-9.0, 9.0])).tolist() == [0, 255]


def test_grid_is_labelled_and_holds_every_image(tmp_path: Path) -> None:
    images = torch.rand(6, 1, 28, 28) * 2 - 1
    path = pictures.save_grid(images, tmp_path / "a" / "grid.png", 3, ["shoe", "运动鞋"])
    with Image.open(path) as picture:
        assert picture.mode == "L"
        assert picture.width > 3 * 58
        assert picture.height == 2 * 58 + 2
    plain = pictures.grid(torch.zeros(4, 3, 64, 64, dtype=torch.uint8), 2)
    assert (plain.mode, plain.size) == ("RGB", (134, 134))


def test_zip_holds_images_and_manifest_and_is_the_same_each_time(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    names = ["0000-a.png", "0001-b.png"]
    first = pictures.save_zip(images, names, tmp_path / "1.zip", {"seed": 1}).read_bytes()
    second = pictures.save_zip(images, names, tmp_path / "2.zip", {"seed": 1}).read_bytes()
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == [*names, "manifest.json"]
        assert json.loads(archive.read("manifest.json")) == {"seed": 1}
        with Image.open(io.BytesIO(archive.read(names[1]))) as picture:
            assert picture.getpixel((0, 0)) == tuple(images[1, :, 0, 0].tolist())


def test_curves_are_drawn_even_when_there_are_none(tmp_path: Path) -> None:
    drawn = pictures.save_curves({"g & d": [(0, 1.0), (10, 2.0)]}, tmp_path / "a.svg").read_text()
    assert "g &amp; d" in drawn
    assert drawn.count("<polyline") == 1
    assert "<svg" in pictures.save_curves({}, tmp_path / "b.svg").read_text()
