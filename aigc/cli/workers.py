"""``aigc workers`` and ``aigc queues``: who works, how much waits, and who takes no new jobs."""

import click

from aigc.cli.acting import each
from aigc.cli.session import Group, session
from aigc.client import Client
from aigc.errors import NotFound, Problem
from aigc.library import Queue, Worker
from aigc.speech import say
from aigc.uploading import size


@click.group(cls=Group)
def workers() -> None:
    """See the workers, and let some take no new jobs for a while.

    ID may be a whole id, a unique beginning or end of one, or the name of its host.

    DEVICE is gpu:1, cpu, host/gpu:1, or the UUID of a GPU.
    """


@workers.command("list")
def list_workers() -> None:
    """List the workers and schedulers that are alive."""
    found = session().client.workers.list()
    session().table(_COLUMNS, [_row(one) for one in found], [one.raw for one in found])


@workers.command("pause")
@click.argument("worker_ids", metavar="ID...", nargs=-1, required=True)
def pause_worker(worker_ids: tuple[str, ...]) -> int:
    """Let workers take no new jobs, also after they start again; what they run goes on."""
    return each(worker_ids, find_worker, Worker.pause, _now)


@workers.command("resume")
@click.argument("worker_ids", metavar="ID...", nargs=-1, required=True)
def resume_worker(worker_ids: tuple[str, ...]) -> int:
    """Let workers take jobs again, unless their whole queue is paused."""
    return each(worker_ids, find_worker, Worker.resume, _now)


@workers.command("drain")
@click.argument("devices", metavar="DEVICE...", nargs=-1, required=True)
def drain(devices: tuple[str, ...]) -> int:
    """Let all slots of devices take no new jobs, also after they start again; what they run goes on.

    End it with: aigc workers undrain DEVICE
    """
    return each(tuple(_slots_of(devices)), find_worker, Worker.pause, _now)


@workers.command("undrain")
@click.argument("devices", metavar="DEVICE...", nargs=-1, required=True)
def undrain(devices: tuple[str, ...]) -> int:
    """Let all slots of devices take jobs again."""
    return each(tuple(_slots_of(devices)), find_worker, Worker.resume, _now)


_COLUMNS = ("id", "host", "device", "lane", "state", "job", "memory", "load", "temperature")


def _row(one: Worker) -> list[str]:
    device = " ".join(filter(None, [one.place if one.place.startswith("gpu") else "", one.device]))
    memory = (
        "" if one.memory is None else say("{free} of {total} free", free=size(one.memory[0]), total=size(one.memory[1]))
    )
    busy = "" if one.utilisation is None else f"{one.utilisation} %"
    warm = "" if one.temperature is None else f"{one.temperature} °C"
    state = say(one.state) + (f" ({say(_UNFIT.get(one.unfit, one.unfit))})" if one.unfit else "")
    return [one.id, one.host, device, one.queue or one.role, state, one.job or "", memory, busy, warm]


_UNFIT = {
    "gone": "its device does not answer",
    "memory": "its device's memory had an error",
    "fault": "its device has a fault",
    "runners": "processes on its device died several times",
    "held": "a dead process still holds its device",
}


def _slots_of(devices: tuple[str, ...]) -> list[str]:
    """Ids of the slots on some devices."""
    found = session().client.workers.list()
    chosen = list[str]()
    for text in devices:
        host, _, place = text.rpartition("/")
        slots = [one for one in found if _is_on(one, host, place)]
        if not slots:
            places = sorted({f"{one.host}/{one.place}" for one in found if one.place})
            raise _unknown(say("There is no device called {text}.", text=text), places)
        if len({one.host for one in slots}) > 1:
            several = say("{text} is there on several hosts. Write host/device:", text=text)
            raise click.UsageError("\n".join([several, *sorted({f"  {one.host}/{place}" for one in slots})]))
        chosen += [one.id for one in slots]
    return chosen


def _is_on(one: Worker, host: str, place: str) -> bool:
    return (not host or one.host == host) and place in (one.place, one.raw.get("device_name")) and bool(one.place)


@click.group(cls=Group)
def queues() -> None:
    """See how much waits, and let whole queues rest for a while."""


@queues.command("list")
def list_queues() -> None:
    """List the queues: how many jobs wait and run, and how many workers serve each."""
    found = session().client.queues.list()
    rows = [[one.name, str(one.queued), str(one.running), str(one.workers), say(one.state)] for one in found]
    session().table(("lane", "Queued", "Running", "Workers", "state"), rows, [one.raw for one in found])


@queues.command("pause")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def pause_queue(names: tuple[str, ...]) -> int:
    """Let all workers of queues, such as training.gpu, take no new jobs; what runs goes on."""
    return each(names, find_queue, Queue.pause, _now)


@queues.command("resume")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def resume_queue(names: tuple[str, ...]) -> int:
    """End the pause of whole queues; workers that were paused one by one stay so."""
    return each(names, find_queue, Queue.resume, _now)


def find_worker(client: Client, text: str) -> Worker:
    """The worker a person means."""
    found = client.workers.list()
    matches = [one for one in found if text in (one.id, one.host)]
    matches = matches or [one for one in found if one.id.startswith((text, f"wrk_{text}")) or one.id.endswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = say("{text} fits {count} workers. Write the id:", text=text, count=len(matches))
        raise click.UsageError("\n".join([several, *(f"  {one.id}  {one.name}" for one in matches)]))
    raise _unknown(say("There is no worker called {text}.", text=text), [one.id for one in found])


def find_queue(client: Client, text: str) -> Queue:
    """The queue of a name."""
    found = client.queues.list()
    for one in found:
        if one.name == text:
            return one
    raise _unknown(say("There is no queue called {text}.", text=text), [one.name for one in found])


def _unknown(sentence: str, known: list[str]) -> NotFound:
    there = say("There are: {names}.", names=", ".join(known)) if known else say("No worker runs.")
    return NotFound(Problem(404, "not-found", say("Not found"), f"{sentence} {there}"))


def _now(one: Worker | Queue) -> str:
    return f"{one.id} {say(one.state)}"
