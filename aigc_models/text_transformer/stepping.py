"""One token more of many texts at once, in NumPy: a narrow network spends its time on the way to PyTorch's kernels.

What a row reads is the same whatever rows stand beside it: products are those of :mod:`~aigc_models.layers.few_rows`,
everything else goes row by row, and each row looks at as many places as its own length rounded up to :data:`STEP`.

N rows, K heads of keys and values, G heads of queries for each, S places, E numbers of a head, D width.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from aigc_models.layers.few_rows import Numbers, filled_up, product
from aigc_models.layers.transformer import LayerCache
from aigc_models.text_transformer.folded import Folded, FoldedBlock

STEP = 16


class Stepper:
    """Keys and values of rows that stand at places of their own, and what is expected after each.

    Args:
        folded: The network's weights.
        rows: How many.

    Attributes:
        lengths: Tokens each row has read.
        scores: Of the token after these, (N, V).
    """

    def __init__(self, folded: Folded, rows: int) -> None:
        plan = folded.plan
        self._folded = folded
        shape = (plan.num_layers, rows, plan.key_heads, plan.context, plan.width // plan.num_heads)
        self._values = np.zeros(shape, np.float32)
        self._keys = np.zeros((*shape[:3], shape[4], shape[3]), np.float32)  # as products with queries want them
        self._hidden = np.full((rows, plan.context), -np.inf, np.float32)
        self.lengths = np.zeros(rows, np.int64)
        self.scores = np.zeros((rows, plan.vocabulary), np.float32)
        self._line_up()

    def put(self, row: int, read: Sequence[LayerCache]) -> None:
        """Take in what was read of one row by itself; of no caches, nothing."""
        used = read[0].used if read else 0
        for keys, values, layer in zip(self._keys, self._values, read, strict=False):
            keys[row, :, :, :used] = layer.keys[0, :, :used].numpy().swapaxes(1, 2)
            values[row, :, :used] = layer.values[0, :, :used].numpy()
        self.lengths[row] = used
        self._hidden[row] = np.where(np.arange(self._folded.plan.context) < used, 0, -np.inf)
        self._left = 0  # until rows are lined up anew

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some of the rows, in this order."""
        kept = np.array(rows, np.int64)
        self._keys, self._values = self._keys[:, kept], self._values[:, kept]
        self._hidden, self.lengths, self.scores = self._hidden[kept], self.lengths[kept], self.scores[kept]
        self._line_up()

    @property
    def scattered(self) -> bool:
        """Whether rows that look at as many places stand apart, so that it is worth sorting them."""
        if self._left:
            return False
        looked = [places for places, _ in groupby(self._looked().tolist())]
        return len(looked) > len(set(looked))

    def full(self) -> list[int]:
        """Rows that have no place left, to be put anew."""
        if self._left:
            return []
        return np.flatnonzero(self.lengths == self._folded.plan.context).tolist()

    def read(self, tokens: Sequence[int]) -> None:
        """Read a token of each row."""
        if self._left == 0:
            self._arrange()
        self._left -= 1
        work, folded, places, own = self._work, self._folded, self.lengths, self._own
        folded.tokens.take(tokens, 0, work.x[: len(own)], "clip")
        folded.turned.take(places, 0, work.turned, "clip")
        alike = self._alike
        if alike:
            place = int(places[0])
            self._hidden[:, place] = 0
        else:
            self._hidden[own, places] = 0
        for layer, (keys, values) in enumerate(self._layers):
            work.turn_heads(layer)
            if alike:
                keys[:, :, :, place], values[:, :, place] = work.key, work.value
            else:
                keys[own, :, :, places], values[own, :, places] = work.key, work.value
            for group in self._groups:
                group.mix(layer)
            work.go_through(layer)
        self.scores = work.score()[: len(own)]
        places += 1

    def _line_up(self) -> None:
        """Make room to compute for so many rows."""
        self._own = np.arange(len(self.lengths))
        self._work = _Work(self._folded, len(self.lengths))
        self._left = 0

    def _looked(self) -> NDArray[np.int64]:
        """At how many places each row looks when it reads one more."""
        return np.minimum(self.lengths // STEP * STEP + STEP, self._folded.plan.context)

    def _arrange(self) -> None:
        """Put neighbours together that look at as many places, for as many tokens as that stays so."""
        looked, self._groups, start = self._looked(), [], 0
        self._layers = list(zip(self._keys, self._values, strict=True))
        self._alike = bool((self.lengths == self.lengths[0]).all())
        for places, group in groupby(looked.tolist()):
            stop = start + len(list(group))
            rows = slice(start, stop)
            layers = zip(self._keys[:, rows, :, :, :places], self._values[:, rows, :, :places], strict=True)
            hidden = self._hidden[rows, None, None, :places]
            self._groups.append(_Group(list(layers), hidden, self._work.query[rows], self._work.mixed[rows]))
            start = stop
        self._left = int((looked - self.lengths).min())


class _Group:
    """Rows that look at as many places.

    Args:
        layers: Keys (N, K, E, S) and values (N, K, S, E) of each block.
        hidden: What is added to their attention, (N, 1, 1, S).
        query: (N, K, G, E).
        mixed: What they see, (N, K, G, E).
    """

    def __init__(self, layers: list[tuple[Numbers, Numbers]], hidden: Numbers, query: Numbers, mixed: Numbers) -> None:
        self._look: Callable[..., object] = np.matmul
        if query.shape[2] == 1:  # single rows have a faster way
            self._look, query, mixed, hidden = np.vecmat, query[:, :, 0], mixed[:, :, 0], hidden[:, :, 0]
        self._layers, self._hidden, self._query, self._mixed = layers, hidden, query, mixed
        self._shares = np.empty((*query.shape[:-1], hidden.shape[-1]), np.float32)
        self._each = np.empty((*query.shape[:-1], 1), np.float32)

    def mix(self, layer: int) -> None:
        """Scaled dot-product attention."""
        (keys, values), shares, each = self._layers[layer], self._shares, self._each
        self._look(self._query, keys, out=shares)
        np.add(shares, self._hidden, out=shares)
        np.maximum.reduce(shares, axis=-1, keepdims=True, out=each)
        np.subtract(shares, each, out=shares)
        np.exp(shares, out=shares)
        np.add.reduce(shares, axis=-1, keepdims=True, out=each)
        self._look(shares, values, out=self._mixed)
        np.divide(self._mixed, each, out=self._mixed)


class _Work:
    """Where a token of so many rows is computed; all views are made once.

    Attributes:
        x: What goes from block to block, (N, D), with rows that fill up.
        turned: By how much the rows' places turn, complex (N, E / 2), of the real rows only as all below.
        query: (N, K, G, E).
        key: (N, K, E).
        value: (N, K, E).
        mixed: What attention gives, (N, K, G, E).
    """

    def __init__(self, folded: Folded, rows: int) -> None:
        plan, full = folded.plan, filled_up(rows)
        E, K = plan.width // plan.num_heads, plan.key_heads
        both = (plan.num_heads + K) * E
        self._smallest = folded.smallest
        self.x, self._normed, self._step = (np.zeros((full, plan.width), np.float32) for _ in range(3))
        self._size = np.zeros((full, 1), np.float32)
        self._sizes = self._size[:, 0]
        self._heads = np.zeros((full, both + K * E), np.float32)
        pairs = self._heads[:rows, :both].view(np.complex64)
        self._pairs = pairs.reshape(rows, plan.num_heads + K, E // 2)
        self.turned = np.zeros((rows, E // 2), np.complex64)
        self._turned = self.turned[:, None]
        self._turned_pairs = np.zeros(self._pairs.shape, np.complex64)
        turned = self._turned_pairs.view(np.float32)  # (N, H + K, E)
        self.query = turned[:, : plan.num_heads].reshape(rows, K, plan.num_heads // K, E)
        self.key, self.value = turned[:, plan.num_heads :], self._heads[:rows, both:].reshape(rows, K, E)
        mixed = np.zeros((full, plan.width), np.float32)
        self.mixed = mixed[:rows].reshape(self.query.shape)
        self._forward = _Forward(self._normed, self._step, plan.block().hidden)
        scores = np.zeros((full, folded.scores.shape[1]), np.float32)
        self._scores, self._score = scores[:, : plan.vocabulary], product(self._normed, folded.scores, scores)
        self._blocks = [self._products(block, mixed) for block in folded.blocks]

    def _products(self, block: FoldedBlock, mixed: Numbers) -> tuple[Callable[[], object], ...]:
        return (
            product(self._normed, block.heads, self._heads),
            product(mixed, block.out, self._step),
            self._forward.through(block),
        )

    def turn_heads(self, layer: int) -> None:
        """Queries, keys and values of all rows."""
        self._norm()
        self._blocks[layer][0]()
        np.multiply(self._pairs, self._turned, out=self._turned_pairs)

    def go_through(self, layer: int) -> None:
        """From what attention gives to the next block."""
        _, out, forward = self._blocks[layer]
        out()
        np.add(self.x, self._step, out=self.x)
        self._norm()
        forward()
        np.add(self.x, self._step, out=self.x)

    def score(self) -> Numbers:
        """Scores of the next token, (N, V)."""
        self._norm()
        self._score()
        return self._scores

    def _norm(self) -> None:
        """Rows of length one."""
        np.vecdot(self.x, self.x, out=self._sizes)
        np.add(self._size, self._smallest, out=self._size)
        np.sqrt(self._size, out=self._size)
        np.divide(self.x, self._size, out=self._normed)


class _Forward:
    """SwiGLU from some memory to some other.

    Args:
        normed: (N, D).
        step: (N, D).
        hidden: Numbers inside, F.
    """

    def __init__(self, normed: Numbers, step: Numbers, hidden: int) -> None:
        self._normed, self._step = normed, step
        self._both = np.zeros((len(normed), 2 * hidden), np.float32)
        self._opened, self._inside = (np.zeros((len(normed), hidden), np.float32) for _ in range(2))

    def through(self, block: FoldedBlock) -> Callable[[], None]:
        """What computes a block's."""
        widen = product(self._normed, block.wide, self._both)
        narrow = product(self._inside, block.narrow, self._step)
        gate, up = np.split(self._both, 2, axis=1)  # both negative
        opened, inside = self._opened, self._inside

        def forward() -> None:
            widen()
            np.exp(gate, out=opened)  # without bound where a gate is shut: what is divided by it is nothing
            np.add(opened, 1, out=opened)
            np.multiply(gate, up, out=inside)
            np.divide(inside, opened, out=inside)
            narrow()

        return forward
