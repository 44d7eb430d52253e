"""Models that stay loaded in a runner between jobs, within a memory budget; the least recently used goes first."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")


class ModelCache:
    """What was loaded from where. Sources never change, so nothing in here goes stale.

    Args:
        budget: Bytes that may be held. A model larger than that is loaded for each job.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._loaded: OrderedDict[tuple[str, str], tuple[Any, int]] = OrderedDict()
        self._passing: dict[tuple[str, str], Any] | None = None

    @contextmanager
    def keeping_all(self) -> Iterator[None]:
        """Load nothing twice inside, also what is too large to stay: the jobs of one call share it."""
        self._passing = {}
        try:
            yield
        finally:
            self._passing = None

    @property
    def keys(self) -> list[str]:
        """Names of the directories whose content is loaded, the least recently used first."""
        return list(dict.fromkeys(Path(source).name for source, _ in self._loaded))

    @property
    def held(self) -> int:
        """Bytes held now."""
        return sum(size for _, size in self._loaded.values())

    def get(self, source: Path, load: Callable[[Path], T]) -> T:
        """``load(source)``, from memory where it was loaded before by the same function."""
        key = (str(source), _name(load))
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return cast(T, self._loaded[key][0])
        if self._passing is not None and key in self._passing:
            return cast(T, self._passing[key])
        model = self._load(source, load)
        size = _size(model) or _size_on_disk(source)
        if size <= self._budget:
            self._make_room(size)
            self._loaded[key] = (model, size)
        elif self._passing is not None:
            self._passing[key] = model
        return model

    def _load(self, source: Path, load: Callable[[Path], T]) -> T:
        """Load, and once more without what else is held where there was no room beside it."""
        try:
            return load(source)
        except (MemoryError, RuntimeError) as error:
            if not self._loaded or not _is_memory(error):
                raise
        self.clear()
        return load(source)

    def clear(self) -> None:
        """Forget everything."""
        self._loaded.clear()

    def _make_room(self, size: int) -> None:
        while self._loaded and self.held + size > self._budget:
            self._loaded.popitem(last=False)


def _is_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")
    return isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError))


def _name(load: object) -> str:
    """What tells two ways of loading the same files apart."""
    function = load.func if isinstance(load, partial) else load
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _size(model: object) -> int:
    """Bytes of all tensors in a model, or in a tuple, list or dict of models."""
    return sum(tensor.nbytes for tensor in _tensors(model))


def _tensors(model: object) -> Iterator[Any]:
    torch = sys.modules.get("torch")  # whoever loaded a model has imported it; this module must not
    if torch is None:
        return
    if isinstance(model, torch.Tensor):
        yield model
    elif isinstance(model, torch.nn.Module):
        yield from model.parameters()
        yield from model.buffers()
    elif isinstance(model, dict):
        for value in model.values():
            yield from _tensors(value)
    elif isinstance(model, list | tuple):
        for value in model:
            yield from _tensors(value)


def _size_on_disk(source: Path) -> int:
    files = [source] if source.is_file() else source.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
