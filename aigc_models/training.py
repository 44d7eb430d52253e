"""What every training loop shares: seeding, precision, averaging, batches, meters and checkpoints.

A loop built from these gives the same numbers for the same seed, and goes on bit for bit
after :class:`TrainingState` was saved and loaded (on CPU, with the same number of threads).
"""

import contextlib
import ctypes
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from aigc_models.base import Diverged

STATE_FILE = "state.pt"


def tune_process() -> None:
    """Set what the allocator and the FPU do with big and with tiny numbers; safe to call again.

    glibc gives every large tensor back to the system at once, and the page faults of taking it
    again cost up to half of a convolution; denormal numbers cost more than they are worth.
    """
    torch.set_flush_denormal(True)
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(-4, 0)  # M_MMAP_MAX: no tensor in a mapping of its own
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: keep what was freed
        mallopt(-2, 64 << 20)  # M_TOP_PAD: grow in large pieces


def seeded(seed: int, stream: str = "") -> torch.Generator:
    """A generator on the CPU for one purpose; different streams of one seed are independent."""
    generator = torch.Generator()
    generator.manual_seed((seed * 1_000_003 + sum(ord(c) * 257**i for i, c in enumerate(stream))) % 2**63)
    return generator


def item_noise(seeds: Iterable[int], width: int) -> Tensor:
    """Normal noise where each row depends on its own seed alone.

    Shape: returns (number of seeds, width) on the CPU.
    """
    generator = torch.Generator()
    rows = [torch.randn(width, generator=generator.manual_seed(seed)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, width)


@runtime_checkable
class SelfInitialised(Protocol):
    """A module that draws its own weights its own way."""

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw every weight that is not a child's, and any child's that must differ."""


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight again from the given generator, instead of the global one.

    Linear and convolutional weights follow He et al. 2015 for leaky ReLU, biases are zero,
    embeddings are normal with deviation 0.02, norms are the identity. A module that wants
    something else has a method ``initialise_own(generator)``, called after its children's.
    """
    for child in module.children():
        initialise(child, generator)
    if isinstance(module, SelfInitialised):
        with torch.no_grad():
            module.initialise_own(generator)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02, generator=generator)
    elif isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        nn.init.kaiming_normal_(module.weight, a=0.2, nonlinearity="leaky_relu", generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
        module.reset_parameters()  # constants, nothing is drawn


def count_parameters(*modules: nn.Module) -> int:
    """How many trainable numbers the modules have together."""
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)


@dataclass(frozen=True, slots=True)
class Precision:
    """In which numbers the networks compute; weights and losses stay in 32 bits.

    Attributes:
        name: ``"float32"`` or ``"bfloat16"``.
        device_type: ``"cpu"`` or ``"cuda"``.
    """

    name: str
    device_type: str

    @property
    def dtype(self) -> torch.dtype:
        """The type activations have."""
        return torch.bfloat16 if self.name == "bfloat16" else torch.float32

    def autocast(self) -> Any:
        """A context in which heavy operations run in this precision."""
        return torch.autocast(self.device_type, torch.bfloat16, enabled=self.name == "bfloat16")


def choose_precision(device: str) -> Precision:
    """The fastest precision this device computes in hardware, from its capability flags.

    Flags, not timings, decide: the choice changes the last digits of every result, so it must
    be the same each time on one machine. A checkpoint carries it to other machines.
    """
    if device.startswith("cuda"):
        name = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
        return Precision(name, "cuda")
    flags = _cpu_flags()
    return Precision("bfloat16" if flags & {"avx512_bf16", "amx_bf16"} else "float32", "cpu")


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())


class Ema:
    """A copy of a module whose weights follow the original's with a half-life, for sampling.

    Args:
        source: The module in training.
        copy: A module of the same kind; its weights are overwritten.
        half_life: Steps after which an old weight counts half.
    """

    def __init__(self, source: nn.Module, copy: nn.Module, half_life: float) -> None:
        self.module = copy.eval().requires_grad_(False)
        self.decay = 0.5 ** (1 / max(half_life, 1e-9))
        copy.load_state_dict(source.state_dict())
        names = dict(source.named_parameters()).keys()
        mine, theirs = copy.state_dict(keep_vars=True), source.state_dict(keep_vars=True)
        self._averaged = [(mine[k].data, theirs[k].data) for k in names]
        self._copied = [(mine[k], theirs[k]) for k in theirs if k not in names]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the source by one step; young averages follow faster (at most ``step/(step+10)``)."""
        weight = 1 - min(self.decay, (step + 1) / (step + 10))
        mine, theirs = zip(*self._averaged, strict=True)
        torch._foreach_lerp_(list(mine), list(theirs), weight)
        for old, new in self._copied:  # running statistics and counters
            old.copy_(new)


class Batches:
    """Endless batches of row numbers, shuffled anew each pass, every row once per pass."""

    def __init__(self, rows: int, batch_size: int, generator: torch.Generator) -> None:
        self.rows, self.batch_size, self._generator = rows, batch_size, generator
        self._order = torch.empty(0, dtype=torch.int64)

    def next(self) -> Tensor:
        """The next ``batch_size`` row numbers; a pass may end inside a batch."""
        while len(self._order) < self.batch_size:
            more = torch.randperm(self.rows, generator=self._generator)
            self._order = torch.cat([self._order, more])
        batch, self._order = self._order[: self.batch_size], self._order[self.batch_size :]
        return batch

    def state_dict(self) -> dict[str, Tensor]:
        """What is left of the pass (the generator is saved beside it)."""
        return {"order": self._order.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on inside the pass."""
        self._order = state["order"].clone()


@dataclass(slots=True)
class TrainingState:
    """Everything a training needs to go on exactly where it was.

    Attributes:
        modules: Saved as one safetensors file each, by name.
        optimisers: Anything with ``state_dict`` and ``load_state_dict``: optimisers, schedules, batches.
        generators: Sources of random draws.
        plain: Numbers and strings that go with them: the precision, running statistics, curves.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimisers: dict[str, Any] = field(default_factory=dict)
    generators: dict[str, torch.Generator] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)

    def save(self, directory: Path, step: int) -> None:
        """Write all of it, to be loaded after ``step`` steps were done.

        Raises:
            Diverged: A weight is NaN or infinite. Such a state is nothing to go back to.
        """
        if not all(_finite(module) for module in self.modules.values()):
            raise Diverged(step)
        directory.mkdir(parents=True, exist_ok=True)
        for name, module in self.modules.items():
            save_weights(module, directory / f"{name}.safetensors")
        state = {
            "step": step,
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
            "generators": {name: each.get_state() for name, each in self.generators.items()},
            "plain": self.plain,
        }
        torch.save(state, directory / STATE_FILE)

    def load(self, directory: Path) -> int:
        """Read what :meth:`save` wrote into the objects at hand; returns how many steps were done."""
        for name, module in self.modules.items():
            load_weights(module, directory / f"{name}.safetensors")
        state = read_state(directory)
        for name, each in self.optimisers.items():
            each.load_state_dict(state["optimisers"][name])
        for name, generator in self.generators.items():
            generator.set_state(state["generators"][name])
        self.plain.clear()
        self.plain.update(state["plain"])
        return int(state["step"])


def _finite(module: nn.Module) -> bool:
    return all(bool(weight.isfinite().all()) for weight in module.parameters())


def read_state(directory: Path) -> dict[str, Any]:
    """The part of a checkpoint that is not weights; unpickles no code."""
    state: dict[str, Any] = torch.load(directory / STATE_FILE, map_location="cpu", weights_only=True)
    return state


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}, path)


def load_weights(module: nn.Module, path: Path) -> None:
    """Read what :func:`save_weights` wrote, in place, so that averages and optimisers keep their views."""
    module.load_state_dict(load_file(path))


class Meter:
    """Means of losses between two readings, read only every few steps so that the device never waits.

    Raises :class:`~aigc_models.base.Diverged` at a reading when a mean is not finite.

    Args:
        every: Steps from one reading to the next.
        speed: What the number of items a second is called among the figures.
    """

    def __init__(self, every: int = 10, speed: str = "images_per_second") -> None:
        self.every, self._speed = every, speed
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._items, self._since = 0, time.perf_counter()

    def add(self, items: int, **losses: Tensor) -> None:
        """Take in one step's losses (scalars, detached here) and how many items it worked on."""
        self._items += items
        for name, loss in losses.items():
            value = loss.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def state_dict(self) -> dict[str, Any]:
        """The sums since the last reading."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from those sums; the clock starts anew."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])

    def read(self, step: int) -> dict[str, float]:
        """Every few steps the means since the last reading, else nothing."""
        if step % self.every or not self._sums:
            return {}
        means = {name: total.item() / self._counts[name] for name, total in self._sums.items()}
        if not all(math.isfinite(mean) for mean in means.values()):
            raise Diverged(step)
        now = time.perf_counter()
        speed = self._items / max(now - self._since, 1e-9)
        self._sums, self._counts, self._items, self._since = {}, {}, 0, now
        return {**means, self._speed: speed}


def check_finite(step: int, *values: Tensor | float) -> None:
    """Raise :class:`~aigc_models.base.Diverged` when a value is NaN or infinite."""
    if not all(math.isfinite(float(value)) for value in values):
        raise Diverged(step)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside: on a busy machine, small work waits longer for a second than it gains."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradients for this module's weights inside; those of its input still flow."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
