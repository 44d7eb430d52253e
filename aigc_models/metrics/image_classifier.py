"""Train on synthetic, test on real: does a classifier learn from generated pictures what real ones teach?

One fixed recipe for real and for synthetic pictures alike: two convolutions and two linear
layers, Adam with a falling rate, the same number of steps. Nothing is tuned to the test set.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models import training
from aigc_models.pictures import from_bytes

SIDE, BATCH, RATE = 28, 128, 1.5e-3
PASSES, FEWEST_STEPS, MOST_STEPS = 16, 20, 600
_EVALUATE = 500


class Classifier(nn.Module):
    """Two convolutions with pooling, then two linear layers with dropout between."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * 7 * 7, 128)
        self.out = nn.Linear(128, classes)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Shape: x (B, C, 28, 28) to logits (B, classes); keep (B, 128) is the dropout mask."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        x = F.relu(self.hidden(x))
        return torch.as_tensor(self.out(x if keep is None else x * keep))


def prepare(images: Tensor) -> Tensor:
    """Pictures of any size, bytes or floats, as floats of the classifier's size."""
    pixels = from_bytes(images) if images.dtype == torch.uint8 else images.float()
    if pixels.shape[-2:] == (SIDE, SIDE):
        return pixels
    return F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)


def steps_for(real_pictures: int) -> int:
    """How many steps the classifier is taught, with real and with synthetic pictures alike."""
    return max(FEWEST_STEPS, min(MOST_STEPS, PASSES * real_pictures // BATCH))


def train_classifier(images: Tensor, labels: Tensor, classes: int, seed: int, steps: int = MOST_STEPS) -> Classifier:
    """Train the fixed classifier on pictures (N, C, H, W), bytes or floats in [-1, 1]."""
    pixels, generator = prepare(images), training.seeded(seed, "classifier")
    model = Classifier(pixels.shape[1], classes)
    training.initialise(model, generator)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    precision = training.choose_precision("cpu")
    batches = training.Batches(len(pixels), min(BATCH, len(pixels)), generator)
    for _ in range(steps):
        rows = batches.next()
        keep = (torch.rand(len(rows), 128, generator=generator) < 0.6).float() / 0.6
        x = pixels[rows].to(memory_format=torch.channels_last)
        with precision.autocast():
            scores = model(x, keep)
        loss = F.cross_entropy(scores.float(), labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def predict(model: Classifier, images: Tensor) -> Tensor:
    """The class the model sees in each picture."""
    return torch.cat([model(prepare(part)).argmax(1) for part in images.split(_EVALUATE)])


def accuracy(model: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of pictures the model names rightly."""
    return float((predict(model, images) == labels).float().mean())


def majority_accuracy(train_labels: Tensor, test_labels: Tensor) -> float:
    """What always naming the most frequent class reaches: the trivial baseline."""
    return float((test_labels == train_labels.mode().values).float().mean())
