"""Drawings of a table's columns: beside the real ones, and by themselves."""

from pathlib import Path

from PIL import Image

from aigc_models.tables.previews import save_marginals
from tests.aigc_models.loan_tables import loans

GREY, BLUE = (0x9A, 0xA4, 0xB2), (0x1F, 0x6F, 0xEB)


def area(path: Path, colour: tuple[int, int, int]) -> int:
    """How many pixels of a picture have a colour."""
    with Image.open(path) as picture:
        return sum(count for count, found in picture.getcolors(picture.width * picture.height) or () if found == colour)


def test_bars_of_real_rows_stand_beside_those_of_made_ones_only(tmp_path: Path) -> None:
    real, made = loans(60, 1), loans(60, 2)
    both = save_marginals(real, made, tmp_path / "both.png")
    alone = save_marginals(made, made, tmp_path / "alone.png")
    assert area(both, GREY) > 0
    assert area(alone, GREY) == 0
    assert area(alone, BLUE) > 1.5 * area(both, BLUE)  # each bar has the room of two
