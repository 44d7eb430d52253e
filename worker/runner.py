"""``python -m worker.runner``: the only process with torch. Runs operations, one after the other, for a supervisor.

It has no address of database or broker and no secret; what it needs comes over the pipe, and
what it makes lies in the directories it is given. It dies with its supervisor.
"""

import argparse
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from aigc_models import registry
from aigc_models.base import Cancelled, Metrics, Params, Paused, Run
from worker import calls, failures, linux
from worker.calls import model_module, read_params, taken, workplace
from worker.model_cache import ModelCache
from worker.pipe_run import PipeRun, Requests, finite
from worker.protocol import Message, Reader, Writer

_ALONE = ""  # the part of a job that runs by itself


class Runner:
    """Receives messages in a thread, works in the main thread.

    Args:
        commands: Pipe from the supervisor.
        events: Pipe to the supervisor.
        models: Models that stay loaded between runs.
    """

    def __init__(self, commands: Reader, events: Writer, models: ModelCache) -> None:
        self._commands = commands
        self._events = events
        self._models = models
        self._jobs: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._requests: dict[str, Requests] = {}

    def serve(self, threads: int, preload: bool, memory_share: float = 1.0) -> None:
        """Import torch, then run what is asked until the supervisor closes the pipe."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        import torch

        torch.set_num_threads(threads)
        if memory_share < 1 and torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(memory_share)
        if preload:
            _import_models(until=lambda: not self._jobs.empty())
        self._events.send("ready", pid=os.getpid())
        while True:
            job = self._jobs.get()
            if job["kind"] == "run_many":
                self._events.send("over", **self._run_many(job), warm=self._models.keys)
            else:
                self._events.send("end", **self._run(job), warm=self._models.keys)

    def ask_pause(self, *_signal: Any) -> None:
        """Stop at the next checkpoint: what SIGTERM means here."""
        for asked in self._requests.values():
            asked.pause = True

    def _listen(self) -> None:
        while not self._commands.ended:
            for message in self._commands.read():
                self._take(message)
        os._exit(0)  # the supervisor is gone: nobody may write in its name any more

    def _take(self, message: Message) -> None:
        if message["kind"] in ("cancel", "pause"):
            asked = self._requests.get(message.get("part", _ALONE))
            if asked is not None:  # else of a job that was before: too late for that one
                setattr(asked, message["kind"], True)
        elif message["kind"] in ("run", "run_many"):
            parts = [part["part"] for part in message.get("parts", [{"part": _ALONE}])]
            self._requests = {part: Requests() for part in parts}
            self._jobs.put({**message, "requests": self._requests})

    def _run(self, job: Message) -> dict[str, Any]:
        if len(job.get("devices", ())) > 1:
            return self._run_with_mates(job)
        return self._carry_out(job, PipeRun(workplace(job), self._events, job["requests"][_ALONE], self._models))

    def _run_with_mates(self, job: Message) -> dict[str, Any]:
        """The same as the first of several ranks, which this process starts, outlives and speaks for."""
        from worker.mates import LeadRun, Mates, meet  # imports torch, which is to be ready by now

        def lost(end: failures.Ending) -> None:
            self._events.send("end", **end.as_message(), warm=self._models.keys)
            os._exit(1)  # the main thread may wait for that rank in the depths of a library

        mates = Mates(job, lost)
        try:
            return self._carry_out(
                job,
                LeadRun(workplace(job), self._events, job["requests"][_ALONE], self._models),
                before=lambda: meet(job, 0),
                failed=mates.explain,
            )
        finally:
            mates.close()

    def _carry_out(
        self,
        job: Message,
        run: PipeRun,
        before: Callable[[], None] = lambda: None,
        failed: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        try:
            before()
            metrics = operation_of(job["family"], job["operation"])(read_params(job), run)
            run.flush()
        except (Cancelled, Paused, BrokenPipeError) as error:
            return self._told(error)
        except Exception as error:  # noqa: BLE001 - whatever model code raises is an outcome, not our end
            failed()
            return self._told(error)
        return self._told(metrics) | taken(job["device"])

    def _run_many(self, call: Message) -> dict[str, Any]:
        try:
            return calls.run_together(call, self._events, call["requests"], self._models, self._told)
        except BrokenPipeError:
            os._exit(0)

    def _told(self, outcome: Metrics | Exception) -> dict[str, Any]:
        """The fields of an ``end`` message."""
        if isinstance(outcome, Cancelled):
            return {"outcome": "cancelled"}
        if isinstance(outcome, Paused):
            return {"outcome": "paused"}
        if isinstance(outcome, BrokenPipeError):
            os._exit(0)
        if isinstance(outcome, Exception):
            return self._failed(outcome)
        return {"outcome": "succeeded", "metrics": finite(outcome)}

    def _failed(self, error: Exception) -> dict[str, Any]:
        found = failures.from_exception(error)
        if found.code != "invalid_data":  # a user's fault says all there is to say
            traceback.print_exception(error)
            sys.stderr.flush()
        return found.as_message()


def operation_of(family: str, name: str) -> Callable[[Params, Run], Metrics]:
    """The function that carries out an operation."""
    operation: Callable[[Params, Run], Metrics] = getattr(model_module(family), name)
    return operation


def _import_models(until: Callable[[], bool]) -> None:
    """Import every family's networks ahead of the first job, unless a job is already there."""
    for family in registry.families():
        if until():
            return
        try:
            model_module(family)
        except Exception:  # noqa: BLE001 - it is said again, to the job that needs it
            traceback.print_exc()


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="worker.runner", description="Started by a worker, not by hand.")
    parser.add_argument("--commands", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=int, default=0, help="bytes of models that stay loaded")
    parser.add_argument("--memory-share", type=float, default=1.0, help="share of a GPU's memory it may take")
    parser.add_argument("--preload", action="store_true", help="import all networks ahead of the first job")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    options = _arguments(sys.argv[1:] if arguments is None else arguments)
    linux.die_with_parent(options.parent)
    linux.be_killed_first()
    linux.keep_freed_memory()
    for fd in (options.commands, options.events):
        os.set_inheritable(fd, False)  # not for what model code may start
    runner = Runner(Reader(options.commands), Writer(options.events), ModelCache(options.cache))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, runner.ask_pause)
    runner.serve(options.threads, options.preload, options.memory_share)


if __name__ == "__main__":
    main()
