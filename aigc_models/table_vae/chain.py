"""A row said column by column, each given those before it: what belongs together inside a row is not left to chance.

Drawn each by itself given latent numbers, the columns of a row agree only as far as these numbers tell all of them
exactly, and then no simple prior can draw such numbers. Here every column reads the ones before it, so the latent
numbers only need to say what rows of an account have in common (Chen et al. 2017, "Variational Lossy Autoencoder").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aigc_models.table_vae.objective import LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION
from aigc_models.tables.layout import Layout


@dataclass(frozen=True, slots=True)
class Link:
    """One column of the chain.

    Attributes:
        segment: Which segment says its code; -1 where it has one code only.
        width: Codes of the segment.
        number: Which number goes with it; -1 for none.
        modes: The number's modes.
    """

    segment: int
    width: int
    number: int
    modes: int


def links_of(layout: Layout) -> tuple[Link, ...]:
    """The columns in their order: segments as they stand, and then numbers without one."""
    own = layout.modes or ((-1, 0, 1),) * layout.scalars
    by_segment = {segment: number for number, (segment, _, _) in enumerate(own) if segment >= 0}
    found = []
    for segment, width in enumerate(layout.widths):
        number = by_segment.get(segment, -1)
        found.append(Link(segment, width, number, own[number][2] if number >= 0 else 0))
    lonely = [number for number, (segment, _, _) in enumerate(own) if segment < 0]
    return (*found, *(Link(-1, 0, number, own[number][2]) for number in lonely))


def columns_of(links: Sequence[Link]) -> list[int]:
    """In which column each number stands, by number."""
    return [place for _, place in sorted((link.number, place) for place, link in enumerate(links) if link.number >= 0)]


class RowReader(nn.Module):
    """What each column of a row adds to what is known of it. Shape: (R, S) and (R, K) to (R, columns, width)."""

    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__()
        self.layout, self.links = layout, links_of(layout)
        self.codes = nn.Embedding(max(sum(layout.widths), 1), width)
        self.slopes = nn.Embedding(max(layout.numbers, 1), width)  # by a number's mode, times the number

    def initialise_own(self, generator: torch.Generator) -> None:
        """Columns that are told from the first step on."""
        for table in (self.codes, self.slopes):
            nn.init.normal_(table.weight, std=0.3, generator=generator)

    def forward(self, scalars: Tensor, codes: Tensor) -> Tensor:
        """Shape: numbers (R, S) and codes (R, K) to (R, columns, width)."""
        layout = self.layout
        entries = codes.long() + (layout.offsets - layout.scalars).to(codes.device)
        places, there = layout.mode_of(codes)
        parts = [self.codes(entries)] if layout.widths else []
        lonely = len(self.links) - len(layout.widths)
        parts += [self.slopes.weight.new_zeros(len(codes), lonely, self.slopes.embedding_dim)]
        if not layout.scalars:
            return torch.cat(parts, 1)
        numbers = self.slopes(places) * (scalars * there).unsqueeze(2)  # (R, S, width)
        return torch.cat(parts, 1).index_add(1, torch.tensor(columns_of(self.links), device=codes.device), numbers)


class RowChain(nn.Module):
    """A neural autoregressive estimator of a row's distribution, given what is known before it.

    Source: Larochelle and Murray 2011, equations 1 to 3; for numbers Uria et al. 2013, with one Gaussian for each mode
    of the column in place of their mixture. Beyond them one more layer that all columns share.
    """

    def __init__(self, context: int, width: int, layout: Layout) -> None:
        super().__init__()
        self.layout, self.links = layout, links_of(layout)
        self.reader = RowReader(layout, width)
        self.start = nn.Linear(context, width)
        self.places = nn.Embedding(len(self.links), width)
        self.deeper = nn.Linear(width, width)
        self.heads = nn.ModuleList(nn.Linear(width, link.width + 2 * link.modes) for link in self.links)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Deviations that start at a tenth of a mode's span, and even chances."""
        for head, link in zip(self.heads, self.links, strict=True):
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=0.02, generator=generator)
            nn.init.zeros_(head.bias)
            nn.init.constant_(head.bias[link.width + link.modes :], -1.6)

    def forward(self, context: Tensor, scalars: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each column may say given the row's columns before it.

        Shape: context (R, C), numbers (R, S), codes (R, K) to numbers of the modes (R, M), before tanh, their
        log-deviations (R, M), and logits of the segments (R, D - S).
        """
        read = self.reader(scalars, codes)
        before = read.cumsum(1) - read
        hidden = self._hidden(self.start(context)[:, None] + before + self.places.weight)
        said = [head(hidden[:, place]) for place, head in enumerate(self.heads)]
        logits = [one[:, : link.width] for one, link in zip(said, self.links, strict=True) if link.width]
        means = [said[place][:, self.links[place].width :].chunk(2, 1) for place in columns_of(self.links)]
        empty = context.new_zeros(len(context), 0)
        return (
            torch.cat([empty, *(mean for mean, _ in means)], 1),
            torch.cat([empty, *(spread for _, spread in means)], 1),
            torch.cat([empty, *logits], 1),
        )

    def _hidden(self, known: Tensor) -> Tensor:
        hidden = known.relu()
        deeper: Tensor = self.deeper(hidden).relu_()
        return hidden + deeper

    def write(self, context: Tensor, draws: tuple[Tensor, Tensor], shut: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Draw rows, one column after the other.

        Shape: context (R, C), normal draws (R, S) and uniform ones (R, K), and by segment the codes that are shut off,
        (R, width) of yes or no, to numbers (R, S) and codes (R, K).
        """
        normal, uniform = draws
        rows, layout = len(context), self.layout
        scalars, codes = context.new_zeros(rows, layout.scalars), context.new_zeros(rows, len(layout.widths)).short()
        known, first = self.start(context), self.modes_first()
        for place, (head, link) in enumerate(zip(self.heads, self.links, strict=True)):
            said = head(self._hidden(known + self.places.weight[place]))
            if link.segment >= 0:
                logits = said[:, : link.width]
                if link.segment in shut:
                    logits = logits.masked_fill(shut[link.segment], -torch.inf)
                upto = logits.softmax(1).cumsum(1)
                reached = (uniform[:, link.segment, None] * upto[:, -1:]).expand(-1, 1)
                code = (upto[:, :-1] <= reached).sum(1)
                codes[:, link.segment] = code.short()
                known = known + self.reader.codes(code + int(layout.offsets[link.segment]) - layout.scalars)
            if link.number >= 0:
                places, there = (each[:, link.number] for each in layout.mode_of(codes))
                mode = (places - first[link.number])[:, None]
                mean, spread = (each.gather(1, mode)[:, 0] for each in said[:, link.width :].chunk(2, 1))
                deviation = spread.clamp(LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION).exp()
                number = (mean.tanh() + deviation * normal[:, link.number]).clamp(-1, 1) * there
                scalars[:, link.number] = number
                known = known + self.reader.slopes(places) * number[:, None]
        return scalars, codes

    def modes_first(self) -> list[int]:
        """The place of each number's first mode among all modes."""
        counts = [count for _, _, count in self.layout.modes or ((-1, 0, 1),) * self.layout.scalars]
        return [sum(counts[:number]) for number in range(len(counts))]
