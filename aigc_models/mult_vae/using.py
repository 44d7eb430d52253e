"""A trained Mult-VAE at work: scores of all items for sets of items."""

import torch
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists
from aigc_models.metrics.ranking_baselines import multi_hot
from aigc_models.mult_vae.networks import MultVae

_CHUNK = 256


class MultVaeRecommender:
    """Scores of items by the mean of a user's latent numbers."""

    def __init__(self, network: MultVae, device: str) -> None:
        self.network, self.device = network.eval(), device

    @torch.inference_mode()
    def score(self, histories: ItemLists) -> Tensor:
        """Shape: (B, I), float32 on the CPU."""
        parts = []
        for start in range(0, len(histories), _CHUNK):
            some = histories.take(slice(start, start + _CHUNK))
            held = multi_hot(some, self.network.plan.items).to(self.device)
            parts.append(self.network.decode(self.network.encode(held)[0]).float().cpu())
        return torch.cat(parts) if parts else torch.empty(0, self.network.plan.items)
