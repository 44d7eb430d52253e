"""What goes into a table model comes out again: values, types, chances; and the gradients written by hand are right."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from aigc_models import training
from aigc_models.base import InputError
from aigc_models.data.tables import Column, Table
from aigc_models.table_gan.networks import Critic
from aigc_models.table_gan.wishes import Wishes
from aigc_models.tables import identifiers
from aigc_models.tables.copies import compared, hash_rows, known_in
from aigc_models.tables.encoding import Choices, fit_encoder, read_encoder
from aigc_models.tables.layout import Layout, cross_entropy
from aigc_models.tables.mixture import fit_mixtures
from tests.aigc_models.tiny_tables import tiny_table

LAYOUT = Layout(2, (2, 3, 3, 5))


def test_a_table_comes_back_as_it_was() -> None:
    table = tiny_table(500)
    encoder = fit_encoder(table, Choices())
    again = read_encoder(encoder.columns, encoder.told(), encoder.hashes)
    back = again.decode(encoder.encode(table, seed=1), np.random.default_rng(0))
    assert [column.name for column in back.columns] == ["编号", "Status", "Age", "Income", "Day", "Married", "Land"]
    for name in ("Status", "Age", "Day", "Married", "Land"):
        np.testing.assert_array_equal(back.cells[name], table.cells[name])
    np.testing.assert_allclose(back.cells["Income"], table.cells["Income"], atol=0.011)
    assert encoder.dropped == ("Note",)
    assert again.layout == encoder.layout
    assert list(encoder.layout.widths) == sorted(encoder.layout.widths)


def test_values_that_many_rows_hold_come_back_exactly() -> None:
    draws = np.random.default_rng(0)
    gains = np.where(draws.random(2000) < 0.8, 0.0, draws.lognormal(7, 1, 2000))
    table = Table((Column("gain", "continuous", decimals=6),), {"gain": gains})
    codec = fit_encoder(table, Choices()).codecs["gain"]
    numbers, codes = codec.encode(gains, np.random.default_rng(1))
    assert codec.atoms == (0.0,)  # type: ignore[union-attr]
    assert np.mean(codes == 0) == np.mean(gains == 0)
    back = codec.decode(numbers, codes)
    assert np.all((back == 0) == (gains == 0))
    assert np.mean(np.abs(back - gains) < 1e-3) > 0.99  # the last tail lies beyond four deviations


def test_a_mixture_finds_the_modes_of_all_columns_at_once() -> None:
    draws = np.random.default_rng(0)
    two = np.concatenate([draws.normal(-5, 0.5, 3000), draws.normal(20, 2, 1000)])
    flat = draws.uniform(100, 101, 200)
    first, second = fit_mixtures([two, flat])
    left = first.means < 5
    assert first.weights[left].sum() == pytest.approx(0.75, abs=0.02)
    assert first.weights @ first.means == pytest.approx(two.mean(), abs=0.1)
    variance = first.weights @ (first.deviations**2 + first.means**2) - (first.weights @ first.means) ** 2
    assert variance == pytest.approx(two.var(), rel=0.05)
    assert np.all((second.means > 99.9) & (second.means < 101.1))


def test_rare_categories_are_drawn_as_often_as_they_were_seen() -> None:
    draws = np.random.default_rng(0)
    codes = np.minimum(draws.geometric(0.3, 20_000) - 1, 29).astype(np.int32)
    table = Table((Column("shop", "categorical", tuple(f"s{n}" for n in range(30))),), {"shop": codes})
    encoder = fit_encoder(table, Choices(most_categories=4))
    assert encoder.layout.widths == (5,)
    back = encoder.decode(encoder.encode(table, 0), np.random.default_rng(1)).cells["shop"]
    before, after = (np.bincount(each, minlength=30) / len(codes) for each in (codes, back))
    np.testing.assert_array_equal(before[:4], after[:4])
    assert np.abs(before - after).max() < 0.01


def test_five_thousand_categories_cost_no_more_than_a_hundred() -> None:
    codes = np.random.default_rng(0).integers(0, 5000, 20_000).astype(np.int32)
    table = Table((Column("id", "categorical", tuple(map(str, range(5000)))),), {"id": codes})
    assert fit_encoder(table, Choices()).layout.dim == 101


def test_identifiers_keep_their_pattern_and_are_new() -> None:
    seen = np.array([f"DE-{n:04d}-{chr(97 + n % 26)}" for n in range(0, 9000, 3)] + [None] * 1000, object)
    codec, hashes = identifiers.fit_identifier(seen)
    known = identifiers.Seen(hashes)
    made = codec.make(4000, np.random.default_rng(0), known)
    written = [text for text in made if text is not None]
    assert len(written) == pytest.approx(3000, abs=120)
    assert len(set(written)) == len(written)
    assert not set(written) & set(seen)
    assert all(len(text) == 9 and text.startswith("DE-") and text[3:7].isdigit() for text in written)


def test_identifiers_grow_where_there_is_no_room() -> None:
    codec, hashes = identifiers.fit_identifier(np.array([f"{n:02d}" for n in range(100)], object))
    made = codec.make(50, np.random.default_rng(0), identifiers.Seen(hashes))
    assert {len(text) for text in made} == {3}


def test_rows_are_known_by_their_hashes() -> None:
    table = tiny_table(300)
    columns = compared(table.columns)
    hashes = hash_rows(table, columns, 5)
    assert len(np.unique(hashes)) == 300
    changed = table.take(np.arange(10))
    changed.cells["Age"][0] = 17.0
    found = known_in(hash_rows(changed, columns, 5), np.sort(hashes))
    assert found.tolist() == [False] + [True] * 9


def test_the_loss_of_all_segments_has_the_gradient_of_each() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 13, generator=generator, requires_grad=True)
    codes = torch.stack([torch.randint(width, (7,), generator=generator) for width in LAYOUT.widths], 1)
    weights = torch.rand(7, 4, generator=generator)
    parts = logits.split(list(LAYOUT.widths), 1)
    expected = sum(
        (F.cross_entropy(part, codes[:, n], reduction="none") * weights[:, n]).sum() for n, part in enumerate(parts)
    )
    loss = cross_entropy(logits, codes, LAYOUT, weights)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, logits)[0],
        torch.autograd.grad(expected, logits)[0],  # type: ignore[arg-type]
    )


def test_soft_rows_have_the_gradient_of_each_segment() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, LAYOUT.dim, generator=generator, dtype=torch.float32, requires_grad=True)
    uniform, upstream = torch.rand(6, 13, generator=generator), torch.randn(6, LAYOUT.dim, generator=generator)
    noise = -torch.log(-torch.log(uniform))
    parts = ((logits[:, 2:] + noise) / 0.5).split(list(LAYOUT.widths), 1)
    expected = torch.cat([logits[:, :2].tanh(), *(part.softmax(1) for part in parts)], 1)
    made = LAYOUT.soft(logits, uniform, 0.5)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)
    found, wanted = (torch.autograd.grad((rows * upstream).sum(), logits)[0] for rows in (made, expected))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_codes_are_drawn_with_their_chances() -> None:
    generator = torch.Generator().manual_seed(0)
    layout = Layout(0, (3,))
    logits = torch.tensor([0.6, 0.3, 0.1]).log().repeat(20_000, 1)
    codes = layout.hard(logits.T, torch.rand(20_000, 1, generator=generator))
    shares = torch.bincount(codes[:, 0], minlength=3) / 20_000
    logits[:, 1] = -torch.inf
    never = layout.hard(logits.T, torch.rand(20_000, 1, generator=generator))
    assert set(never.unique().tolist()) == {0, 2}
    torch.testing.assert_close(shares, torch.tensor([0.6, 0.3, 0.1]), atol=0.01, rtol=0)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_penalty_in_one_pass_is_that_of_a_double_backward(dropout: float) -> None:
    critic, draws = Critic(12, 16).double(), torch.Generator().manual_seed(0)
    training.initialise(critic, draws)
    packs = torch.randn(5, 12, generator=draws, dtype=torch.float64, requires_grad=True)
    keep = critic.keep(5, dropout, draws).double() if dropout else None
    slope = torch.autograd.grad(critic(packs, keep).sum(), packs, create_graph=True)[0]
    mine = critic.gradient(critic.first(packs.detach()), keep)
    torch.testing.assert_close(mine, slope)
    weights = list(critic.parameters())
    for expected, found in zip(
        torch.autograd.grad((slope.norm(dim=1) - 1).square().mean(), weights, allow_unused=True),
        torch.autograd.grad((mine.norm(dim=1) - 1).square().mean(), weights, allow_unused=True),
        strict=True,
    ):
        assert (expected is None) or torch.allclose(expected, torch.zeros_like(expected) if found is None else found)


def test_wishes_are_drawn_by_log_frequency_and_met_by_real_rows() -> None:
    table = tiny_table(400)
    encoder = fit_encoder(table, Choices())
    codes = encoder.encode(table, 0).codes
    wishes = Wishes.of(encoder, codes)
    uniform = torch.rand(3, 50_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    column, value = wishes.places.draw(uniform, wishes.learning)
    rows = wishes.matching(value, uniform[2])
    segment, code = wishes.places.segments[column], value - wishes.places.first[column]
    assert bool((codes[rows].long().gather(1, segment[:, None])[:, 0] == code).all())
    place = [encoder.segments[n] for n in wishes.places.segments.tolist()].index("Status")
    seen = torch.bincount(codes[:, encoder.segments.index("Status")].long(), minlength=4).double()
    expected = (seen + 1).log() / (seen + 1).log().sum()
    found = torch.bincount(code[column == place], minlength=4) / (column == place).sum()
    torch.testing.assert_close(found.double(), expected, atol=0.02, rtol=0)


def test_nothing_to_learn_is_said() -> None:
    text = Table((Column("note", "text"),), {"note": np.array(["a", "b"], object)})
    with pytest.raises(InputError, match="No column") as caught:
        fit_encoder(text, Choices())
    assert caught.value.faults[0].code == "nothing-to-learn"
    with pytest.raises(InputError, match="no rows"):
        fit_encoder(tiny_table(5).take(np.arange(0)), Choices())
