"""Our trainers with the networks of public examples, beside those examples: pictures a second, then quality."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models import training
from aigc_models.data.images import ImageSet
from aigc_models.image_gan.plan import Plan
from aigc_models.image_gan.trainer import Recipe, Trainer, draw
from aigc_models.image_vae import objective
from aigc_models.image_vae.params import ImageVaeTrain
from aigc_models.image_vae.trainer import Lesson
from aigc_models.image_vae.trainer import PlainTrainer as VaeTrainer
from aigc_models.layers.augment import resize
from aigc_models.layers.convolution import Conv, ThinConv, UpConv
from aigc_models.metrics.image_distance import domain_fid
from aigc_models.pictures import from_bytes, save_sheet, to_bytes
from benchmarks.peers.example_dcgan import BATCH as DCGAN_BATCH
from benchmarks.peers.example_dcgan import LATENT, SIDE, ExampleDcgan
from benchmarks.peers.example_vae import BATCH as VAE_BATCH
from benchmarks.peers.example_vae import ExampleVaeTraining
from benchmarks.sides import Side, in_turns

DATASET = "ds_" + "0" * 26


def starter() -> ImageSet:
    """The bundled pictures."""
    with np.load(str(files("aigc_models.data") / "starter_files" / "fashion_mnist_5k_1k.npz")) as arrays:
        images = [torch.from_numpy(arrays[f"x_{part}"]).unsqueeze(1) for part in ("train", "test")]
        labels = [torch.from_numpy(arrays[f"y_{part}"]).long() for part in ("train", "test")]
    names = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    return ImageSet(images[0], labels[0], images[1], labels[1], names)


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


class OurDcgan:
    """Our trainer with the networks of the DCGAN example."""

    def __init__(self, steps: int) -> None:
        training.tune_process()
        self._pictures = to_bytes(resize(from_bytes(starter().train), SIDE))
        recipe = Recipe(batch_size=DCGAN_BATCH, steps=steps, ema_half_life=50)
        plan = Plan("dcgan", SIDE, 1, 0, 32, LATENT, False)
        precision = training.choose_precision("cpu")
        self._trainer = Trainer(plan, recipe, precision, make=lambda _: (SameGenerator(), SameDiscriminator()))
        self._batches = training.Batches(len(self._pictures), DCGAN_BATCH, training.seeded(0))

    def step(self) -> int:
        """One batch."""
        self._trainer.step(self._pictures[self._batches.next()], None)
        return DCGAN_BATCH

    def draw(self, count: int) -> Tensor:
        """Shape: (count, 1, 32, 32) in [-1, 1]."""
        noise = torch.randn(count, LATENT, generator=training.seeded(1))
        return draw(self._trainer.ema.module, noise, None)


class OurVae:
    """Our trainer with the network and the loss of the VAE example."""

    def __init__(self, epochs: int) -> None:
        training.tune_process()
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
        self._trainer, self._done = VaeTrainer(Lesson(params, starter(), "cpu")), 0

    def step(self) -> int:
        """One batch."""
        self._trainer.step(self._done)
        self._done += 1
        return VAE_BATCH

    @torch.no_grad()
    def test_loss(self, images: Tensor) -> float:
        """Negative ELBO in nats of one picture, with the averaged weights."""
        x, vae = from_bytes(images), self._trainer.model().networks
        mean, log_variance = vae.encode(x)
        z = mean + torch.randn(mean.shape, generator=training.seeded(0)) * (0.5 * log_variance).exp()
        likelihood = objective.log_likelihood(x, vae.decode(z), "bernoulli").mean()
        return float(objective.kl_to_prior(mean, log_variance).sum(1).mean() - likelihood)


def example_dcgan() -> ExampleDcgan:
    """The example on the bundled pictures."""
    return ExampleDcgan(starter().train, seed=0)


def example_vae() -> ExampleVaeTraining:
    """The example on the bundled pictures."""
    return ExampleVaeTraining(starter().train, seed=0)


def gan_speed(data: ImageSet, quick: bool, out: Path) -> dict[str, float]:
    """Our trainer beside the public DCGAN example: speed, then quality after equally many pictures."""
    total = 12 if quick else 600
    blocks, steps = (2, 2) if quick else (9, 6)
    with Side(OurDcgan, total) as ours, Side(example_dcgan) as peer:
        mine, theirs = in_turns((ours, peer), blocks, steps)
        made = {}
        for name, side in (("ours", ours), ("peer", peer)):
            side.run(total - (blocks + 1) * steps)
            made[name] = side.call("draw", 1000)
    for name, images in made.items():
        save_sheet(images[:60], None, (), out / f"speed_{name}.png")
    fid = {name: domain_fid(data.test, images) for name, images in made.items()}
    return {
        "gan_speedup": mine / theirs,
        "gan_images_per_second": mine,
        "gan_peer_images_per_second": theirs,
        "gan_fid_ratio": fid["ours"] / fid["peer"],
        "gan_fid": fid["ours"],
        "gan_peer_fid": fid["peer"],
    }


def vae_speed(data: ImageSet, quick: bool, out: Path) -> dict[str, float]:  # noqa: ARG001 - one signature for all
    """Our VAE trainer with the example's network and loss, beside the example."""
    epochs = 2 if quick else 10
    blocks = epochs * len(data.train) // VAE_BATCH // 20 - 1
    with Side(OurVae, epochs) as ours, Side(example_vae) as peer:
        mine, theirs = in_turns((ours, peer), blocks, 20)
        losses = [side.call("test_loss", data.test) for side in (ours, peer)]
    return {
        "vae_speedup": mine / theirs,
        "vae_images_per_second": mine,
        "vae_peer_images_per_second": theirs,
        "vae_loss_ratio": losses[0] / losses[1],
        "vae_loss": losses[0],
        "vae_peer_loss": losses[1],
    }
