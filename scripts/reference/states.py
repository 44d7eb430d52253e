"""Every state of a job: its word, its meaning, and what may follow."""

from typing import get_args

from jobs import states as labels
from jobs.moves import LEGAL
from jobs.tables import FINAL, STATUSES, JobStatus
from scripts.reference.words import Words, code, table
from web.pages import help_pages
from web.pages.states import HINTS, LOOKS

ABOUT = (
    "The field `state` of the API, and what pages call it. Seven are statuses, kept in the database; the others are "
    "derived from a status, requests and the database's clock. This page is written by `scripts/write_reference.py`."
)
DERIVED = {
    "waiting_for_worker": ("queued", labels.NO_WORKER),
    "waiting_retry": ("queued", labels.RETRY),
    "broker_down": ("queued", labels.BROKER_DOWN),
    "stalled": ("running", labels.STALLED),
    "cancelling": ("running", labels.STOPPING),
    "pausing": ("running", labels.PAUSING),
    "expired": ("failed", dict(help_pages.STATES)["expired"]),
}
ASIDE = (labels.DISK_FULL, labels.IN_PARTS, labels.LOWER_RATE, labels.QUOTA)


def page(t: Words) -> str:
    """Statuses with their moves, then what is derived."""
    assert set(STATUSES) == set(get_args(JobStatus))
    assert set(LOOKS) == {*STATUSES, *DERIVED}, "a state is not explained"
    meanings = {**HINTS, **dict(help_pages.STATES)}
    rows = [(code(status), t(LOOKS[status].word), t(meanings[status]), t.listed(_after(status))) for status in STATUSES]
    derived = [
        (code(state), t(LOOKS[state].word), code(status), t(sentence)) for state, (status, sentence) in DERIVED.items()
    ]
    head = (t("state"), t("shown as"), t("meaning"), t("may become"))
    return (
        f"# {t('Job states')}\n\n{t(ABOUT)}\n\n## {t('Statuses')}\n\n"
        + table(head, rows)
        + t("The final ones are `succeeded`, `failed` and `cancelled`: nothing follows them.")
        + f"\n\n## {t('Derived states')}\n\n"
        + table((t("state"), t("shown as"), t("status"), t("meaning")), derived)
        + f"## {t('Hints')}\n\n"
        + t("The field `hint` says in a sentence what a job waits for. Beside those above there are:")
        + "\n\n"
        + "".join(f"- {t(sentence)}\n" for sentence in ASIDE)
    )


def _after(status: JobStatus) -> list[JobStatus]:
    assert status not in FINAL or all(source != status for source, _ in LEGAL)
    return [other for other in STATUSES if (status, other) in LEGAL and other != status]
