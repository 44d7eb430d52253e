"""A trained recommender over the items of another dataset, matched by their ids."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists
from aigc_models.data.interactions import Interactions
from aigc_models.recommending.saved import Saved


@dataclass(frozen=True, slots=True)
class Translated:
    """Scores of a dataset's items by a model with numbers of its own.

    Attributes:
        saved: The model.
        numbers: The model's number of each of the dataset's items, -1 where it knows none, int64 (I,).
    """

    saved: Saved
    numbers: NDArray[np.int64]

    @classmethod
    def over(cls, saved: Saved, data: Interactions) -> "Translated":
        """Match items by their ids."""
        return cls(saved, np.array([saved.item_numbers.get(name, -1) for name in data.item_names], np.int64))

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Items the model knows nothing of, bool (I,)."""
        return (self.numbers < 0) | self.saved.cold[self.numbers]

    @property
    def shared(self) -> int:
        """How many items both know."""
        return int((self.numbers >= 0).sum())

    @property
    def strangers(self) -> int:
        """How many items only the dataset knows."""
        return int((self.numbers < 0).sum())

    def score(self, histories: ItemLists) -> Tensor:
        """Shape: (B, I) over the dataset's items; what the model does not know gets the lowest number there is."""
        known = self.numbers[histories.items] >= 0
        starts = np.concatenate([[0], np.cumsum(known)])[histories.starts]
        own = ItemLists(self.numbers[histories.items[known]], starts)
        scores = self.saved.recommender.score(own)[:, torch.from_numpy(self.numbers)]
        scores[:, torch.from_numpy(self.numbers < 0)] = torch.finfo(scores.dtype).min
        return scores
