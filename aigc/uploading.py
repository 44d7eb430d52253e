"""How far an upload is: a bar in a terminal and a notebook, plain lines elsewhere, or told to a function."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from aigc.sending import Tell
from aigc.speech import say

LINE_SECONDS = 10.0


@contextmanager
def telling(progress: bool | Tell, name: str, console: Any = None) -> Iterator[Tell | None]:
    """What to tell of an upload: nothing, a bar's, or the function given."""
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield None
    elif find_spec("rich") is None:
        yield Lines(name, lambda text: print(text, file=sys.stderr, flush=True)).tell
    else:
        with _bar(name, console) as tell:
            yield tell


@dataclass
class Lines:
    """A line every ten seconds, and none for what has arrived before the first is due."""

    name: str
    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _last: float | None = field(default=None, repr=False)

    def tell(self, arrived: int, whole: int) -> None:
        """Write a line if it is due."""
        now = self.clock()
        self._last = now if self._last is None else self._last
        if now - self._last >= LINE_SECONDS:
            self._last = now
            percent = f"{100 * arrived / max(1, whole):.0f}"
            self.write(
                say("Uploading {name}: {percent} % of {size}", name=self.name, percent=percent, size=size(whole))
            )


def size(count: int) -> str:
    """Bytes in words."""
    amount, unit = float(count), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"


@contextmanager
def _bar(name: str, console: Any) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console or Console(stderr=True), transient=True, auto_refresh=False) as bars:
        bar = bars.add_task(name, total=None)

        def tell(arrived: int, whole: int) -> None:
            bars.update(bar, completed=arrived, total=whole, refresh=True)  # so no thread has to draw

        yield tell
