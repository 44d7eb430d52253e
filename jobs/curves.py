"""Figures by step: written once per step, however often an attempt repeats it, and thinned for reading."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import JSON, cast, delete, func, select
from sqlalchemy.orm import Session

from jobs.db import Database
from jobs.tables import Metric

Values = dict[str, float | None]


class Point(NamedTuple):
    """The figures reported at one step."""

    step: int
    values: Values


def clean(values: Mapping[str, float]) -> Values:
    """Figures as JSON can hold them: NaN and infinity become gaps."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def merge(points: Iterable[tuple[int, Mapping[str, float]]]) -> dict[int, Values]:
    """Put figures of the same step together."""
    merged: dict[int, Values] = {}
    for step, values in points:
        merged.setdefault(step, {}).update(clean(values))
    return merged


def write(db: Database, session: Session, job_id: str, points: Mapping[int, Values]) -> None:
    """Add figures; those of a step that is there already are joined with it, the new ones winning."""
    if not points:
        return
    adding = db.insert(Metric)
    old, new = Metric.__table__.c["values"], adding.excluded["values"]
    joined = func.json_patch(old, new) if db.is_sqlite else _joined_on_postgres(old, new)
    session.execute(
        adding.on_conflict_do_update(index_elements=["job_id", "step"], set_={"values": joined}),
        [{"job_id": job_id, "step": step, "values": values} for step, values in points.items()],
    )


def _joined_on_postgres(old: Any, new: Any) -> Any:
    from sqlalchemy.dialects.postgresql import JSONB

    return cast(cast(old, JSONB).op("||")(cast(new, JSONB)), JSON)


def forget_after(session: Session, job_id: str, step: int) -> None:
    """Drop what a lost attempt reported beyond its checkpoint; the next attempt reports it again."""
    session.execute(delete(Metric).where(Metric.job_id == job_id, Metric.step > step))


def read(session: Session, job_id: str, after: int, names: Sequence[str] | None) -> list[Point]:
    """The figures after a step, in order."""
    rows = select(Metric.step, Metric.values).where(Metric.job_id == job_id, Metric.step > after)
    found = [Point(step, values) for step, values in session.execute(rows.order_by(Metric.step))]
    if names is None:
        return found
    wanted = set(names)
    kept = (Point(step, {name: values[name] for name in values if name in wanted}) for step, values in found)
    return [point for point in kept if point.values]


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """Keep at most ``most`` points: of each stretch the steps where a figure is lowest and highest, and both ends.

    The stretches hold equally many points. Where there is no room for the extremes of every figure, as many of
    those steps as there is room for are kept, evenly spread.
    """
    if len(points) <= most:
        return list(points)
    names = {name for point in points for name in point.values}
    stretches = max(1, (most - 2) // max(2, 2 * len(names)))
    kept = {0, len(points) - 1}
    for stretch in range(stretches):
        start, end = len(points) * stretch // stretches, len(points) * (stretch + 1) // stretches
        for name in names:
            kept.update(_extremes(points, name, range(start, end)))
    places = sorted(kept)
    if len(places) > most:
        places = [places[number * (len(places) - 1) // (most - 1)] for number in range(most)]
    return [points[place] for place in places]


def _extremes(points: Sequence[Point], name: str, places: range) -> list[int]:
    known = [place for place in places if points[place].values.get(name) is not None]
    if not known:
        return []

    def value(place: int) -> float:
        return points[place].values[name] or 0.0

    return [min(known, key=value), max(known, key=value)]
