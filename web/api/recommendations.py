"""What a recommender made: its lists as JSON, and asking a model version for more."""

from collections.abc import Sequence

from flask import Response
from pydantic import Field

from aigc_models.data import recommended
from jobs import errors
from web import context, recommended_files, schemas
from web.api import jobs, models, parsing
from web.api.render import answer, tagged
from web.api.routing import Reply, operation
from web.job_facts import Answer
from web.problems import not_found


class RecommendNew(jobs.Work):
    """Settings of a recommendation; the model version is the one in the address."""


class ItemNamed(Answer):
    """An item and what people call it."""

    item: str
    title: str = Field("", description="Empty where nothing is known.")


class Reason(ItemNamed):
    """An item that somebody had, and its share in a recommendation."""

    weight: float = Field(description="From 0 to 1.")


class RecommendedItem(ItemNamed):
    """A recommended item, with what it is recommended for."""

    score: float
    because: list[Reason]


class RecommendedList(Answer):
    """What is recommended to one user."""

    user: str | None = Field(description="Null for somebody who is described by a history alone.")
    history: list[ItemNamed] = Field(description="What the user had, the oldest first; of long histories the newest.")
    items: list[RecommendedItem] = Field(description="The best first.")
    unknown: list[str] = Field(description="Items of the history that the model does not know.")


class ListQuery(parsing.Page):
    """Which lists."""

    user: parsing.Text | None = Field(None, max_length=200, description="Only the list of this user.")


@operation(
    method="GET",
    path="/jobs/{job_id}/recommendations",
    tag="jobs",
    query=ListQuery,
    headers=("If-None-Match",),
    replies={200: Reply("Lists, in the order they were asked for.", schemas.Listing[RecommendedList])},
    errors=(errors.JobNotFound, errors.NotFound, parsing.InvalidQuery),
)
def list_recommendations(job_id: str, query: ListQuery) -> Response:
    """Read what a job recommends, at most the first 200 lists; 404 where it made none.

    All lists there are stand in the file recommendations.csv of a job in bulk.
    """
    reads = context.repository()
    found = recommended_files.lists(reads.artifacts(reads.job(job_id).id, role="output"))
    if found is None:
        raise not_found("recommendation", job_id)
    lists = [one for one in found.lists if query.user is None or one.user == query.user]
    cursor = query.cursor or ""
    start = int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 6 else 0
    rows = [_list(one) for one in lists[start : start + query.rows]]
    more = start + query.rows < len(lists)
    following = str(start + query.rows) if more else None
    return tagged(answer(schemas.Listing[RecommendedList](data=rows, has_more=more, next_cursor=following)))


@operation(
    method="POST",
    path="/models/{model_id}/recommend",
    tag="models",
    scope="submit",
    query=jobs.ValidateOnly,
    body=RecommendNew,
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
    replies={
        202: Reply("The job is queued.", schemas.Job, headers=jobs.NEW_JOB_HEADERS),
        200: Reply(
            "The job ended while the request waited, or the settings were checked.",
            schemas.JobOrDraft,
            headers=jobs.NEW_JOB_HEADERS,
        ),
    },
    errors=(*jobs.NEW_JOB_ERRORS, models.CannotGenerate),
)
def recommend(model_id: str, query: jobs.ValidateOnly, body: RecommendNew) -> Response:
    """Ask a model version for recommendations: a job, by the same rules as any other."""
    row = context.repository().model(model_id)
    submission = models.with_model(row, jobs.new_submission(f"{row.family}.recommend", body))
    return jobs.draft(submission) if query.validate_only else jobs.create(submission)


def _list(one: recommended.RecommendationList) -> RecommendedList:
    return RecommendedList(
        user=one.user,
        history=_named(one.history),
        items=[
            RecommendedItem(
                item=item.item,
                title=item.title,
                score=item.score,
                because=[Reason(item=own.item, title=own.title, weight=own.weight) for own in item.because],
            )
            for item in one.items
        ],
        unknown=list(one.unknown),
    )


def _named(items: Sequence[recommended.Item]) -> list[ItemNamed]:
    return [ItemNamed(item=one.item, title=one.title) for one in items]


VIEWS = (list_recommendations, recommend)
