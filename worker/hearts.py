"""The hearts of several attempts in one thread: their leases are renewed in one transaction, and read in one look."""

import logging
import threading
from collections.abc import Callable, Sequence

from jobs.beats import NOTHING, Beat
from jobs.engine import Engine
from jobs.lifecycle import Lease, Signals
from jobs.together import beat_together, signals_together
from worker.heart import DATABASE_AWAY, LOOK_SECONDS, Heart

log = logging.getLogger(__name__)


class Hearts:
    """Keeps several leases alive, each as :class:`worker.heart.Heart` keeps one.

    Args:
        engine: Where the jobs are.
        seconds: Longest time between two beats of a heart.
        hearts: With their leases. One that is stopped is left alone.
    """

    def __init__(self, engine: Engine, seconds: float, hearts: Sequence[tuple[Lease, Heart]]) -> None:
        self._engine, self._hearts = engine, hearts
        self._pause = min(seconds, LOOK_SECONDS)
        self._stop = threading.Event()
        # Held while hearts beat: what ends an attempt must not cross a beat of it.
        self.beating = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="hearts", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Beat no more; a beat under way is waited for."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            with self.beating:
                alive = [(lease, heart) for lease, heart in self._hearts if not heart.stopped]
                self._beat([pair for pair in alive if pair[1].due])
                self._look([pair for pair in alive if not pair[1].stopped and not pair[1].due])

    def _beat(self, hearts: Sequence[tuple[Lease, Heart]]) -> None:
        told = [(lease, heart.cut() or NOTHING) for lease, heart in hearts]
        self._carry(hearts, [beat for _, beat in told], lambda: beat_together(self._engine, told))

    def _look(self, hearts: Sequence[tuple[Lease, Heart]]) -> None:
        leases = [lease for lease, _ in hearts]
        self._carry(hearts, [None] * len(hearts), lambda: signals_together(self._engine, leases))

    def _carry(
        self,
        hearts: Sequence[tuple[Lease, Heart]],
        beats: Sequence[Beat | None],
        call: Callable[[], Sequence[Signals | None]],
    ) -> None:
        """Make a call for several hearts, and tell each what came of it."""
        if not hearts:
            return
        try:
            found = call()
        except DATABASE_AWAY as error:
            for (_, heart), beat in zip(hearts, beats, strict=True):
                heart.not_beaten(error, beat)
        except Exception:
            log.exception("A heartbeat failed in a way nobody foresaw; its attempts end")
            for _, heart in hearts:
                heart.give_up()
        else:
            for (_, heart), beat, signals in zip(hearts, beats, found, strict=True):
                heart.beaten(signals, beat)
