"""Quality and speed of the image families beside public examples, on the bundled Fashion-MNIST starter set.

``python -m benchmarks.images [--quick]``: the last line is JSON. Both sides of each figure run
in turns in this process with the same threads, so that a busy machine slows both.

- ``fid_ratio_to_dcgan``: domain-FID of our default model over that of a plain DCGAN (2015)
  trained for the same wall time. ``tstr_accuracy``: of the same model. ``train_seconds``: its time.
- ``gan_speedup``: pictures a second of our trainer over the public PyTorch DCGAN example's, the
  same networks at 32 pixels, batch 64. ``gan_fid_ratio``: quality after equally many pictures.
- ``vae_speedup``: the same beside pytorch/examples' VAE, batch 128; ``vae_loss_ratio`` likewise.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models import training
from aigc_models.data.images import ImageSet, save_images
from aigc_models.image_gan.params import ImageGanTrain
from aigc_models.image_gan.plan import Plan
from aigc_models.image_gan.saving import TrainedGan
from aigc_models.image_gan.session import prepare
from aigc_models.image_gan.trainer import Recipe, Trainer, draw
from aigc_models.image_vae import objective
from aigc_models.image_vae.params import ImageVaeTrain
from aigc_models.image_vae.trainer import PlainTrainer as VaeTrainer
from aigc_models.layers.augment import resize
from aigc_models.layers.convolution import Conv, ThinConv, UpConv
from aigc_models.metrics.image_distance import domain_fid
from aigc_models.metrics.image_quality import Generated, picture_metrics, wanted
from aigc_models.pictures import from_bytes, save_sheet, to_bytes
from aigc_models.standalone import LocalRun
from benchmarks.peers.example_dcgan import BATCH as DCGAN_BATCH
from benchmarks.peers.example_dcgan import LATENT, SIDE, ExampleDcgan
from benchmarks.peers.example_vae import BATCH as VAE_BATCH
from benchmarks.peers.example_vae import ExampleVaeTraining
from benchmarks.peers.paper_dcgan import PaperDcgan

DATASET = "ds_" + "0" * 26


def main() -> None:
    """Measure all, print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one pass only: does it run, not how good it is")
    parser.add_argument("--out", type=Path, default=Path("build/bench-images"), help="where sample sheets go")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    training.tune_process()
    data = starter()
    result: dict[str, Any] = {"quick": arguments.quick, "threads": torch.get_num_threads()}
    for measure in (gan_speed, vae_speed, quality):
        result |= measure(data, arguments.quick, arguments.out)
        print(json.dumps(result), flush=True)


def starter() -> ImageSet:
    """The bundled pictures."""
    with np.load(str(files("aigc_models.data") / "starter_files" / "fashion_mnist_5k_1k.npz")) as arrays:
        images = [torch.from_numpy(arrays[f"x_{part}"]).unsqueeze(1) for part in ("train", "test")]
        labels = [torch.from_numpy(arrays[f"y_{part}"]).long() for part in ("train", "test")]
    names = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    return ImageSet(images[0], labels[0], images[1], labels[1], names)


def in_turns(ours: Callable[[], int], theirs: Callable[[], int], blocks: int, steps: int) -> tuple[float, float]:
    """Medians of pictures a second of both, measured in blocks that take turns; the first block warms up."""
    rates: tuple[list[float], list[float]] = ([], [])
    for block in range(blocks + 1):
        for side, step in zip(rates, (ours, theirs), strict=True):
            started = time.perf_counter()
            done = sum(step() for _ in range(steps))
            if block:
                side.append(done / (time.perf_counter() - started))
    return statistics.median(rates[0]), statistics.median(rates[1])


class SameGenerator(nn.Module):
    """The example's generator, with each doubling and its convolution computed in one step."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 128 * 8 * 8)
        self.norm = nn.BatchNorm2d(128)
        self.up1, self.norm1 = UpConv(128, 128), nn.BatchNorm2d(128, 0.8)
        self.up2, self.norm2 = UpConv(128, 64), nn.BatchNorm2d(64, 0.8)
        self.out = ThinConv(64, 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: z (B, 100) to (B, 1, 32, 32)."""
        h = self.first(z).view(-1, 128, 8, 8).contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(self.norm1(self.up1(self.norm(h))), 0.2)
        return torch.tanh(self.out(F.leaky_relu(self.norm2(self.up2(h)), 0.2)).float())


class SameDiscriminator(nn.Module):
    """The example's convolutions, without dropout and batch norm, so that both halves pass at once."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Conv(a, b, 3, 2, 1) for a, b in ((1, 16), (16, 32), (32, 64), (64, 128)))
        self.last = nn.Linear(128 * 2 * 2, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: x (B, 1, 32, 32) to (B,)."""
        h = x.contiguous(memory_format=torch.channels_last)
        for conv in self.convs:
            h = F.leaky_relu(conv(h), 0.2)
        return torch.as_tensor(self.last(h.flatten(1)).squeeze(1).float())


def gan_speed(data: ImageSet, quick: bool, out: Path) -> dict[str, float]:
    """Our trainer beside the public DCGAN example: speed, then quality after equally many pictures."""
    pictures = to_bytes(resize(from_bytes(data.train), SIDE))
    recipe = Recipe(batch_size=DCGAN_BATCH, steps=8 if quick else 600, ema_half_life=50)
    plan = Plan("dcgan", SIDE, 1, 0, 32, LATENT, False)
    trainer = Trainer(
        plan, recipe, training.choose_precision("cpu"), make=lambda _: (SameGenerator(), SameDiscriminator())
    )
    batches = training.Batches(len(pictures), DCGAN_BATCH, training.seeded(0))
    peer = ExampleDcgan(data.train, seed=0)

    def ours() -> int:
        trainer.step(pictures[batches.next()], None)
        return DCGAN_BATCH

    blocks, steps = (2, 2) if quick else (9, 6)
    mine, theirs = in_turns(ours, peer.step, blocks, steps)
    result = {"gan_speedup": mine / theirs, "gan_images_per_second": mine, "gan_peer_images_per_second": theirs}
    done = (blocks + 1) * steps
    for _ in range(done, recipe.steps):
        ours()
        peer.step()
    noise = torch.randn(1000, LATENT, generator=training.seeded(1))
    made = {"ours": draw(trainer.ema.module, noise, None), "peer": peer.draw(1000)}
    for name, images in made.items():
        save_sheet(images[:60], None, (), out / f"speed_{name}.png")
    fid = {name: domain_fid(data.test, images) for name, images in made.items()}
    return rounded(
        result | {"gan_fid_ratio": fid["ours"] / fid["peer"], "gan_fid": fid["ours"], "gan_peer_fid": fid["peer"]}
    )


def vae_speed(data: ImageSet, quick: bool, out: Path) -> dict[str, float]:  # noqa: ARG001 - one signature for all
    """Our VAE trainer with the example's network and loss, beside the example."""
    epochs = 2 if quick else 10
    params = ImageVaeTrain(
        dataset=DATASET,
        epochs=epochs,
        batch_size=VAE_BATCH,
        backbone="mlp",
        width=32,
        latent_dim=20,
        likelihood="bernoulli",
        kl_warmup=0.0,
        free_bits=0.0,
    )
    trainer, peer = VaeTrainer(params, data, "cpu"), ExampleVaeTraining(data.train, seed=0)
    taken = iter(range(10**9))

    def ours() -> int:
        trainer.step(next(taken))
        return VAE_BATCH

    blocks = epochs * len(data.train) // VAE_BATCH // 20 - 1
    mine, theirs = in_turns(ours, peer.step, blocks, 20)
    losses = (vae_loss(trainer, data.test), peer.test_loss(data.test))
    return rounded(
        {
            "vae_speedup": mine / theirs,
            "vae_images_per_second": mine,
            "vae_peer_images_per_second": theirs,
            "vae_loss_ratio": losses[0] / losses[1],
            "vae_loss": losses[0],
            "vae_peer_loss": losses[1],
        }
    )


@torch.no_grad()
def vae_loss(trainer: VaeTrainer, images: Tensor) -> float:
    """Negative ELBO in nats of one picture, with the averaged weights."""
    x, vae = from_bytes(images), trainer.model().networks
    mean, log_variance = vae.encode(x)
    z = mean + torch.randn(mean.shape, generator=training.seeded(0)) * (0.5 * log_variance).exp()
    likelihood = objective.log_likelihood(x, vae.decode(z), "bernoulli").mean()
    return float(objective.kl_to_prior(mean, log_variance).sum(1).mean() - likelihood)


def quality(data: ImageSet, quick: bool, out: Path) -> dict[str, float]:
    """Our default model and a plain DCGAN in turns, each for the same wall time; the hold-out judges."""
    params = ImageGanTrain(dataset=DATASET)
    if quick:
        params = ImageGanTrain(dataset=DATASET, epochs=1, width=8)
    with tempfile.TemporaryDirectory() as directory:
        save_images(data, {"classes": list(data.classes), "hash": ""}, Path(directory) / "dataset")
        session = prepare(params, LocalRun(Path(directory), {"dataset": Path(directory) / "dataset"}))
    trainer, peer = session.trainer, PaperDcgan(data.train, seed=0)
    seconds, peer_seconds = 0.0, 0.0
    while trainer.done < trainer.recipe.steps:
        started = time.perf_counter()
        for _ in range(min(10, trainer.recipe.steps - trainer.done)):
            rows = session.batches.next()
            trainer.step(session.data.train[rows], data.train_labels[rows] if data.train_labels is not None else None)
        seconds += time.perf_counter() - started
        while peer_seconds < seconds:
            started = time.perf_counter()
            peer.step()
            peer_seconds += time.perf_counter() - started
    trained = TrainedGan(trainer.ema.module, trainer.plan, data.classes, "cpu")
    labels = trained.labels_in_turn(wanted(data))
    noise = torch.randn(wanted(data), trainer.plan.latent_dim, generator=training.seeded(0, "evaluation"))
    pictures = to_bytes(draw(trained.generator, noise, labels))
    metrics = picture_metrics(Generated(pictures, labels), data, seed=0)
    plain = to_bytes(peer.draw(len(data.test)))
    save_sheet(pictures[:100], None if labels is None else labels[:100], data.classes, out / "ours.png")
    save_sheet(plain[:100], None, (), out / "paper_dcgan.png")
    peer_fid = domain_fid(data.test, plain)
    return rounded(
        {
            "fid_ratio_to_dcgan": metrics["domain_fid"] / peer_fid,
            **metrics,
            "domain_fid_dcgan": peer_fid,
            "train_seconds": seconds,
            "train_seconds_dcgan": peer_seconds,
        }
    )


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Four digits after the point are plenty."""
    return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
