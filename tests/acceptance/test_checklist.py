"""No item of the checklist is forgotten."""

from tests.acceptance.checklist import ITEMS, OPEN, PARTIAL, shown_by


def test_every_item_has_a_test() -> None:
    found = shown_by()
    assert set(found) == set(ITEMS) == set(range(1, 41)), "a mark names a number that the checklist does not have"
    assert {number for number, tests in found.items() if not tests} <= OPEN
    assert set(PARTIAL) <= {number for number, tests in found.items() if tests}
