"""A trained SASRec at work: scores after histories, and what it looked at."""

import torch
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists
from aigc_models.sasrec.networks import Sasrec

_CHUNK = 256


class SasrecRecommender:
    """Scores of the next item."""

    def __init__(self, network: Sasrec, device: str) -> None:
        self.network, self.device = network.eval(), device

    @torch.inference_mode()
    def score(self, histories: ItemLists) -> Tensor:
        """Shape: (B, I), float32 on the CPU. Of long histories the newest events count."""
        parts = []
        for start in range(0, len(histories), _CHUNK):
            items = self._rows(histories.take(slice(start, start + _CHUNK)))
            parts.append(self.network.scores(self.network(items)[:, -1]).float().cpu())
        return torch.cat(parts) if parts else torch.empty(0, self.network.plan.items)

    @torch.inference_mode()
    def attention(self, histories: ItemLists) -> Tensor:
        """How much each event is looked at before the next item is said, aligned at the ends; (B, T)."""
        return self.network.looked_at(self._rows(histories)).cpu()

    def _rows(self, histories: ItemLists) -> Tensor:
        """Item numbers (B, T), aligned at their ends."""
        lengths = torch.from_numpy(histories.lengths).clamp(max=self.network.plan.max_length)
        longest = max(int(lengths.max()), 1)
        rows = torch.full((len(histories), longest), self.network.plan.items)
        filled = torch.arange(longest)[None] >= longest - lengths[:, None]
        newest = [torch.from_numpy(histories[row][-longest:]) for row in range(len(histories))]
        rows[filled] = torch.cat(newest)
        return rows.to(self.device)
