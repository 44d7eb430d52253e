import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from aigc_models.base import Cancelled, InputError
from aigc_models.data import sandbox
from aigc_models.data.image_files import decode
from aigc_models.data.images import ImageSet, load_images, load_report
from aigc_models.data.reading import Target, natural
from aigc_models.data.starters import STARTERS
from aigc_models.dataset.model import import_images
from aigc_models.dataset.params import DatasetImportImages
from aigc_models.standalone import LocalRun
from tests.corpus import malicious
from tests.corpus.pictures import class_folders, encode, idx, npz, pixels, zipped

Import = Callable[..., tuple[ImageSet, dict[str, Any]]]


@pytest.fixture
def run_import(tmp_path: Path) -> Import:
    """Imports bytes as an upload; returns the dataset and its report."""

    def go(content: bytes, filename: str = "upload.zip", **settings: Any) -> tuple[ImageSet, dict[str, Any]]:
        upload, out = tmp_path / "upload", tmp_path / "out"
        upload.mkdir()
        (upload / filename).write_bytes(content)
        try:
            import_images(DatasetImportImages(**settings), LocalRun(out, {"upload": upload}))
        finally:
            assert not (out / ".decoding").exists()
            (upload / filename).unlink()
            upload.rmdir()
        with Image.open(out / "preview.png") as preview:
            assert preview.width > 100
        return load_images(out / "dataset"), load_report(out / "dataset")

    return go


@pytest.mark.parametrize("name", malicious.CASES)
def test_harmful_uploads_are_refused_with_the_right_code(name: str, run_import: Import) -> None:
    case = malicious.CASES[name]
    with pytest.raises(InputError) as caught:
        run_import(case.make(), case.filename)
    assert caught.value.faults[0].code == case.code
    assert all(str(fault).endswith(".") for fault in caught.value.faults)


def test_class_folders_become_classes(run_import: Import) -> None:
    files = class_folders({"top/狗": 20, "top/cats": 30, "top/class 10": 10, "top/class 9": 10})
    extra = {"__MACOSX/top/cats/._1.png": b"x", "top/cats/.DS_Store": b"x", "top/readme.txt": b"x"}
    images, report = run_import(zipped(files | extra))
    assert images.classes == ("cats", "class 9", "class 10", "狗")
    assert report["class_counts"] == {"cats": 30, "class 9": 10, "class 10": 10, "狗": 20}
    assert images.train.shape == (63, 1, 12, 12)
    assert images.train.dtype == torch.uint8
    assert images.test_labels is not None
    assert images.test_labels.bincount().tolist() == [3, 1, 1, 2]  # a tenth of each class
    assert "1 files are no images" in _said(report)


def test_images_keep_their_pixels(run_import: Import) -> None:
    files = {f"{index}.png": encode(pixels(index, channels=3)) for index in range(20)}
    images, report = run_import(zipped(files))
    assert images.train_labels is None
    assert report["classes"] == []
    stored = {row.numpy().tobytes() for row in torch.cat([images.train, images.test])}
    assert stored == {pixels(index, channels=3).transpose(2, 0, 1).tobytes() for index in range(20)}


def test_the_uploads_own_parts_are_kept(run_import: Import) -> None:
    files = class_folders({"data/train/a": 8, "data/train/b": 8, "data/test/a": 3, "data/test/b": 4, "data/val/a": 2})
    images, report = run_import(zipped(files))
    assert (report["train"], report["test"]) == (18, 7)
    assert images.classes == ("a", "b")


def test_the_same_images_give_the_same_hash_in_any_order(run_import: Import) -> None:
    files = class_folders({"a": 10, "b": 10})
    first, report = run_import(zipped(files))
    second, again = run_import(zipped(dict(reversed(files.items()))))
    assert report["hash"] == again["hash"]
    assert torch.equal(first.test, second.test)
    _, other = run_import(zipped(files | class_folders({"a": 11})))
    assert other["hash"] != report["hash"]


def test_different_sizes_are_cropped_to_the_median(run_import: Import) -> None:
    files = {f"{side}.png": encode(pixels(side, side + 10, side)) for side in range(20, 40)}
    images, report = run_import(zipped(files))
    assert images.shape == (1, 29, 29)
    assert report["source_sizes"]["20x30"] == 1
    images, _ = run_import(zipped(files), image_size=16)
    assert images.shape == (1, 16, 16)


def test_equal_sizes_are_kept_even_when_odd(run_import: Import) -> None:
    files = {f"{index}.png": encode(pixels(index, 31, 17)) for index in range(12)}
    assert run_import(zipped(files))[0].shape == (1, 31, 17)


def test_large_images_are_reduced_to_256(run_import: Import) -> None:
    files = {f"{index}.jpg": encode(pixels(index, 400, 600, 3), "JPEG") for index in range(10)}
    assert run_import(zipped(files))[0].shape == (3, 256, 256)


def test_colour_is_dropped_where_there_is_none(run_import: Import) -> None:
    grey = {f"{i}.png": encode(np.repeat(pixels(i)[:, :, None], 3, axis=2)) for i in range(12)}
    assert run_import(zipped(grey))[0].shape == (1, 12, 12)
    assert run_import(zipped(grey), colour="rgb")[0].shape == (3, 12, 12)
    coloured = grey | {"x.png": encode(pixels(99, channels=3))}
    assert run_import(zipped(coloured))[0].shape == (3, 12, 12)
    assert run_import(zipped(coloured), colour="grey")[0].shape == (1, 12, 12)


def test_every_broken_image_is_told_and_may_be_skipped(run_import: Import) -> None:
    broken = {f"cats/broken {index}.png": encode(pixels(index))[:70] for index in range(150)}
    content = zipped(class_folders({"cats": 20}) | broken)
    with pytest.raises(InputError) as caught:
        run_import(content)
    faults = caught.value.faults
    assert len(faults) == 100
    assert str(faults[0]) == "150 of 170 images cannot be used. The first 99 are listed."
    assert faults[1].where == {"file": "cats/broken 0.png"}
    _, report = run_import(content, skip_broken=True)
    assert report["train"] + report["test"] == 20
    assert "150 images could not be read and were left out." in _said(report)


def test_warnings_name_what_is_odd(run_import: Import) -> None:
    files = class_folders({"a": 30, "tiny": 3})
    files |= {"a/copy.png": files["a/1.png"], "a/blank.png": encode(np.zeros((12, 12), np.uint8))}
    animated = [Image.fromarray(pixels(index)) for index in range(3)]
    files["a/moving.gif"] = encode(animated[0], "GIF", save_all=True, append_images=animated[1:])
    said = _said(run_import(zipped(files))[1])
    assert "1 images are exact copies of others." in said
    assert "1 classes have fewer than 10 images, such as tiny." in said
    assert "1 images are blank: all their pixels are equal." in said
    assert "1 images are animated; the first frame was taken." in said
    assert "There are only 36 images; results will be poor." in said


def test_copies_are_never_split_between_parts(run_import: Import) -> None:
    files = {f"{i}-{copy}.png": encode(pixels(i)) for i in range(10) for copy in range(5)}
    images, report = run_import(zipped(files), test_percent=30)
    train = {row.numpy().tobytes() for row in images.train}
    assert not train & {row.numpy().tobytes() for row in images.test}
    assert (report["test"], report["duplicates"]) == (15, 40)


@pytest.mark.parametrize("order", ["channels last", "channels first"])
def test_npz_floats_are_scaled(order: str, run_import: Import) -> None:
    original = np.stack([pixels(index, channels=3) for index in range(12)])
    arranged = original if order == "channels last" else original.transpose(0, 3, 1, 2)
    for scaled in (arranged / 255, arranged / 127.5 - 1, arranged.astype(float), arranged.astype(np.uint16) * 257):
        images, _ = run_import(npz(x_train=scaled, x_test=scaled), "a.npz")
        assert torch.equal(images.train, torch.from_numpy(original.transpose(0, 3, 1, 2).copy()))


def test_npz_labels_and_class_names(run_import: Import) -> None:
    x = np.stack([pixels(index) for index in range(20)])
    images, _ = run_import(npz(x_train=x, y_train=np.arange(20) % 2 * 7, x_test=x, y_test=np.full(20, 7)), "a.npz")
    assert images.classes == ("0", "7")
    assert images.test_labels is not None
    assert set(images.test_labels.tolist()) == {1}
    one_hot = np.eye(2)[np.arange(20) % 2]
    assert run_import(npz(images=x, labels=one_hot), "a.npz", class_names="cat, dog")[0].classes == ("cat", "dog")
    with pytest.raises(InputError, match="class names"):
        run_import(npz(images=x, labels=np.arange(20)), "a.npz", class_names="cat,dog")


def test_fortran_order_and_plain_npy(run_import: Import) -> None:
    x = np.stack([pixels(index) for index in range(12)])
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(x))
    images, _ = run_import(buffer.getvalue(), "a.npy")
    stored = {row.numpy().tobytes() for row in torch.cat([images.train, images.test])}
    assert stored == {row.tobytes() for row in x}


def test_idx_files(run_import: Import) -> None:
    x, y = np.stack([pixels(index) for index in range(20)]), (np.arange(20) % 3).astype(np.uint8)
    files = {
        "train-images-idx3-ubyte.gz": idx(x, packed=True),
        "train-labels-idx1-ubyte.gz": idx(y, packed=True),
        "t10k-images-idx3-ubyte": idx(x[:7]),
        "t10k-labels-idx1-ubyte": idx(y[:7]),
    }
    images, report = run_import(zipped(files))
    assert (len(images.train), len(images.test)) == (20, 7)
    assert images.classes == ("0", "1", "2")
    assert "7 test images are in the training part, too." in _said(report)
    assert run_import(idx(x, packed=True), "images.gz")[0].train_labels is None


def test_the_starter_is_fashion_mnist(run_import: Import) -> None:
    starter = STARTERS["fashion-mnist"]
    images, report = run_import(starter.path.read_bytes(), starter.filename)
    assert (report["train"], report["test"], report["classes"][0]) == (5000, 1000, "T-shirt")
    assert set(report["class_counts"].values()) == {600}
    assert report["warnings"] == []
    assert images.shape == (1, 28, 28)


def test_names_in_chinese_windows_encoding(run_import: Import) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in class_folders({"AA": 10, "BB": 10}).items():
            archive.writestr(name, content)
    content = buffer.getvalue().replace(b"AA/", "猫".encode("gbk") + b"/").replace(b"BB/", "狗".encode("gbk") + b"/")
    assert set(run_import(content)[0].classes) == {"猫", "狗"}


def _said(report: dict[str, Any]) -> str:
    return " ".join(warning["message"].format(**warning["values"]) for warning in report["warnings"])


GREY, RGB = Target(8, 8, 1), Target(8, 8, 3)


def _decoded(image: Image.Image, kind: str, target: Target, **options: Any) -> Any:
    return decode(encode(image, kind, **options), target)


def test_every_kind_of_pixel_is_understood() -> None:
    assert (_decoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", RGB)[4, 4] - np.array([254, 0, 0]) < 3).all()
    assert (_decoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG", RGB) == 255).all()  # transparent is paper white
    assert (_decoded(Image.new("LA", (8, 8), (0, 255)), "PNG", GREY) == 0).all()
    sixteen = Image.fromarray(np.full((8, 8), 32896, np.uint16))
    assert (_decoded(sixteen, "PNG", GREY) == 128).all()
    palette = Image.new("RGB", (8, 8), (0, 200, 0)).quantize(4)
    assert (_decoded(palette, "PNG", RGB)[0, 0] == [0, 200, 0]).all()
    assert (_decoded(palette, "GIF", RGB)[0, 0] == [0, 200, 0]).all()
    assert (_decoded(Image.new("1", (8, 8), 1), "BMP", GREY) == 255).all()
    assert (_decoded(Image.new("RGB", (8, 8), "white"), "WEBP", RGB) > 250).all()


def test_images_are_turned_upright() -> None:
    image = Image.new("L", (8, 8), 0)
    image.paste(255, (0, 0, 8, 4))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    upright = _decoded(image, "PNG", GREY, exif=exif)[:, :, 0]
    assert (upright[:, 4:] == 255).all()
    assert (upright[:, :4] == 0).all()


def test_natural_order() -> None:
    assert sorted(["10", "9", "a10", "a9", "狗"], key=natural) == ["9", "10", "a9", "a10", "狗"]


def test_cancelling_ends_the_child_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "a.zip").write_bytes(zipped(class_folders({"a": 600})))
    run = LocalRun(tmp_path / "out", {"upload": tmp_path / "upload"}, cancelling=True)
    with pytest.raises(Cancelled):
        import_images(DatasetImportImages(), run)
    assert list(run.out_dir.iterdir()) == []


CHILD = """
import sys
from aigc_models.data.sandbox import confine
confine()
exec(sys.argv[1])
"""


def _confined(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CHILD, code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's")
def test_a_confined_process_cannot_take_the_machine() -> None:
    assert "MemoryError" in _confined(f"bytearray({sandbox.MEMORY})").stderr
    loop = "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 1))\nwhile True: pass"
    assert _confined(loop).returncode < 0


def test_faults_of_the_child_become_sentences() -> None:
    assert isinstance(sandbox._explain(-24, ""), InputError)
    assert "memory" in str(sandbox._explain(1, "MemoryError"))
    assert "signal 11" in str(sandbox._explain(-11, ""))
    assert isinstance(sandbox._explain(1, "Traceback"), RuntimeError)


def test_the_report_is_plain_json(run_import: Import) -> None:
    _, report = run_import(zipped(class_folders({"a": 12})))
    assert json.loads(json.dumps(report)) == report
