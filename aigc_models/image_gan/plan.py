"""What the networks look like, and what they cost, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Plan:
    """The shape of a generator and its discriminator.

    Attributes:
        backbone: ``mlp``, ``dcgan`` or ``resnet``.
        size: Side of the square pictures, in pixels.
        channels: 1 for grey, 3 for RGB.
        classes: Number of classes the networks know of; 0 for none.
        width: Channels at full resolution; doubled at each halving, up to eight times.
        latent_dim: Numbers a picture is made from.
        attention: Whether a self-attention block stands in the middle.
    """

    backbone: str
    size: int
    channels: int
    classes: int
    width: int
    latent_dim: int
    attention: bool

    @property
    def levels(self) -> int:
        """How often the side is halved before it is 7 or less (28 -> 7, 32 -> 4, 256 -> 4)."""
        side, levels = self.size, 0
        while side % 2 == 0 and side > 7:
            side, levels = side // 2, levels + 1
        return levels

    @property
    def base(self) -> int:
        """The smallest side."""
        return self.size >> self.levels

    @property
    def widths(self) -> list[int]:
        """Channels at each level, from full resolution down."""
        return [int(self.width * min(2**level, 8)) for level in range(self.levels + 1)]


@dataclass(frozen=True, slots=True)
class Cost:
    """Trainable numbers, and millions of multiplications for one picture, of both networks."""

    parameters: int
    generator_millions: float
    discriminator_millions: float


def cost(plan: Plan) -> Cost:
    """Close to what the networks really have (a few percent; norms and attention are left out)."""
    generator, discriminator = (_mlp if plan.backbone == "mlp" else _convolutional)(plan)
    classes = plan.classes * (plan.latent_dim + plan.width * 8)
    total = sum(weights for weights, _ in generator + discriminator) + classes
    return Cost(int(total), _millions(generator), _millions(discriminator))


Layers = list[tuple[int, float]]  # weights, and how often each is used for one picture


def _millions(layers: Layers) -> float:
    return sum(weights * uses for weights, uses in layers) / 1e6


def _mlp(plan: Plan) -> tuple[Layers, Layers]:
    pixels, w = plan.channels * plan.size**2, plan.width
    up = [plan.latent_dim * (2 if plan.classes else 1), w * 4, w * 8, w * 8, pixels]
    down = [pixels, w * 8, w * 8, w * 4, 1]
    return [(a * b, 1) for a, b in pairwise(up)], [(a * b, 1) for a, b in pairwise(down)]


def _convolutional(plan: Plan) -> tuple[Layers, Layers]:
    widths, res = plan.widths, plan.backbone == "resnet"
    latent, small = plan.latent_dim * (2 if plan.classes else 1), plan.base**2
    up: Layers = [(latent * widths[-1] * small, 1), (9 * widths[0] * plan.channels, plan.size**2)]
    down: Layers = [(9 * widths[-1] ** 2, small), (widths[-1] * small * plan.width * 8, 1)]
    if res:
        down.append((9 * plan.channels * widths[0], plan.size**2))
    for level in range(plan.levels):
        wide, narrow, area = widths[level + 1], widths[level], (plan.size >> level) ** 2
        up.append((9 * wide * narrow, area * 4 / 9))  # sixteen products for four pixels, see UpConv
        entering = narrow if res or level else plan.channels
        down.append((16 * entering * wide, area / 4))
        if res:
            up += [(9 * narrow * narrow, area), (wide * narrow, area / 4)]
            down += [(9 * narrow * narrow, area), (narrow * wide, area / 4)]
    return up, down
