"""``aigc demo``: the main job from data to new pictures, on real data, in one command."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from aigc.address import home_directory
from aigc.cli import figures, watching
from aigc.cli import up as up_command
from aigc.cli.processes import need_server
from aigc.cli.session import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_JOB_FAILED, Command, Session, report, session
from aigc.client import Client
from aigc.errors import ApiError, JobFailed
from aigc.library import Dataset
from aigc.program import here
from aigc.progress import Lines, Show, follow_on_screen
from aigc.resources import Artifact, Job
from aigc.speech import say
from aigc.stack.home import StackError, near
from aigc.stack.supervisor import Stack, Stopped
from aigc.version import __version__

STARTER = "fashion-mnist"
TASK = "image_gan.train"
NAME = "demo"
SAMPLES = 64


@dataclass
class Demo:
    """One run of the demonstration against a server, however that came up.

    Attributes:
        client: Where it happens.
        home: Where the picture of the samples goes.
        say: Prints a line for the person.
        stopping: Set when the person has had enough.
        job: The job that it waits for.
    """

    client: Client
    home: Path
    say: Callable[[str], None]
    stopping: threading.Event = field(default_factory=threading.Event)
    job: Job | None = None

    def play(self, session: Session) -> str:
        """Do it all; returns the last line to print."""
        dataset = self.client.datasets.starter(STARTER)
        train, test = dataset.report.get("train"), dataset.report.get("test")
        sentence = "Dataset {name}: {train} pictures to learn from, {test} held out"
        self.say(say(sentence, name=dataset.name, train=train, test=test))
        training = self._train(dataset)
        self._follow(session, training)
        self._say_figures(training)
        self.say(say("Generating {count} pictures with the new model", count=SAMPLES))
        generation = self.client.models.generate(str(training.model), {"count": SAMPLES}, name="demo samples")
        self._follow(session, generation)
        picture = self._save(training, generation)
        self._say_pages(training, dataset.web_url)
        return f"job {training.id} succeeded, samples: {picture}"

    def _train(self, dataset: Dataset) -> Job:
        """Start the training, or go on with the one that an interrupted demonstration left."""
        for job in self.client.jobs.list(task=TASK, q=NAME, state=["queued", "running"]):
            if job.name == NAME:
                self.say(say("Going on with the training of last time: {page}", page=job.web_url))
                return job
        field = self.client.tasks.get(TASK).inputs("dataset")[0]
        job = self.client.jobs.submit(TASK, {field: dataset.id}, preset="quick", name=NAME)
        self.say(say("Training an image GAN, preset quick: {page}", page=job.web_url))
        return job

    def _follow(self, session: Session, job: Job) -> None:
        self.job = job
        if sys.stderr.isatty() and not session.quiet:
            with follow_on_screen(session.console(stderr=True)) as show:
                self._look(session, job, show)
        else:
            self._look(session, job, Lines(self.say).show)
        job.wait()  # it has ended: raises where it failed

    def _look(self, session: Session, job: Job, show: Show) -> None:
        def seen(raw: Mapping[str, Any]) -> None:
            if self.stopping.is_set():
                raise Stopped
            show(raw)

        watching.keep_looking(session, job, seen)

    def _say_figures(self, training: Job) -> None:
        self.say(say("Figures on held-out pictures"))
        known = figures.of_task(self.client, TASK)
        for line in figures.lines(training.last_metrics, known, training.raw.get("judgements")):
            self.say(f"  {line}")

    def _save(self, training: Job, generation: Job) -> Path:
        target = self.home / "demo" / f"samples-{training.id}.png"
        return _find(generation.artifacts(role="output"), "samples.png").save(_made(target))

    def _say_pages(self, training: Job, dataset_page: str) -> None:
        model = self.client.models.get(str(training.model))
        pages = {"Job": training.web_url, "Model": model.web_url, "Dataset": dataset_page}
        for name, page in pages.items():
            self.say(f"{say(name):<8} {page}")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _find(files: list[Artifact], name: str) -> Artifact:
    return next(file for file in files if file.name == name)


@click.command(cls=Command)
@click.option("--once", is_flag=True, help="Stop everything when it is done.")
@up_command.port_option
@up_command.home_option
@up_command.host_option
def demo(once: bool, **options: Any) -> int:
    """Train a GAN on real pictures and make new ones, from nothing, in a few minutes.

    Starts the stack as aigc up does and stays up afterwards; uses a running server when
    --url or AIGC_URL names one.
    """
    current = session()
    if current.url or os.environ.get("AIGC_URL"):
        home = up_command.wishes(options).home if options["home"] else home_directory()
        return _play_there(current, home)
    need_server()
    return _play_here(current, Stack(up_command.wishes(options), click.echo), once)


def _play_there(current: Session, home: Path) -> int:
    demo = Demo(current.client, home, click.echo)
    try:
        last = _unless_cancelled(lambda: demo.play(current))
    except ApiError as error:
        report(error)
        return EXIT_ERROR
    except KeyboardInterrupt:
        if demo.job is not None:
            watching.stopped(demo.job)
        raise
    if last:
        click.echo(last)
    return 0 if last else EXIT_JOB_FAILED


def _unless_cancelled(play: Callable[[], str]) -> str:
    """The last line of a demonstration; nothing where somebody cancelled its job, which is no fault, but said."""
    try:
        return play()
    except JobFailed as error:
        if error.code != "cancelled":
            raise
        sentence = "The job {job} was cancelled, so the demonstration ends here. Begin a new one with: {command}"
        click.echo(here(say(sentence, job=error.job_id, command="aigc demo")))
        return ""


def _play_here(current: Session, stack: Stack, once: bool) -> int:
    started = time.monotonic()
    click.echo(f"AIGC Foundry {__version__}, state in {near(stack.home.path)}")
    last, code = "", EXIT_ERROR
    with up_command.stopped_by_signals(stack) as interrupted:
        try:
            current.url = stack.start()
            click.echo(f"Open {current.url}")
            demo = Demo(current.client, stack.home.path, click.echo, stack.stopping)
            last = _unless_cancelled(lambda: _tended(stack, lambda: demo.play(current)))
            if last:
                click.echo(f"Done after {time.monotonic() - started:.0f} s")
            code = 0 if last or not once else EXIT_JOB_FAILED
            if not once:
                click.echo(f"{last}\nThe pages stay at {stack.url} (stop with Ctrl-C)".lstrip())
                while not stack.stopping.is_set():
                    stack.tend()
        except (StackError, ApiError) as error:
            report(error)
            code = error.exit_code if isinstance(error, StackError) else EXIT_ERROR
            click.echo(f"The logs of all parts are in {stack.home.logs}", err=True)
        except Stopped:
            code = EXIT_INTERRUPTED
            click.echo(
                here(say("Interrupted. The demonstration goes on from here with: {command}", command="aigc demo"))
            )
        finally:
            up_command.end(stack)
    if once and code == 0 and not interrupted:
        click.echo(last)
    return code


def _tended(stack: Stack, work: Callable[[], str]) -> str:
    """Do some work beside the stack: it runs in a thread, because processes hang on the thread that made them."""
    outcome: list[str] = []
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - carried to the main thread
            trouble.append(error)

    thread = threading.Thread(target=run, name="demo", daemon=True)
    thread.start()
    while thread.is_alive() and not stack.stopping.is_set():
        stack.tend()
    thread.join(2.0)
    if stack.stopping.is_set() and not outcome:
        raise Stopped
    if trouble:
        raise trouble[0]
    return outcome[0]
