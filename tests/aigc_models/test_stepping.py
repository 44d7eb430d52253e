"""A token more of many texts in NumPy: what PyTorch would say, and the same bit for bit in any company."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from aigc_models import training
from aigc_models.layers.few_rows import LEAST, Numbers, agrees, cut
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.text_transformer.plan import Plan
from aigc_models.text_transformer.stepping import Stepper


def network(key_heads: int, width: int = 64, context: int = 80) -> TextTransformer:
    made = TextTransformer(Plan(90, width, 2, 4, key_heads, context))
    training.initialise(made, training.seeded(3))
    for name, weight in made.named_parameters():  # fresh blocks pass on what they read; norms are all ones
        if name.endswith(("out.weight", "narrow.weight", "norm.weight", "norm_forward.weight")):
            nn.init.normal_(weight, mean=float(weight.dim() == 1), std=0.2, generator=training.seeded(4))
    return made.eval()


def steps(made: TextTransformer, texts: Sequence[Sequence[int]], reads: int) -> list[Numbers]:
    """Scores after each of the last tokens of texts that are read together, (rows, V) each."""
    folded = made.folded()
    assert folded is not None
    stepper, found = Stepper(folded, len(texts)), []
    with torch.inference_mode(), np.errstate(over="ignore"):
        for row, text in enumerate(texts):
            caches = made.caches(1)
            known = len(text) - reads
            if known:
                seen = torch.full((known, known), -torch.inf).triu(1)
                made.read(torch.tensor([text[:known]]), torch.arange(known)[None], seen, caches)
            stepper.put(row, caches)
        for place in range(reads):
            stepper.read([text[len(text) - reads + place] for text in texts])
            found.append(stepper.scores.copy())
    return found


@pytest.mark.parametrize("key_heads", [1, 4])
def test_scores_are_those_of_the_whole_network_and_the_same_in_any_company(key_heads: int) -> None:
    made, drawn = network(key_heads), np.random.default_rng(1)
    texts = [drawn.integers(0, 90, length).tolist() for length in (12, 30, 30, 44, 70)]
    together = steps(made, texts, 10)
    for row, text in enumerate(texts):
        (alone,) = zip(*steps(made, [text], 10), strict=True)
        assert all(np.array_equal(one, all_[row]) for one, all_ in zip(alone, together, strict=True))
        with torch.inference_mode():
            expected = made.see(torch.tensor([text]))[1][0, -10:].numpy()
        np.testing.assert_allclose(np.stack(alone), expected, atol=2e-5)


def test_what_is_learnt_meanwhile_counts() -> None:
    made = network(4)
    before = steps(made, [[1, 2]], 1)[0]
    assert made.folded() is made.folded()
    adam = torch.optim.AdamW(made.parameters(), lr=0.01, fused=True)
    made.losses(torch.tensor([[1, 2]]), torch.tensor([[2, 3]])).mean().backward()
    adam.step()
    assert not np.allclose(steps(made, [[1, 2]], 1)[0], before, atol=1e-3)


def test_products_are_cut_so_that_no_row_is_left_alone() -> None:
    for shape in ((128, 704), (352, 128), (700, 900), (1500, 900)):
        for rows in (2, 9, 17, 25, 64):
            parts = cut(rows, np.zeros(shape, np.float32))
            assert {row for part in parts for row in range(rows)[part]} == set(range(rows))
            assert min(len(range(rows)[part]) for part in parts) >= LEAST


def test_an_order_of_additions_that_follows_from_the_shape_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    matrices = [np.random.default_rng(2).standard_normal((96, 64), dtype=np.float32)]
    plain = np.dot

    def otherwise(rows: Numbers, matrix: Numbers, out: Numbers) -> None:
        if len(rows) < 8:
            plain(rows, matrix, out)
        else:
            plain(rows[:, ::-1].copy(), matrix[::-1].copy(), out)

    monkeypatch.setattr(np, "dot", otherwise)
    assert not agrees(matrices)
