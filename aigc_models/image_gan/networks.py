"""Generators and discriminators: three backbones, each with or without classes and self-attention.

B batch, C channels, Z latent. Pictures are in [-1, 1].
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.image_gan.plan import Plan
from aigc_models.layers.attention import ImageAttention
from aigc_models.layers.convolution import ClassNorm, ThinConv, UpConv, down_conv, same_conv


def build(plan: Plan) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator of a plan."""
    generators: dict[str, type[nn.Module]] = {"mlp": MlpGenerator, "dcgan": ConvGenerator, "resnet": ResGenerator}
    discriminators: dict[str, type[nn.Module]] = {
        "mlp": MlpDiscriminator,
        "dcgan": ConvDiscriminator,
        "resnet": ResDiscriminator,
    }
    return generators[plan.backbone](plan), discriminators[plan.backbone](plan)


class Latent(nn.Module):
    """The latent vector, with the class's own vector beside it."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.width = plan.latent_dim * (2 if plan.classes else 1)
        self.embedding = nn.Embedding(plan.classes, plan.latent_dim) if plan.classes else None

    def initialise_own(self, generator: torch.Generator) -> None:
        """Class vectors are as long as latent vectors."""
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, generator=generator)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Shape: z (B, Z) to (B, Z) or (B, 2 Z)."""
        if self.embedding is None or labels is None:
            return z
        return torch.cat([z, self.embedding(labels)], 1)


class Judge(nn.Module):
    """The last layer of a discriminator: one number, higher for "real".

    With classes it adds the product of the features with the class's vector
    (Miyato and Koyama 2018).
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.embedding = nn.Embedding(classes, width) if classes else None

    def initialise_own(self, generator: torch.Generator) -> None:
        """Start small, so that the first judgements are near zero."""
        nn.init.normal_(self.linear.weight, std=self.linear.in_features**-0.5, generator=generator)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=self.linear.in_features**-0.5, generator=generator)

    def forward(self, h: Tensor, labels: Tensor | None) -> Tensor:
        """Shape: h (B, width) to (B,)."""
        score: Tensor = self.linear(h).squeeze(1)
        if self.embedding is not None and labels is not None:
            score = score + (h * self.embedding(labels).to(h.dtype)).sum(1)
        return score.float()


class MlpGenerator(nn.Module):
    """Three hidden layers, as in the first GAN."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan, self.latent = plan, Latent(plan)
        widths = [self.latent.width, plan.width * 4, plan.width * 8, plan.width * 8]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.norms = nn.ModuleList(ClassNorm(width, plan.classes) for width in widths[1:])
        self.out = nn.Linear(widths[-1], plan.channels * plan.size**2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: z (B, Z), labels (B,) or None, to (B, C, side, side)."""
        h = self.latent(z, labels)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = F.leaky_relu(norm(layer(h)[:, :, None, None], labels).flatten(1), 0.2)
        side = self.plan.size
        return torch.tanh(self.out(h).float()).view(-1, self.plan.channels, side, side)


class MlpDiscriminator(nn.Module):
    """Three hidden layers."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        widths = [plan.channels * plan.size**2, plan.width * 8, plan.width * 8, plan.width * 4]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.judge = Judge(widths[-1], plan.classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: x (B, C, side, side), labels (B,) or None, to (B,)."""
        h = x.flatten(1)
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
        return self.judge(h, labels)  # type: ignore[no-any-return]


class ConvGenerator(nn.Module):
    """Halving upside down: a small map is doubled and convolved until it is a picture (Radford et al. 2015)."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan, self.latent = plan, Latent(plan)
        widths = plan.widths[::-1]
        self.first = nn.Linear(self.latent.width, widths[0] * plan.base**2)
        self.norms = nn.ModuleList(ClassNorm(width, plan.classes) for width in widths)
        self.ups = nn.ModuleList(UpConv(a, b) for a, b in itertools.pairwise(widths))
        self.attention = ImageAttention(widths[len(widths) // 2]) if plan.attention else None
        self.out = ThinConv(widths[-1], plan.channels)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: z (B, Z), labels (B,) or None, to (B, C, side, side)."""
        h = self.first(self.latent(z, labels)).view(len(z), -1, self.plan.base, self.plan.base)
        h = F.leaky_relu(self.norms[0](h.contiguous(memory_format=torch.channels_last), labels), 0.2)
        for index, up in enumerate(self.ups):
            h = F.leaky_relu(self.norms[index + 1](up(h), labels), 0.2)
            if self.attention is not None and index + 1 == len(self.norms) // 2:
                h = self.attention(h)
        return torch.as_tensor(torch.tanh(self.out(h).float()))


class ConvDiscriminator(nn.Module):
    """Strided convolutions down to a small map; no norms, so that pictures are judged one by one."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        widths = [plan.channels, *plan.widths[1:]]
        self.downs = nn.ModuleList(down_conv(a, b) for a, b in itertools.pairwise(widths))
        self.attention = ImageAttention(widths[len(widths) // 2]) if plan.attention else None
        self.last = same_conv(widths[-1], widths[-1])
        self.hidden = nn.Linear(widths[-1] * plan.base**2, plan.width * 8)
        self.judge = Judge(plan.width * 8, plan.classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: x (B, C, side, side), labels (B,) or None, to (B,)."""
        h = x.contiguous(memory_format=torch.channels_last)
        for index, down in enumerate(self.downs):
            h = F.leaky_relu(down(h), 0.2)
            if self.attention is not None and index + 1 == (len(self.downs) + 1) // 2:
                h = self.attention(h)
        h = F.leaky_relu(self.last(h), 0.2)
        h = F.leaky_relu(self.hidden(h.flatten(1)), 0.2)
        return self.judge(h, labels)  # type: ignore[no-any-return]


class UpBlock(nn.Module):
    """Norm, double, convolve, twice, beside a short cut."""

    def __init__(self, channels: int, out_channels: int, classes: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ClassNorm(channels, classes), ClassNorm(out_channels, classes)
        self.up = UpConv(channels, out_channels)
        self.conv = same_conv(out_channels, out_channels)
        self.skip = nn.Conv2d(channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Shape: (B, C, H, W) to (B, out_channels, 2 H, 2 W)."""
        h = self.up(F.leaky_relu(self.norm1(x, labels), 0.2))
        h = self.conv(F.leaky_relu(self.norm2(h, labels), 0.2))
        return torch.as_tensor(h + F.interpolate(self.skip(x), scale_factor=2.0))


class ResGenerator(nn.Module):
    """Residual blocks between a small map and the picture (Gulrajani et al. 2017)."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan, self.latent = plan, Latent(plan)
        widths = plan.widths[::-1]
        self.first = nn.Linear(self.latent.width, widths[0] * plan.base**2)
        self.blocks = nn.ModuleList(UpBlock(a, b, plan.classes) for a, b in itertools.pairwise(widths))
        self.attention = ImageAttention(widths[len(widths) // 2]) if plan.attention else None
        self.norm = ClassNorm(widths[-1], plan.classes)
        self.out = ThinConv(widths[-1], plan.channels)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: z (B, Z), labels (B,) or None, to (B, C, side, side)."""
        h = self.first(self.latent(z, labels)).view(len(z), -1, self.plan.base, self.plan.base)
        h = h.contiguous(memory_format=torch.channels_last)
        for index, block in enumerate(self.blocks):
            h = block(h, labels)
            if self.attention is not None and index + 1 == (len(self.blocks) + 1) // 2:
                h = self.attention(h)
        return torch.tanh(self.out(F.leaky_relu(self.norm(h, labels), 0.2)).float())


class DownBlock(nn.Module):
    """Two convolutions and a halving, beside a short cut."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = same_conv(channels, channels)
        self.down = down_conv(channels, out_channels)
        self.skip = nn.Conv2d(channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, C, H, W) to (B, out_channels, H / 2, W / 2)."""
        h = self.down(F.leaky_relu(self.conv1(F.leaky_relu(x, 0.2)), 0.2))
        return torch.as_tensor((h + self.skip(F.avg_pool2d(x, 2))) * 0.7071)


class ResDiscriminator(nn.Module):
    """Residual blocks down to a small map; no norms."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        widths = plan.widths
        self.first = same_conv(plan.channels, widths[0])
        self.blocks = nn.ModuleList(DownBlock(a, b) for a, b in itertools.pairwise(widths))
        self.attention = ImageAttention(widths[len(widths) // 2]) if plan.attention else None
        self.last = same_conv(widths[-1], widths[-1])
        self.hidden = nn.Linear(widths[-1] * plan.base**2, plan.width * 8)
        self.judge = Judge(plan.width * 8, plan.classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shape: x (B, C, side, side), labels (B,) or None, to (B,)."""
        h = self.first(x.contiguous(memory_format=torch.channels_last))
        for index, block in enumerate(self.blocks):
            h = block(h)
            if self.attention is not None and index + 1 == (len(self.blocks) + 1) // 2:
                h = self.attention(h)
        h = F.leaky_relu(self.last(F.leaky_relu(h, 0.2)), 0.2)
        h = F.leaky_relu(self.hidden(h.flatten(1)), 0.2)
        return self.judge(h, labels)  # type: ignore[no-any-return]
