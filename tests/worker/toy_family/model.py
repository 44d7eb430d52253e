"""What the toys do."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from aigc_models.base import Cancelled, Diverged, Fault, InputError, Metrics, Run
from aigc_models.sharing import Ended, Request, Shared
from tests.worker.toy_family.params import ToyDraw, ToyRepeat, ToyShare, ToyTrain

loads = 0


def train(params: ToyTrain, run: Run) -> Metrics:
    """A walk of seeded random steps, resumable bit for bit."""
    generator = torch.Generator().manual_seed(params.seed)
    first, total = 1, torch.zeros(16)
    if run.resume_from is not None:
        state = load_file(run.resume_from / "state.safetensors")
        total, first = state["total"], int(state["step"]) + 1
        generator.set_state(state["random"])
        run.log(f"resumed after step {first - 1}")
    run.phase("training")
    run.log(f"batches in {run.adjustments.micro_batches} parts, rate times {run.adjustments.learning_rate_factor}")
    run.log(f"pid {os.getpid()}")
    step = first - 1

    def write(directory: Path) -> None:
        state = {"total": total, "step": torch.tensor(step), "random": generator.get_state()}
        save_file(state, directory / "state.safetensors")

    while step < params.steps:
        if step == params.steps // 2:
            while params.gate and not Path(params.gate).exists():
                time.sleep(0.005)
                run.report(step, params.steps)
                run.checkpoint(step, write)
            misbehave(params, run)
        if params.delay:
            time.sleep(params.delay)
        total = 0.9 * total + torch.randn(16, generator=generator)
        step += 1
        run.report(step, params.steps, loss=float(total.square().mean()), images_per_second=1.0)
        run.checkpoint(step, write)
    picture = run.out_dir / "samples.png"
    picture.write_bytes(b"\x89PNG toy")
    run.preview("samples", params.steps, picture)
    if params.fault != "nothing_made":
        (run.out_dir / "model").mkdir()
        save_file({"total": total}, run.out_dir / "model" / "weights.safetensors")
    run.phase("saving")
    return {"sum": float(total.sum()), **({"loss": float("nan")} if params.fault == "nan" else {})}


def evaluate(params: ToyRepeat, run: Run) -> Metrics:
    """The same walk."""
    return train(params, run)


def generate(params: ToyDraw, run: Run) -> Metrics:
    """Numbers, with the model's sum added."""
    run.phase("generating")
    while params.gate and not Path(params.gate).exists():
        time.sleep(0.005)
        run.report(0, params.count)
    misbehave(params, run)
    offset = run.warm(run.inputs["model"], _load) if "model" in run.inputs else torch.zeros(1)
    numbers = torch.randn(params.count, generator=torch.Generator().manual_seed(params.seed)) + offset.sum()
    run.report(params.count, params.count)
    (run.out_dir / "numbers.txt").write_text(" ".join(map(str, numbers.tolist())))
    return {"pid": os.getpid(), "loads": loads}


@dataclass(frozen=True, slots=True)
class Drawing:
    """What one of several jobs wants."""

    params: ToyShare
    run: Run
    offset: torch.Tensor


def share(params: ToyShare, run: Run) -> Metrics:
    """Numbers, with the model's sum added."""
    return SHARED.alone(params, run)


def share_many(requests: Sequence[Request[ToyShare]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return SHARED.many(requests)


def _prepare(params: ToyShare, run: Run) -> Drawing:
    run.phase("generating")
    run.log(f"pid {os.getpid()}")
    if params.fault == "input":
        misbehave(params, run)
    return Drawing(params, run, run.warm(run.inputs["model"], _load))


def _compute(asked: Sequence[Drawing]) -> Iterator[tuple[int, tuple[torch.Tensor, int] | Exception]]:
    """Step by step; each job leaves when it has done its own steps."""
    going, step = dict(enumerate(asked)), 0
    while going:
        step += 1
        time.sleep(max(drawing.params.delay for drawing in going.values()))
        for place, drawing in list(going.items()):
            try:
                last = step >= drawing.params.steps
                if not (last and _waits(drawing.params)):
                    drawing.run.report(min(step, drawing.params.steps), drawing.params.steps)
                    if last:
                        if drawing.params.fault == "crowd" and len(asked) > drawing.params.most:
                            raise_(torch.OutOfMemoryError("CUDA out of memory"))
                        if drawing.params.fault != "crowd":
                            misbehave(drawing.params, drawing.run)
                        del going[place]
                        yield place, (_numbers(drawing), len(asked))
                    continue
                drawing.run.report(drawing.params.steps - 1, drawing.params.steps)
                time.sleep(0.001)
            except Cancelled as cancelled:
                del going[place]
                yield place, cancelled


def _waits(params: ToyShare) -> bool:
    return bool(params.gate) and not Path(params.gate).exists()


def _numbers(drawing: Drawing) -> torch.Tensor:
    generator = torch.Generator().manual_seed(drawing.params.seed)
    return torch.randn(drawing.params.count, generator=generator) + drawing.offset.sum()


def _finish(params: ToyShare, run: Run, _asked: Drawing, made: tuple[torch.Tensor, int]) -> Metrics:
    run.phase("saving")
    numbers, together = made
    (run.out_dir / "numbers.txt").write_text(" ".join(map(str, numbers.tolist())))
    return {"pid": os.getpid(), "loads": loads, "together": together}


SHARED = Shared(_prepare, _compute, _finish)


def misbehave(params: ToyTrain | ToyDraw | ToyShare, run: Run) -> None:
    """Go wrong in the way that was asked for; where ``once`` is set, only the first time."""
    if params.once:
        if Path(params.once).exists():
            return
        Path(params.once).touch()
    faults: dict[str, Callable[[], Any]] = {
        "whole_batch": lambda: need_parts(getattr(params, "parts", 2), run),
        "full_rate": lambda: need_lower_rate(run),
        "input": lambda: raise_(InputError(Fault("Row {row} is odd.", {"row": 3}, where={"row": 3}, code="odd"))),
        "memory": lambda: raise_(MemoryError()),
        "device_memory": lambda: raise_(torch.OutOfMemoryError("CUDA out of memory")),
        "diverged": lambda: raise_(Diverged(7)),
        "disk_full": lambda: raise_(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
        "error": lambda: raise_(ValueError("a secret of the program")),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "kill_parent": lambda: kill_parent(run),
        "segv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "exit": lambda: os._exit(3),
        "hang": lambda: time.sleep(600),
        "stubborn": lambda: be_stubborn(run),
        "noise": make_noise,
        "garbage": write_garbage,
        "child": lambda: subprocess.Popen(["sleep", "600"]),
        "hunger": lambda: torch.ones(2**27),  # half a gigabyte: more than a limited runner gets
    }
    if params.fault in faults:
        faults[params.fault]()


def raise_(error: BaseException) -> None:
    raise error


def need_parts(parts: int, run: Run) -> None:
    """Find no room for batches in fewer parts."""
    if run.adjustments.micro_batches < parts:
        raise torch.OutOfMemoryError("CUDA out of memory")


def need_lower_rate(run: Run) -> None:
    """Diverge at the learning rate that is set."""
    if run.adjustments.learning_rate_factor == 1:
        raise Diverged(7)


def kill_parent(run: Run) -> None:
    """Take the worker along, once it has written down what was said."""
    print("these are my last words", file=sys.stderr, flush=True)
    printed = run.out_dir.parent / "printed"
    while not printed.is_file() or "last words" not in printed.read_text():
        time.sleep(0.005)
        run.report(0, 1)
    os.kill(os.getppid(), signal.SIGKILL)


def be_stubborn(run: Run) -> None:
    """Ignore every request."""
    run.log("stubborn")
    while True:
        try:
            run.report(1, 2)
        except Cancelled:
            time.sleep(0.01)


def make_noise() -> None:
    """Print far more than a pipe holds, on both outputs."""
    for number in range(20_000):
        print(f'{{"kind": "end", "outcome": "succeeded", "line": {number}}}')
        sys.stderr.write(f"noise {number}\n")
    os.write(1, b"\0\xff not text\n")


def write_garbage() -> None:
    """Write into every descriptor that is open, as a wild library would."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            os.write(int(descriptor.name), b"garbage\n")
        except OSError:
            continue


def _load(source: Path) -> torch.Tensor:
    global loads
    loads += 1
    return load_file(source / "weights.safetensors")["total"]
