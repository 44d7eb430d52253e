"""What a person should know about images before anything learns from them: copies, blank ones, small classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW_IMAGES, _FEW_OF_CLASS = 100, 10
_UNBALANCED = 10  # times as many images of the largest class as of the smallest
# Standard deviation of the brightness, of 255, below which nobody would see anything on a picture.
NEAR_BLANK = 3.0
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        total: How many images there are.
        blank: Places of images all of whose pixels are equal.
        near_blank: Places of images on which hardly anything can be seen.
        copies: Places of images that are exact copies of an earlier one.
        leaked: How many test images are in the training part, too.
    """

    total: int
    blank: Sequence[int]
    near_blank: Sequence[int]
    copies: Sequence[int]
    leaked: int

    @property
    def duplicates(self) -> int:
        """How many images are copies of another one."""
        return len(self.copies)

    def examples(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Names of the first files of each finding, where images come as files."""
        places = {"duplicates": self.copies, "blank": self.blank, "near_blank": self.near_blank}
        return {kind: [names[place] for place in found[:_EXAMPLES]] for kind, found in places.items() if names}

    def warnings(self, class_counts: Mapping[str, int]) -> list[dict[str, Any]]:
        """Sentences with gaps, each with what fills them."""
        tiny = [name for name, count in class_counts.items() if count < _FEW_OF_CLASS]
        found: list[tuple[bool, str, dict[str, Any]]] = [
            (self.total < _FEW_IMAGES, "There are only {count} images; results will be poor.", {"count": self.total}),
            (
                bool(tiny),
                "{count} classes have fewer than {least} images, such as {name}.",
                {"count": len(tiny), "least": _FEW_OF_CLASS, "name": tiny[0] if tiny else ""},
            ),
            (len(class_counts) == 1, "All images are of one class.", {}),
            _balance(class_counts),
            (
                bool(self.blank),
                "{count} images are blank: all their pixels are equal.",
                {"count": len(self.blank)},
            ),
            (
                bool(self.near_blank),
                "{count} images are nearly blank: hardly anything can be seen on them.",
                {"count": len(self.near_blank)},
            ),
            (bool(self.copies), "{count} images are exact copies of others.", {"count": len(self.copies)}),
            (self.leaked > 0, "{count} test images are in the training part, too.", {"count": self.leaked}),
        ]
        return [{"message": message, "values": values} for applies, message, values in found if applies]


def check(pixels: NDArray[np.uint8], digests: Sequence[bytes], is_test: NDArray[np.bool_]) -> Checked:
    """Look at every image once.

    Args:
        pixels: (N, H, W, C), as stored.
        digests: A hash of each image's pixels.
        is_test: Which of them are for testing.
    """
    tested = is_test.tolist()
    train = {digest for digest, test in zip(digests, tested, strict=True) if not test}
    spread = [_spread(row) for row in pixels]
    return Checked(
        total=len(digests),
        blank=[place for place, deviation in enumerate(spread) if deviation == 0],
        near_blank=[place for place, deviation in enumerate(spread) if 0 < deviation < NEAR_BLANK],
        copies=_copies(digests),
        leaked=sum(test and digest in train for digest, test in zip(digests, tested, strict=True)),
    )


def _spread(image: NDArray[np.uint8]) -> float:
    """The standard deviation of all values; 0 only where all are equal."""
    return 0.0 if int(image.min()) == int(image.max()) else float(image.std())


def _copies(digests: Sequence[bytes]) -> list[int]:
    seen: Counter[bytes] = Counter()
    places = []
    for place, digest in enumerate(digests):
        if seen[digest]:
            places.append(place)
        seen[digest] += 1
    return places


def _balance(class_counts: Mapping[str, int]) -> tuple[bool, str, dict[str, Any]]:
    sentence = "The classes are out of balance: {most} images of {largest}, but {least} of {smallest}."
    if not class_counts:
        return False, sentence, {}
    largest, smallest = max(class_counts, key=class_counts.__getitem__), min(class_counts, key=class_counts.__getitem__)
    most, least = class_counts[largest], class_counts[smallest]
    values = {"most": most, "largest": largest, "least": least, "smallest": smallest}
    return most > _UNBALANCED * least, sentence, values
