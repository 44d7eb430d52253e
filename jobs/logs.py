"""Lines of the log: text for people, or one JSON object each that says which request, job and attempt it is about."""

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jobs.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_SUBJECT: ContextVar[Mapping[str, Any]] = ContextVar("subject", default={})  # noqa: B039 - never changed, only replaced


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Within this block lines are about that, too."""
    token = _SUBJECT.set({**_SUBJECT.get(), **facts})
    try:
        yield
    finally:
        _SUBJECT.reset(token)


def begin(**facts: Any) -> None:
    """From here on lines of this thread are about that and nothing else."""
    _SUBJECT.set(facts)


def set_up(settings: Settings, *, text: bool = True) -> None:
    """Write to standard error as the operator chose.

    Args:
        settings: What the operator set.
        text: Whether lines of text are wanted; if not, only JSON is set up, and logging stays as it was otherwise.
    """
    if settings.log_format == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter())
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
    elif text:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=TEXT)


def formatter() -> logging.Formatter:
    """Makes a JSON object of a record: time, level, logger, event, subject, and the trace of an exception."""
    import structlog

    first: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _add_subject,
    ]
    last: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(),
    ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=last)


def _add_subject(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.update(_SUBJECT.get())
    return event
