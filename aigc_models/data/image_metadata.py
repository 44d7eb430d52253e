"""What image files say beside their pixels: where, when, by whom and with what they were taken.

None of it gets into a dataset, which is made of decoded pixels only. It is counted, so that a
person knows what the uploaded file gives away.
"""

from collections.abc import Iterable, Mapping

from PIL import ExifTags, Image

from aigc_models.data.image_kinds import ANY, GPS, PERSON, SERIAL, TAKEN

_PERSON = (
    ExifTags.Base.Artist, ExifTags.Base.Copyright, ExifTags.Base.XPAuthor, ExifTags.Base.CameraOwnerName,
)  # fmt: skip
_SERIAL = (ExifTags.Base.BodySerialNumber, ExifTags.Base.LensSerialNumber)
_TAKEN = (ExifTags.Base.DateTime, ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized)
# What Pillow keeps in ``info`` of things that only say how to decode: they tell nothing of anybody.
_TECHNICAL = frozenset(
    {
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "gamma", "transparency", "version", "background",
        "extension", "progressive", "progression", "adobe", "adobe_transform", "icc_profile", "duration", "loop",
        "timestamp", "compression", "interlace", "srgb", "chromaticity", "aspect", "default_image", "bbox", "mp",
        "mpoffset", "photoshop",
    }
)  # fmt: skip


def look(image: Image.Image) -> set[str]:
    """Which kinds of metadata (:mod:`aigc_models.data.image_kinds`) an image carries; damaged ones count as there."""
    found = {name.lower() for name in map(str, image.info)} - _TECHNICAL
    try:
        exif = image.getexif()
        tags: dict[int, object] = {tag: value for tag, value in exif.items() if tag != ExifTags.Base.Orientation}
        tags |= exif.get_ifd(ExifTags.IFD.Exif)
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # noqa: BLE001 - the pixels may be sound all the same
        return {ANY}
    kinds = {GPS} if place else set[str]()
    kinds |= {kind for kind, wanted in ((PERSON, _PERSON), (SERIAL, _SERIAL), (TAKEN, _TAKEN)) if _says(tags, wanted)}
    if found & {"author", "copyright", "artist"}:
        kinds.add(PERSON)
    return kinds | {ANY} if kinds or tags or found - {"exif"} else kinds


def _says(tags: Mapping[int, object], wanted: Iterable[int]) -> bool:
    return any(str(tags.get(tag) or "").strip("\0 ") for tag in wanted)
