"""``/metrics``: figures in Prometheus' text format, read from SQL when asked, so that one place answers for all."""

import os
from collections.abc import Callable, Iterable, Mapping

from jobs import tallies, workers
from jobs.engine import Engine
from jobs.tables import STATUSES, WorkerNode
from jobs.tallies import Figures

Labels = tuple[tuple[str, str], ...]
Samples = Iterable[tuple[Labels, float]]

COUNTERS = {
    "jobs_ended": "Jobs that have ended, by how.",
    "job_failures": "Jobs that have failed, by the code of the failure.",
    "claims": "Attempts that workers have begun.",
    "worker_losses": "Attempts that ended because their worker was lost.",
    "job_retries": "Attempts that ended by a fault of the program.",
    "energy_joules": "Energy that the attempts of ended jobs took, measured or estimated.",
    "energy_kept_joules": "What of it went into work that was kept.",
}
HISTOGRAMS = {
    tallies.SECONDS: "Time from the start to the end of jobs that succeeded.",
    tallies.WAIT: "Time that jobs waited until their first attempt began.",
}
DEVICE: tuple[tuple[str, str, Callable[[WorkerNode], float | None]], ...] = (
    ("memory_bytes", "Memory of a device that slots compute on.", lambda node: node.memory_total),
    ("memory_free_bytes", "What of it is free.", lambda node: node.memory_free),
    ("utilisation_percent", "How busy it is.", lambda node: node.utilisation),
    ("temperature_celsius", "How hot it is.", lambda node: node.temperature),
    ("watts", "Power that it draws.", lambda node: node.watts),
    ("unfit", "1 where it takes no jobs, as something is wrong with it.", lambda node: node.unfit is not None),
)


def lines(engine: Engine) -> Iterable[str]:
    """Every metric with what it means."""
    options = {} if engine.db.is_sqlite else {"isolation_level": "REPEATABLE READ"}  # counters never go back
    with engine.db.read() as session:
        session.connection(execution_options=options)
        now = engine.db.now(session)
        figures, live = tallies.read(session, now), workers.live(session, now)
    yield from _open(figures)
    yield from _grown(figures)
    yield from _machines(live)
    yield from _gauge("aigc_stored_files", "Files in the store, counted every few minutes.", [((), figures.stored[0])])
    yield from _gauge("aigc_stored_bytes", "Bytes in the store, counted then, too.", [((), figures.stored[1])])
    yield from _gauge("aigc_web_resident_bytes", "Memory of this process.", [((), _resident_bytes())])


def _open(figures: Figures) -> Iterable[str]:
    unfinished = [status for status in STATUSES if status in ("blocked", "queued", "running", "paused")]
    counted = dict.fromkeys(unfinished, 0)
    for row in figures.open:
        counted[row.status] += row.count  # type: ignore[index]  # the query asks for these
    statuses = [((("status", status),), count) for status, count in counted.items()]
    yield from _gauge("aigc_jobs", "Jobs that have not ended, by status.", statuses)
    waiting = [(_where(row.lane, row.device), row) for row in figures.open if row.status == "queued"]
    yield from _gauge("aigc_queue_length", "Jobs that wait.", [(where, row.count) for where, row in waiting])
    ages = [(where, (figures.now - row.oldest).total_seconds()) for where, row in waiting]
    yield from _gauge("aigc_queue_oldest_seconds", "Age of the job that waits longest.", ages)


def _grown(figures: Figures) -> Iterable[str]:
    by_name: dict[str, list[tuple[Labels, float]]] = {}
    for (name, labels), value in figures.sums.items():
        by_name.setdefault(name, []).append((labels, value))
    for name, said in COUNTERS.items():
        yield from _metric("counter", f"aigc_{name}_total", said, sorted(by_name.get(name, ())))
    for name, said in HISTOGRAMS.items():
        yield f"# HELP aigc_{name} {said}\n# TYPE aigc_{name} histogram\n"
        for part in ("bucket", "sum", "count"):
            for labels, value in sorted(by_name.get(f"{name}_{part}", ()), key=_bound):
                yield _line(f"aigc_{name}_{part}", labels, value)


def _bound(sample: tuple[Labels, float]) -> tuple[Labels, float]:
    """Where a line of a histogram stands: buckets in the order of their bounds."""
    labels, _ = sample
    return tuple(label for label in labels if label[0] != "le"), float(dict(labels).get("le", 0))


def _machines(live: Iterable[WorkerNode]) -> Iterable[str]:
    nodes = list(live)
    alive = [((("role", node.role), ("lane", node.lane or ""), ("host", node.host)), 1) for node in nodes]
    yield from _gauge("aigc_worker_up", "Live workers and schedulers.", _summed(alive))
    devices = {_device(node): node for node in nodes if node.device_name}  # slots of several lanes tell the same
    for name, said, read in DEVICE:
        values = ((labels, read(node)) for labels, node in devices.items())
        known = [(labels, value) for labels, value in values if value is not None]
        yield from _gauge(f"aigc_device_{name}", said, known)


def _device(node: WorkerNode) -> Labels:
    return (("host", node.host), ("device", node.device_name or ""), ("kind", node.device_kind or ""))


def _where(lane: str, device: str) -> Labels:
    return (("lane", lane), ("device", device))


def _summed(samples: Samples) -> Samples:
    """Equal labels once, with their sum: two slots of a lane on one host are one line."""
    sums: dict[Labels, float] = {}
    for labels, value in samples:
        sums[labels] = sums.get(labels, 0) + value
    return sums.items()


def _gauge(name: str, said: str, samples: Samples) -> Iterable[str]:
    return _metric("gauge", name, said, samples)


def _metric(kind: str, name: str, said: str, samples: Samples) -> Iterable[str]:
    yield f"# HELP {name} {said}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        yield _line(name, labels, value)


def _line(name: str, labels: Labels | Mapping[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{_escaped(label)}"' for key, label in dict(labels).items())
    shown = str(int(value)) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")
    return f"{name}{{{inner}}} {shown}\n" if inner else f"{name} {shown}\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a path object would be longer
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
