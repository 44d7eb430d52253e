"""Every code of an error, with its status, its meaning and what helps."""

from collections.abc import Iterator

import web.app  # noqa: F401 - declares every error there is
from jobs.errors import AigcError
from jobs.tables import FAILURE_CODES
from scripts.reference.words import Words, code, table
from web.failures import REASONS, slug
from web.pages.problem_texts import GROUPS

ABOUT = (
    "Every error has a code that never changes and a page under `/docs/problems/<code>`, which this page repeats. The "
    "API answers with `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`, "
    "`request_id`, and `errors` with a JSON pointer for each fault. This page is written by "
    "`scripts/write_reference.py`."
)
FAILURES = (
    "How an attempt may end, in `error.code` of a job with hyphens in place of underscores. What follows from each is "
    "told under Failures and retries."
)


def page(t: Words) -> str:
    """Groups of codes, then the codes of failed jobs."""
    statuses = _statuses()
    parts = [f"# {t('Error codes')}\n\n{t(ABOUT)}\n\n"]
    for name, topics in GROUPS:
        rows = [
            (
                code(one),
                ", ".join(str(status) for status in sorted(statuses.get(one, ()))),
                t(topic.title),
                t.text(topic.meaning, *topic.remedies),
            )
            for one, topic in topics.items()
        ]
        head = (t("code"), t("HTTP status"), t("title"), t("meaning, and what helps"))
        parts.append(f"## {t(name)}\n\n" + table(head, rows))
    assert set(FAILURE_CODES) == set(REASONS), "a failure is not explained"
    rows = [
        (
            code(slug(one)),
            t(REASONS[one].title),
            t("yes") if REASONS[one].retryable else t("no"),
            t(REASONS[one].detail),
        )
        for one in FAILURE_CODES
    ]
    head = (t("code"), t("title"), t("the same settings may work later"), t("what a user reads"))
    parts.append(f"## {t('Failed jobs')}\n\n{t(FAILURES)}\n\n" + table(head, rows))
    return "".join(parts)


def _statuses() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for kind in _kinds(AigcError):
        found.setdefault(kind.code, set()).add(kind.status)
    return found


def _kinds(kind: type[AigcError]) -> Iterator[type[AigcError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
