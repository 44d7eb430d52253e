"""``aigc workers`` and ``aigc queues``: who works, how much waits, and who takes no new jobs."""

import click

from aigc.cli.acting import each
from aigc.cli.session import Group, session
from aigc.client import Client
from aigc.errors import NotFound, Problem
from aigc.library import Queue, Worker
from aigc.speech import say


@click.group(cls=Group)
def workers() -> None:
    """See the workers, and let some take no new jobs for a while.

    ID may be a whole id, a unique beginning or end of one, or the name of its host.
    """


@workers.command("list")
def list_workers() -> None:
    """List the workers and schedulers that are alive."""
    found = session().client.workers.list()
    rows = [[one.id, one.host, one.device, one.queue or one.role, say(one.state), one.job or ""] for one in found]
    session().table(("id", "host", "device", "lane", "state", "job"), rows, [one.raw for one in found])


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
