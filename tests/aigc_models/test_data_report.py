"""What the check of images tells: metadata, blank pictures, balance, and a strip of pictures for each class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from aigc_models.data import image_metadata
from aigc_models.data.images import ARRAYS, load_images, load_report
from aigc_models.dataset.model import import_images
from aigc_models.dataset.params import DatasetImportImages
from aigc_models.standalone import LocalRun
from tests.corpus.pictures import class_folders, encode, npz, pixels, zipped

SECRET = b"Ada Lovelace"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def imported(out: Path, content: bytes, filename: str = "upload.zip", **settings: Any) -> dict[str, Any]:
    """The report of an import."""
    upload = out.parent / "upload"
    upload.mkdir()
    (upload / filename).write_bytes(content)
    import_images(DatasetImportImages(**settings), LocalRun(out, {"upload": upload}))
    return load_report(out / "dataset")


def photo(seed: int, *, place: bool = False, person: bool = False, serial: bool = False) -> bytes:
    """A JPEG as a camera or telephone writes it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Acme"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:01:02 03:04:05"
    if person:
        exif[ExifTags.Base.Artist] = SECRET.decode()
    if serial:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.BodySerialNumber] = "SN-4711"
    if place:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    return encode(pixels(seed, 24, 24, 3), "JPEG", exif=exif)


def test_metadata_is_counted_and_none_of_it_is_kept(out: Path) -> None:
    files = {f"{index}.png": encode(pixels(index, 24, 24, 3)) for index in range(10)}
    files |= {"a.jpg": photo(50, place=True, person=True), "b.jpg": photo(51, serial=True), "c.jpg": photo(52)}
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    files["d.png"] = encode(pixels(53, 24, 24, 3), pnginfo=text)
    report = imported(out, zipped(files))
    assert report["metadata"] == {"any": 4, "gps": 1, "person": 2, "serial": 1, "taken": 3}
    assert report["pictures_with_metadata"] == 0
    assert report["source_formats"] == {"PNG": 11, "JPEG": 3}
    for path in out.rglob("*"):
        assert not path.is_file() or SECRET not in path.read_bytes(), path.name
        assert not path.is_file() or b"SN-4711" not in path.read_bytes(), path.name
    for path in out.rglob("*.png"):
        with Image.open(path) as picture:
            assert image_metadata.look(picture) == set()
    assert (out / "dataset" / ARRAYS).stat().st_size > 0


def test_an_orientation_alone_tells_nothing_of_anybody(out: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    files = {f"{index}.jpg": encode(pixels(index, 20, 30, 3), "JPEG", exif=exif) for index in range(10)}
    report = imported(out, zipped(files))
    assert report["metadata"]["any"] == 0
    assert report["source_sizes"] == {"20x30": 10}


def test_damaged_metadata_does_not_make_an_image_unreadable(out: Path) -> None:
    broken = encode(
        pixels(90, 24, 24, 3), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\xff\xff\xff\xff"
    )
    report = imported(out, zipped({f"{index}.png": encode(pixels(index)) for index in range(10)} | {"x.jpg": broken}))
    assert report["train"] + report["test"] == 11
    assert report["unreadable"] == 0


def test_blank_and_nearly_blank_pictures_are_named(out: Path) -> None:
    files = {f"{index}.png": encode(pixels(index)) for index in range(12)}
    files["empty.png"] = encode(np.full((12, 12), 255, np.uint8))
    faint = np.full((12, 12), 200, np.uint8)
    faint[::2] = 202
    files["faint.png"] = encode(faint)
    dot = np.zeros((12, 12), np.uint8)
    dot[3, 3] = 30
    files["one dot.png"] = encode(dot)
    files["copy.png"] = files["3.png"]
    report = imported(out, zipped(files))
    assert (report["blank"], report["near_blank"], report["duplicates"]) == (1, 2, 1)
    assert report["examples"] == {
        "duplicates": ["copy.png"],
        "blank": ["empty.png"],
        "near_blank": ["faint.png", "one dot.png"],
    }


def test_unreadable_files_are_counted(out: Path) -> None:
    files = class_folders({"a": 12}) | {"a/cut.png": encode(pixels(99))[:70]}
    report = imported(out, zipped(files), skip_broken=True)
    assert (report["unreadable"], report["train"] + report["test"]) == (1, 12)


def test_classes_out_of_balance_are_told(out: Path) -> None:
    report = imported(out, zipped(class_folders({"cats": 60, "dogs": 5})))
    said = [warning["message"].format(**warning["values"]) for warning in report["warnings"]]
    assert "The classes are out of balance: 60 images of cats, but 5 of dogs." in said
    assert report["class_counts"] == {"cats": 60, "dogs": 5}
    assert sum(report["class_test_counts"].values()) == report["test"]


def test_every_class_has_a_strip_of_pictures(out: Path) -> None:
    report = imported(out, zipped(class_folders({"cats": 20, "狗": 5})))
    assert [(sample["class"], sample["count"]) for sample in report["samples"]] == [("cats", 8), ("狗", 5)]
    widths = []
    for sample in report["samples"]:
        with Image.open(out / sample["file"]) as strip:
            widths.append(strip.width)
    assert widths[0] > widths[1]
    assert load_images(out / "dataset").classes == ("cats", "狗")


def test_arrays_have_strips_and_colours_and_no_metadata(out: Path) -> None:
    images = np.stack([pixels(index) for index in range(20)])
    report = imported(out, npz(x=images), "images.npz")
    assert [(sample["class"], sample["count"]) for sample in report["samples"]] == [("", 18)]
    assert report["source_colours"] == {"grey": 20}
    assert report["metadata"]["any"] == 0
    assert report["examples"] == {}
