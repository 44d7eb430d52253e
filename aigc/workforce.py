"""Workers and queues, as typed read-only views; unknown fields are kept in ``raw``."""

from datetime import datetime

from aigc import notebook
from aigc.records import Record, moment


class WorkerRecord(Record):
    """A live slot of a worker, or a scheduler."""

    @property
    def name(self) -> str:
        """Its host and device."""
        return " ".join(filter(None, [self.host, self.device]))

    @property
    def state(self) -> str:
        """Whether it runs a job, waits for one, is paused, ends, or has a device that is unwell."""
        if self.raw.get("draining"):
            return "draining"
        if self.unfit:
            return "unwell"
        return "paused" if self.paused else "busy" if self.job else "idle"

    @property
    def role(self) -> str:
        """Worker or scheduler."""
        return str(self.raw.get("role") or "")

    @property
    def host(self) -> str:
        """Name of its machine."""
        return str(self.raw.get("host") or "")

    @property
    def device(self) -> str:
        """Name of the device it owns."""
        return str(self.raw.get("device") or "")

    @property
    def place(self) -> str:
        """What people call its device on its host, such as gpu:1."""
        return str(self.raw.get("place") or "")

    @property
    def memory(self) -> tuple[int, int] | None:
        """Bytes free on its device, and in all."""
        free, total = self.raw.get("memory_free"), self.raw.get("memory_total")
        return None if free is None or total is None else (int(free), int(total))

    @property
    def utilisation(self) -> int | None:
        """Percent of the last moments in which its device computed."""
        return self.raw.get("utilisation")

    @property
    def temperature(self) -> int | None:
        """Degrees Celsius of its device."""
        return self.raw.get("temperature")

    @property
    def watts(self) -> float | None:
        """Power that its device draws."""
        return self.raw.get("watts")

    @property
    def unfit(self) -> str | None:
        """Why its device takes no jobs: gone, memory, fault, runners or held."""
        return self.raw.get("unfit")

    @property
    def queue(self) -> str:
        """The queue it serves, such as training.gpu; empty for a scheduler."""
        lane, kind = self.raw.get("lane"), self.raw.get("device_kind")
        return f"{lane}.{kind}" if lane and kind else ""

    @property
    def paused(self) -> str | None:
        """What keeps it from taking new jobs: slot, queue or nothing."""
        return self.raw.get("paused")

    @property
    def job(self) -> str | None:
        """Id of the job it runs."""
        return self.raw.get("job")

    @property
    def heartbeat_at(self) -> datetime | None:
        """When it was last heard of (UTC)."""
        return moment(self.raw.get("heartbeat_at"))

    def __repr__(self) -> str:
        return f"<Worker {self.id} {self.queue or self.role} {self.name} {self.state}>"

    def _repr_html_(self) -> str:
        return notebook.facts(self.name, {"state": self.state, "queue": self.queue, "job": self.job or ""})


class QueueRecord(Record):
    """The jobs that wait in a lane for a kind of device."""

    @property
    def id(self) -> str:
        """Its name, such as training.gpu."""
        return self.name

    @property
    def state(self) -> str:
        """Whether its workers take new jobs."""
        return "paused" if self.paused else "open"

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return int(self.raw.get("queued") or 0)

    @property
    def running(self) -> int:
        """How many jobs run."""
        return int(self.raw.get("running") or 0)

    @property
    def workers(self) -> int:
        """How many slots serve it."""
        return int(self.raw.get("workers") or 0)

    @property
    def paused(self) -> bool:
        """Whether none of its workers takes new jobs."""
        return bool(self.raw.get("paused"))

    def __repr__(self) -> str:
        return f"<Queue {self.name} {self.state}: {self.queued} queued, {self.running} running>"
