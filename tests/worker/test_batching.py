"""How many jobs a call may hold, as calls teach it."""

from jobs.claiming import Claim, FileSet
from worker.batching import BESIDE_SECONDS, CALL_SECONDS, PATIENCE, Sizes, shares
from worker.ensemble import Learned


def claims(count: int, model: str = "mdl_a") -> list[Claim]:
    inputs = {"model": FileSet(model, [])}
    return [Claim(f"job_{n}", "t", 1, f"l{n}", "image_vae", "generate", {"count": 1}, inputs) for n in range(count)]


def after(sizes: Sizes, jobs: int, seconds: float, fitted: int = 0, room: int | None = None) -> int:
    sizes.learn(claims(jobs), Learned(jobs, seconds, fitted or jobs, room))
    return sizes.room(claims(1)[0]).items


def test_nothing_known_lets_all_in_but_few_where_others_wait() -> None:
    room = Sizes(64).room(claims(1)[0])
    assert room.items == 64
    assert 1 < room.beside < 64


def test_one_turns_it_off() -> None:
    assert Sizes(1).room(claims(1)[0]).items == 1


def test_a_long_call_is_followed_by_a_smaller_one_that_grows_again() -> None:
    sizes = Sizes(64)
    assert after(sizes, 64, 2 * CALL_SECONDS) == 32
    assert after(sizes, 32, CALL_SECONDS / 4) == 64


def test_a_full_memory_halves_it_for_a_while() -> None:
    sizes = Sizes(64)
    assert after(sizes, 64, 0.1, fitted=16) == 16
    for _ in range(PATIENCE):
        assert after(sizes, 16, 0.1) == 16
    assert after(sizes, 16, 0.1) == 32


def test_memory_bounds_it() -> None:
    sizes = Sizes(64)
    assert after(sizes, 8, 0.1, room=20) == 20
    assert after(sizes, 8, 0.1, room=0) == 1


def test_where_others_wait_a_call_is_short() -> None:
    sizes = Sizes(64)
    sizes.learn(claims(10), Learned(10, 10 * BESIDE_SECONDS / 5, 10))
    assert sizes.room(claims(1)[0]).beside == 5


def test_only_jobs_on_one_model_share() -> None:
    (head,), (same,), (other,) = claims(1), claims(1), claims(1, "mdl_b")
    assert shares(head, same)
    assert not shares(head, other)
