"""Several jobs carried out by one call of their model, each with settings, seed, run and end of its own.

A family splits such an operation into three: what is looked at for each job by itself, what all of them are computed
by, and what is written for each by itself. A lone job takes the same way, so it cannot tell the difference.
"""

import gc
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aigc_models.base import Metrics, Params, Run

P = TypeVar("P", bound=Params)
A = TypeVar("A")
R = TypeVar("R")

Outcome = Metrics | Exception
# A job's place among the requests, and what came of it.
Ended = tuple[int, Outcome]


@dataclass(frozen=True, slots=True)
class Request(Generic[P]):
    """One job among several: its settings, and the run it reports to."""

    params: P
    run: Run


@dataclass(frozen=True, slots=True)
class Shared(Generic[P, A, R]):
    """An operation that several jobs can share.

    Attributes:
        prepare: Checks one job and says what is to be computed for it; raises what is wrong with it.
        compute: Computes for all. Gives each place with its result, or with what ended that one alone, in any order
            and as soon as it is known. An error it raises may be any one's fault: those that are left are computed in
            halves, down to the one.
        finish: Writes one job's results and gives its metrics.
    """

    prepare: Callable[[P, Run], A]
    compute: Callable[[Sequence[A]], Iterator[tuple[int, R | Exception]]]
    finish: Callable[[P, Run, A, R], Metrics]

    def alone(self, params: P, run: Run) -> Metrics:
        """One job by itself.

        Raises:
            Exception: Whatever ended it.
        """
        ((_, outcome),) = self.many([Request(params, run)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def many(self, requests: Sequence[Request[P]]) -> Generator[Ended, None, int]:
        """Several jobs; gives the end of each, in any order.

        Returns:
            How many fitted into one call: fewer than there were where the device had no room for all.
        """
        asked: dict[int, A] = {}
        for place, request in enumerate(requests):
            try:
                asked[place] = self.prepare(request.params, request.run)
            except BrokenPipeError:  # nobody listens any more
                raise
            except Exception as error:  # noqa: BLE001 - it ends this job, whatever it is
                yield place, error
        made = self._computed(asked)
        while True:
            try:
                place, result = next(made)
            except StopIteration as end:
                fitted: int = end.value
                return fitted
            yield place, self._finished(requests[place], asked.pop(place), result)

    def _finished(self, request: Request[P], asked: A, result: R | Exception) -> Outcome:
        if isinstance(result, Exception):
            return result
        try:
            return self.finish(request.params, request.run, asked, result)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return error

    def _computed(self, asked: dict[int, A], again: bool = True) -> Generator[tuple[int, R | Exception], None, int]:
        left = dict(asked)
        if not left:
            return 0
        places = list(left)
        try:
            for number, result in self.compute(list(left.values())):
                del left[places[number]]
                yield places[number], result
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - whose fault it is, the halves will tell
            full = _is_full(error)
            failed = error.with_traceback(None) if full else error
        else:
            return len(places)
        rest = list(left)
        if full:
            _make_room()
        if len(rest) == 1 and not (full and again):
            yield rest[0], failed
            return 1
        half = -(-len(rest) // 2)
        parts = [rest[:half], rest[half:]] if len(rest) > 1 else [rest]
        fitted = 0
        for part in parts:
            fitted = max(fitted, (yield from self._computed({place: left[place] for place in part}, len(rest) > 1)))
        return fitted if full else len(places)


def one_by_one(operation: Callable[[P, Run], Metrics]) -> "Shared[P, tuple[P, Run], Metrics]":
    """An operation whose jobs are computed one after the other: they share the model and the way to it.

    For what takes hardly longer to compute than to write; each is computed just as it is alone.
    """

    def compute(asked: Sequence[tuple[P, Run]]) -> Iterator[tuple[int, Metrics | Exception]]:
        for place, (params, run) in enumerate(asked):
            try:
                outcome: Metrics | Exception = operation(params, run)
            except BrokenPipeError:
                raise
            except Exception as error:  # noqa: BLE001 - it ends this job, whatever it is
                outcome = error
            yield place, outcome

    return Shared(lambda params, run: (params, run), compute, lambda _params, _run, _asked, metrics: metrics)


def _is_full(error: Exception) -> bool:
    """Whether a device had no room; without torch, none was asked for any."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _make_room() -> None:
    """Give back what is cached; the frames that an error held, and their tensors, are gone by now."""
    gc.collect()
    torch = sys.modules["torch"]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
