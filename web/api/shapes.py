"""From rows to the API's objects: labels, addresses and sentences beside what SQL holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from aigc_models import registry
from aigc_models.base import Params
from jobs import catalogue, energy, pausing, tables, webhooks
from jobs.repository import Label, Point, QueueState, Span
from web import context, failures, job_facts, library_facts, schemas, verdicts
from web.api.render import address, api
from web.problems import told
from web.translate import say


@dataclass(frozen=True)
class Made:
    """What jobs made, looked up for a whole page at once: ids by job id."""

    models: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)


def made_by(jobs: Sequence[tables.Job]) -> Made:
    """Look up what finished jobs made; jobs that cannot have made anything cost no query."""
    done = [job for job in jobs if job.status == "succeeded"]
    models = [job.id for job in done if _makes(job) == "model"]
    datasets = [job.id for job in jobs if _makes(job) == "dataset"]
    reads = context.repository()
    return Made(
        models=reads.models_made_by(models) if models else {},
        datasets=reads.datasets_made_by(datasets) if datasets else {},
    )


def task_of(job: tables.Job) -> str:
    """The task's name."""
    return f"{job.family}.{job.operation}"


def params_class(job: tables.Job) -> type[Params] | None:
    """The params class of a job; None when its family is no longer installed."""
    family = registry.families().get(job.family)
    return family.operations.get(job.operation) if family else None


def _makes(job: tables.Job) -> str:
    found = params_class(job)
    return found.makes if found else "files"


def input_field(params: type[Params], kind: str) -> str | None:
    """Name of the first field that names a dataset or a model version."""
    for name, info in params.model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, Mapping) and extra.get("x-input") == kind:
            return name
    return None


@dataclass(frozen=True)
class Place:
    """Where a job stands in its queue, and when it will start."""

    position: int | None = None
    starts_in: Span | None = None


def place(row: tables.Job, *, forecast: bool = False) -> Place:
    """A job's place. It may cost a look at the whole queue, so lists leave it out; the forecast costs more."""
    reads = context.repository()
    starts = reads.starts_in(row) if forecast else None
    return Place(reads.queue_position(row, alone=not forecast), starts)


def job(
    row: tables.Job, label: Label, made: Made, place: Place = Place(), spent: energy.Energy | None = None
) -> schemas.Job:
    """A job as the API shows it."""
    hook = webhooks.of(row.webhook)
    return schemas.Job(
        id=row.id,
        task=task_of(row),
        family=row.family,
        operation=row.operation,
        name=row.name,
        tags=row.tags or [],
        notes=row.notes,
        state=label.state,
        hint=say(label.hint, label.values) if label.hint else None,
        error=failure(row.failure),
        params=row.params,
        seed=row.params.get("seed"),
        progress=progress(row),
        metrics=row.metrics or {},
        verdict=verdicts.of(row.metrics or {}) if row.status == "succeeded" else "",
        judgements=verdicts.each(row.family, row.metrics or {}) if row.status == "succeeded" else {},
        queue=queue_of(row, place),
        attempt=row.attempt,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        time_limit=row.time_limit_seconds,
        adjustments=row.adjustments,
        energy=None if spent is None else job_facts.Energy(**asdict(spent)),
        worker=row.worker_id,
        dataset=made.datasets.get(row.id) or _dataset_read(row),
        model=made.models.get(row.id),
        retried_from=row.retried_from,
        webhook=schemas.JobWebhook(url=hook.shown, events=list(hook.events)) if hook else None,
        snapshot=snapshot(row.snapshot),
        links=job_links(row.id),
    )


def queue_of(row: tables.Job, place: Place) -> job_facts.Queue:
    """Where a job waits."""
    span = place.starts_in
    starts = job_facts.Span(low=span.low, high=span.high) if span else None
    return job_facts.Queue(name=f"{row.lane}.{row.device_kind}", position=place.position, starts_in_seconds=starts)


def snapshot(stored: Mapping[str, Any]) -> job_facts.Snapshot:
    """What held at the submission; jobs of earlier versions kept none of it."""
    known = {name: stored[name] for name in job_facts.Snapshot.model_fields if name in stored}
    return job_facts.Snapshot.model_validate(known)


def job_links(job_id: str) -> schemas.JobLinks:
    """Where everything of a job is."""
    base = api(f"/jobs/{job_id}")
    parts = (
        *("cancel", "pause", "resume", "retry", "duplicate"),
        *("events", "metrics", "logs", "samples", "artifacts", "deliveries"),
    )
    return schemas.JobLinks(self=base, web=address(f"/jobs/{job_id}"), **{part: f"{base}/{part}" for part in parts})


def progress(row: tables.Job) -> schemas.Progress:
    """How far a job is. No clock in it: the same row always reads the same."""
    percent = round(100 * row.step / row.total, 1) if row.total else None
    return schemas.Progress(
        step=row.step,
        total=row.total,
        percent=percent,
        phase=row.phase,
        eta_seconds=context.repository().eta(row),
        rate=row.rate,
    )


def failure(stored: Mapping[str, Any] | None) -> schemas.JobFailure | None:
    """Why a job failed, in the reader's language."""
    if not stored:
        return None
    code = str(stored.get("code", "internal"))
    title, detail, retryable = failures.describe(stored)
    slug = failures.slug(code)
    return schemas.JobFailure(
        code=slug,
        title=title,
        detail=detail,
        errors=told(failures.faults(stored)),
        help_url=failures.HELP + slug,
        retryable=retryable,
        suggestion=stored.get("suggestion"),
    )


def _dataset_read(row: tables.Job) -> str | None:
    found = params_class(row)
    name = input_field(found, "dataset") if found else None
    value = row.params.get(name) if name else None
    return value if isinstance(value, str) else None


def event(row: tables.JobEvent) -> schemas.Event:
    """An event of a job."""
    return schemas.Event.model_validate({"seq": row.seq, "kind": row.kind, "at": row.at, "data": row.data})


def point(row: Point) -> schemas.Point:
    """The figures at one step; what is not a finite number is null, as JSON knows no other."""
    return schemas.Point(step=row.step, values={name: _finite(value) for name, value in row.values.items()})


def _finite(value: Any) -> float | None:
    return value if isinstance(value, int | float) and isfinite(value) else None


def log_line(row: tables.JobEvent) -> schemas.LogLine:
    """One line of a log."""
    data = row.data
    return schemas.LogLine(
        seq=row.seq, at=row.at, level=str(data.get("level", "info")), message=str(data.get("message", ""))
    )


def artifact(row: tables.Artifact) -> schemas.Artifact:
    """A stored file."""
    base = api(f"/artifacts/{row.id}")
    return schemas.Artifact.model_validate(
        {
            "id": row.id,
            "job": row.job_id,
            "role": row.role,
            "name": row.name,
            "step": row.step,
            "size": row.size,
            "sha256": row.sha256,
            "media_type": row.media_type,
            "created_at": row.created_at,
            "links": {"self": base, "content": f"{base}/content"},
        }
    )


def report(row: tables.Dataset) -> dict[str, Any]:
    """What the check found; each warning with its sentence in the reader's language as ``detail``."""
    found = dict(row.report or {})
    if found.get("warnings"):
        found["warnings"] = [{**one, "detail": say(str(one["message"]), one["values"])} for one in found["warnings"]]
    return found


def dataset(row: tables.Dataset, state: str, check: tables.Job | None) -> schemas.Dataset:
    """A dataset, with the fault of its check if it was refused."""
    base = api(f"/datasets/{row.id}")
    links = {
        "self": base,
        "web": address(f"/datasets/{row.id}"),
        "preview": f"{base}/preview",
        "report": f"{base}/report",
        "used_by": f"{base}/used-by",
        "job": api(f"/jobs/{row.job_id}"),
    }
    source = {
        "filename": row.source_name,
        "size": row.source_size,
        "sha256": row.source_sha256,
        "deleted_at": row.source_dropped_at,
    }
    return schemas.Dataset.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "version": row.number,
            "kind": row.kind,
            "state": state,
            "report": report(row),
            "source": source,
            "licence": row.licence,
            "notes": row.notes,
            "job": row.job_id,
            "error": failure(check.failure) if check is not None and state == "refused" else None,
            "created_at": row.created_at,
            "links": links,
        }
    )


def model(row: tables.ModelVersion, files: Sequence[tables.Artifact], aliases: Sequence[str]) -> schemas.Model:
    """A model version with its files and the aliases that stand for it."""
    base = api(f"/models/{row.id}")
    return schemas.Model(
        id=row.id,
        name=row.name,
        version=row.number,
        family=row.family,
        metrics=row.metrics,
        judgements=verdicts.each(row.family, row.metrics or {}),
        aliases=list(aliases),
        card=library_facts.Card.model_validate(row.card),
        job=row.job_id,
        dataset=row.dataset_id,
        size=sum(file.size for file in files),
        files=[
            library_facts.ModelFile(
                name=file.name.removeprefix("model/"),
                size=file.size,
                sha256=file.sha256,
                content=api(f"/artifacts/{file.id}/content"),
            )
            for file in files
        ],
        created_at=row.created_at,
        links=library_facts.ModelLinks(
            self=base,
            web=address(f"/models/{row.id}"),
            generate=f"{base}/generate",
            card=f"{base}/card",
            archive=f"{base}/archive",
            used_by=f"{base}/used-by",
            job=api(f"/jobs/{row.job_id}"),
        ),
    )


def users(found: catalogue.Users) -> library_facts.Users:
    """What stands on a dataset or model version."""
    return library_facts.Users(
        count=found.count,
        jobs=[library_facts.UsedBy(id=job.id, name=job.name) for job in found.jobs],
        models=[library_facts.UsedBy(id=one.id, name=f"{one.name} v{one.number}") for one in found.models],
        aliases=list(found.aliases),
    )


def worker(row: tables.WorkerNode, job: str | None, paused: pausing.Held | None) -> schemas.Worker:
    """A live slot or scheduler, with the caller's job it runs and what keeps it from taking others."""
    return schemas.Worker(
        id=row.id,
        role=row.role,
        host=row.host,
        pid=row.pid,
        lane=row.lane,
        device=row.device,
        device_kind=row.device_kind,
        code_version=row.code_version,
        draining=row.draining,
        paused=paused,
        free_disk=row.free_disk,
        memory_total=row.memory_total,
        memory_free=row.memory_free,
        device_name=row.device_name,
        place=row.device_place,
        utilisation=row.utilisation,
        temperature=row.temperature,
        watts=row.watts,
        unfit=row.unfit,
        job=job,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
    )


def queue(row: QueueState) -> schemas.QueueLength:
    """A lane's queue on one kind of device."""
    return schemas.QueueLength(
        name=row.name,
        lane=row.lane,
        device_kind=row.device_kind,
        queued=row.queued,
        running=row.running,
        workers=row.workers,
        paused=row.paused,
    )


def pause(row: tables.LanePause) -> library_facts.Pause:
    """Something that takes no new jobs."""
    return library_facts.Pause(
        id=row.id,
        queue=f"{row.lane}.{row.device_kind}",
        host=row.host or None,
        device=row.device_name or None,
        paused_at=row.paused_at,
        paused_by=row.paused_by,
    )
