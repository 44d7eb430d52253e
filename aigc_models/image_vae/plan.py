"""What the networks look like, and what they cost, without torch: the form shows it before a job is queued."""

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Plan:
    """What the networks look like.

    Attributes:
        backbone: ``conv`` or ``mlp``.
        channels: 1 for grey, 3 for RGB.
        height: Height of the pictures in pixels.
        width: Width of the pictures in pixels.
        features: Channels of the first convolution; doubled at each halving, up to four times.
        latent_dim: Numbers a picture is described by.
        outputs: Numbers the decoder gives for each pixel value (1, or 2 with a scale).
    """

    backbone: str
    channels: int
    height: int
    width: int
    features: int
    latent_dim: int
    outputs: int

    @property
    def levels(self) -> int:
        """How often the sides are halved before the longer one is 7 or less."""
        return max(1, math.ceil(math.log2(max(self.height, self.width) / 7)))

    @property
    def base(self) -> tuple[int, int]:
        """Height and width of the smallest map."""
        return -(-self.height // 2**self.levels), -(-self.width // 2**self.levels)

    @property
    def widths(self) -> list[int]:
        """Channels after each halving, from the largest map to the smallest."""
        return [self.features * min(2**level, 4) for level in range(self.levels)]

    @property
    def hidden(self) -> int:
        """Numbers between the smallest map and the latent ones, and in the hidden layer of the mlp."""
        return self.features * 25 // 2 if self.backbone == "mlp" else self.features * 8

    @property
    def dimensions(self) -> int:
        """Pixel values of a picture."""
        return self.channels * self.height * self.width


@dataclass(frozen=True, slots=True)
class Cost:
    """Trainable numbers, and millions of multiplications for one picture there and back."""

    parameters: int
    millions: float


def cost(plan: Plan) -> Cost:
    """Close to what the networks really have (norms and biases are left out)."""
    layers = _mlp(plan) if plan.backbone == "mlp" else _convolutional(plan)
    weights = sum(count for count, _ in layers)
    return Cost(weights, sum(count * uses for count, uses in layers) / 1e6)


def _mlp(plan: Plan) -> list[tuple[int, float]]:
    """Weights of each layer, and how often each is used for one picture."""
    return [
        (plan.dimensions * plan.hidden, 1),
        (plan.hidden * plan.latent_dim * 3, 1),
        (plan.hidden * plan.dimensions * plan.outputs, 1),
    ]


def _convolutional(plan: Plan) -> list[tuple[int, float]]:
    small = math.prod(plan.base)
    deepest = plan.widths[-1]
    layers: list[tuple[int, float]] = [
        (9 * deepest**2 * 2, small),
        (deepest * small * plan.hidden * 2, 1),
        (plan.hidden * plan.latent_dim * 3, 1),
        (9 * plan.features * plan.outputs * plan.channels, small * 4**plan.levels),
    ]
    for level, (wide, narrow) in enumerate(pairwise([*reversed(plan.widths), plan.features])):
        layers.append((9 * wide * narrow, small * 4 ** (level + 1) * 4 / 9))  # four products a pixel, see UpConv
    for level, (narrow, wide) in enumerate(pairwise([plan.channels, *plan.widths]), start=1):
        layers.append((16 * narrow * wide, small * 4 ** (plan.levels - level)))
    return layers


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """What the networks of the tokens tier look like.

    Attributes:
        channels: 1 for grey, 3 for RGB.
        height: Height of the pictures in pixels.
        width: Width of the pictures in pixels.
        features: Channels of the first convolution; doubled once.
        outputs: Numbers the decoder gives for each pixel value (1, or 2 with a scale).
    """

    channels: int
    height: int
    width: int
    features: int
    outputs: int

    @property
    def levels(self) -> int:
        """How often the sides are halved before the longer one is 8 or less."""
        return max(1, math.ceil(math.log2(max(self.height, self.width) / 8)))

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens down and across a picture."""
        return -(-self.height // 2**self.levels), -(-self.width // 2**self.levels)

    @property
    def tokens(self) -> int:
        """Tokens of a picture."""
        return math.prod(self.grid)

    @property
    def steps(self) -> tuple[int, ...]:
        """Values of each number of a token; their product is how many different tokens there are."""
        return (8, 6, 5) if self.channels == 1 else (8, 5, 5, 5)

    @property
    def codes(self) -> int:
        """How many different tokens there are."""
        return math.prod(self.steps)

    @property
    def dimensions(self) -> int:
        """Pixel values of a picture."""
        return self.channels * self.height * self.width

    @property
    def widths(self) -> list[int]:
        """Channels after each halving, from the largest map to the smallest."""
        return [self.features * min(2**level, 2) for level in range(self.levels)]


PRIOR_WIDTH, PRIOR_LAYERS, PRIOR_HEADS = 128, 4, 4


def token_cost(plan: TokenPlan) -> tuple[Cost, Cost]:
    """What the autoencoder costs, and what the prior over its tokens."""
    deepest, small = plan.widths[-1], plan.tokens
    layers: list[tuple[int, float]] = [
        (10 * deepest**2 * 4, small),
        (deepest * len(plan.steps) * 10, small),
        (9 * plan.features * plan.outputs * plan.channels, small * 4**plan.levels),
    ]
    for level, (wide, narrow) in enumerate(pairwise([*reversed(plan.widths), plan.features])):
        layers.append((9 * wide * narrow, small * 4 ** (level + 1) * 4 / 9))
    for level, (narrow, wide) in enumerate(pairwise([plan.channels, *plan.widths]), start=1):
        layers.append((16 * narrow * wide, small * 4 ** (plan.levels - level)))
    autoencoder = Cost(sum(count for count, _ in layers), sum(count * uses for count, uses in layers) / 1e6)
    weights = PRIOR_LAYERS * 12 * PRIOR_WIDTH**2 + PRIOR_WIDTH * (2 * plan.codes + small)
    return autoencoder, Cost(weights, weights * small / 1e6)
