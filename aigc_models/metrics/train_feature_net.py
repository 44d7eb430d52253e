"""Recipe of the feature network: ``python -m aigc_models.metrics.train_feature_net DATA.npz OUT``.

DATA is the Fashion-MNIST starter set; only its training part is used. Prints the accuracy
on the held-out part, which says whether the recipe worked, and the weights' sha256.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models import training
from aigc_models.metrics.feature_net import WIDTH, FeatureNet

EPOCHS, BATCH, RATE = 40, 100, 2e-3


class Trainer(nn.Module):
    """The network with one head for the class and one for how far the picture was turned."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = FeatureNet()
        self.class_head = nn.Linear(WIDTH, classes)
        self.turn_head = nn.Linear(WIDTH, 4)

    def losses(self, x: Tensor, labels: Tensor, turns: Tensor) -> Tensor:
        """Cross-entropies of both heads; x is already turned."""
        seen = F.dropout(F.relu(self.net(x)), 0.3)
        return F.cross_entropy(self.class_head(seen), labels) + 0.5 * F.cross_entropy(self.turn_head(seen), turns)


def train(images: Tensor, labels: Tensor, seed: int = 0) -> Trainer:
    """Train on (N, 1, 28, 28) in [-1, 1], mirrored and shifted by up to two pixels."""
    torch.manual_seed(seed)
    generator, model = training.seeded(seed), Trainer(int(labels.max()) + 1)
    batches = training.Batches(len(images), BATCH, generator)
    steps = EPOCHS * len(images) // BATCH
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(steps):
        rows = batches.next()
        dy, dx = torch.randint(-2, 3, (2,), generator=generator).tolist()
        x = images[rows].roll((dy, dx), (2, 3))
        mirror = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
        x = torch.where(mirror, x.flip(3), x)
        turns = torch.arange(len(x)).sub(len(x) // 2).clamp(0).remainder(4)  # half of them stay upright
        x = torch.cat([x[turns == turn].rot90(turn, (2, 3)) for turn in range(4)])
        order = turns.argsort(stable=True)
        optimiser.zero_grad()
        model.losses(x, labels[rows][order], turns[order]).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def main(source: Path, target: Path) -> None:
    """Train, check and write."""
    with np.load(source) as data:
        arrays = {name: torch.from_numpy(data[name]) for name in data.files}
    images = {part: arrays[f"x_{part}"].float().div(127.5).sub(1).unsqueeze(1) for part in ("train", "test")}
    model = train(images["train"], arrays["y_train"].long())
    with torch.no_grad():
        right = model.class_head(F.relu(model.net(images["test"]))).argmax(1) == arrays["y_test"].long()
    training.save_weights(model.net, target)
    print(f"accuracy {right.float().mean():.4f}, sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
