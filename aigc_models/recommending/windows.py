"""Pieces of long histories that a network learns from, each as long as it looks back."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists


@dataclass(frozen=True, slots=True)
class Windows:
    """Pieces of long histories, each as long as the network looks back; every event but the first is a target once.

    Attributes:
        lists: The histories.
        row: Which history each window is of, int64 (W,).
        end: Where it ends in its history, int64 (W,).
    """

    lists: ItemLists
    row: NDArray[np.int64]
    end: NDArray[np.int64]

    @classmethod
    def over(cls, lists: ItemLists, length: int) -> "Windows":
        """Cut histories from their ends."""
        targets = np.maximum(lists.lengths - 1, 0)
        pieces = -(-targets // length)
        row = np.repeat(np.arange(len(lists)), pieces)
        place = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        return cls(lists, row, lists.lengths[row] - place * length)

    def places(
        self, windows: NDArray[np.int64], later: NDArray[np.int64], length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where the inputs lie among all events, what comes next being one place further, and which are none.

        Inputs are aligned at their ends.

        Args:
            windows: Which ones, (B,).
            later: By how many events each is to end later, (B,), as far as its history goes; so that over time every
                event is seen with much before it.
            length: Events of a window.

        Shape: int64 and bool (B, T), T the longest of them.
        """
        row = self.row[windows]
        end = np.minimum(self.end[windows] + later, self.lists.lengths[row])
        longest = int(np.minimum(end - 1, length).max())
        places = end[:, None] - np.arange(longest, 0, -1)[None]  # of the targets
        found = places >= 1
        start = self.lists.starts[row][:, None]
        return np.clip(start + places - 1, 0, len(self.lists.items) - 1), found

    def cut(self, windows: NDArray[np.int64], later: NDArray[np.int64], length: int) -> tuple[Tensor, Tensor]:
        """Inputs and what comes next, as :meth:`places` finds them; the number -1 stands for nothing.

        Shape: both int64 (B, T).
        """
        places, found = self.places(windows, later, length)
        items, last = self.lists.items, len(self.lists.items) - 1
        inputs = np.where(found, items[places], -1)
        targets = np.where(found, items[np.minimum(places + 1, last)], -1)
        return torch.from_numpy(inputs), torch.from_numpy(targets)
