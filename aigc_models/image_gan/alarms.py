"""Signs that a training goes wrong, said as log lines while there is time to stop it."""

import torch
from torch import Tensor

_ALIKE, _KNOWN_BY_HEART = 0.35, 0.5


def variety(pictures: Tensor, labels: Tensor | None) -> float:
    """Mean distance between pictures that follow each other within their class.

    Shape: pictures (N, C, H, W) bytes, labels (N,) or None.
    """
    order = torch.arange(len(pictures)) if labels is None else labels.argsort(stable=True)
    x = pictures[order].float().flatten(1)
    apart = (x[1:] - x[:-1]).abs().mean(1)
    if labels is not None:
        same = labels[order][1:] == labels[order][:-1]
        apart = apart[same] if bool(same.any()) else apart
    return float(apart.mean()) if len(apart) else 0.0


def collapse_alarm(made: float, real: float) -> str | None:
    """A line when generated pictures vary far less than real ones."""
    if real <= 0 or made >= _ALIKE * real:
        return None
    return (
        f"Collapse alarm: the samples vary {made / real:.0%} as much as real images do. "
        "Try a higher gradient penalty or a lower learning rate."
    )


def overfitting(known: Tensor, unseen: Tensor, made: Tensor) -> float:
    """How much less real the discriminator finds unseen real pictures than known ones, 0 to about 1.

    Source: Karras et al. 2020, equation 1 (r_v). Each tensor is (scores,).
    """
    gap = float((known.mean() - made.mean()).abs())
    return float(known.mean() - unseen.mean()) / gap if gap > 1e-6 else 0.0


def overfitting_alarm(ratio: float) -> str | None:
    """A line when the discriminator knows the training pictures by heart."""
    if ratio < _KNOWN_BY_HEART:
        return None
    return (
        f"Overfitting alarm: the discriminator tells known real images from unseen ones ({ratio:.0%}). "
        "Try adaptive augmentation or fewer epochs."
    )
