"""The parts of the table VAE: what counts of a number, and the mixture that latent numbers are drawn from."""

import numpy as np
import pytest
import torch

from aigc_models.table_vae import objective
from aigc_models.table_vae.params import TableVaeTrain
from aigc_models.table_vae.prior import fit_mixture, most_components
from aigc_models.tables import calibration
from aigc_models.tables.layout import Layout

# Two numbers: one in modes 1 and 2 of the second segment (0 is a value by itself, 3 a missing cell), one without modes.
LAYOUT = Layout(2, (2, 4), ((1, 1, 2), (-1, 0, 1)))


def test_each_mode_has_its_number() -> None:
    codes = torch.tensor([[0, 0], [0, 1], [1, 2], [1, 3]])
    places, there = LAYOUT.mode_of(codes)
    assert LAYOUT.numbers == 3
    assert there.tolist() == [[False, True], [True, True], [True, True], [False, True]]
    assert places[there].tolist() == [2, 0, 2, 1, 2, 2]


def test_only_the_number_of_its_mode_counts() -> None:
    """By hand: half the squared error over the variance, plus the log-deviation; nothing for values by themselves."""
    codes, scalars = torch.tensor([[0, 2], [0, 0]]), torch.tensor([[0.5, 0.1], [0.9, 0.0]])
    numbers, logits = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 6)
    deviations = torch.log(torch.tensor([0.1, 0.5, 0.2]))
    found = objective.reconstruction((numbers, logits), deviations, scalars, codes, LAYOUT)
    by_hand = 0.5 * (0.5 / 0.5) ** 2 + np.log(0.5) + 0.5 * (0.1 / 0.2) ** 2 + np.log(0.2) + np.log(0.2)
    assert found.item() == pytest.approx(by_hand + 2 * (np.log(2) + np.log(4)), abs=1e-5)
    found.backward()
    assert numbers.grad is not None
    assert (numbers.grad != 0).tolist() == [[False, True, True], [False, False, False]]


def test_latent_numbers_are_drawn_where_rows_lie() -> None:
    """Two far groups of rows: one Gaussian puts a third of its draws between them, two put none there."""
    draws = torch.Generator().manual_seed(0)
    mean = torch.randn(2000, 2, generator=draws) * 0.3 + torch.tensor([[4.0, 1.0], [-4.0, -1.0]]).repeat(1000, 1)
    for components, between in ((1, (0.25, 0.45)), (2, (0.0, 0.01))):
        mixture = fit_mixture(mean, torch.full_like(mean, -4.0), components, seed=3)
        z = mixture.draw(20_000, draws)
        torch.testing.assert_close(z.mean(0), mean.mean(0), atol=0.1, rtol=0)
        torch.testing.assert_close(z.T.cov(), mean.T.cov(), atol=0.3, rtol=0.05)
        assert between[0] <= (z[:, 0].abs() < 2).float().mean() <= between[1]


def test_few_rows_have_few_components() -> None:
    assert [most_components(rows, 32, 20) for rows in (1, 105, 400, 3400, 10**6)] == [1, 1, 2, 20, 20]


def test_a_small_table_is_passed_over_more_often() -> None:
    params = TableVaeTrain(dataset="ds_" + "0" * 26, epochs=10, least_steps=500)
    assert params.steps(100, 100) == 500
    assert params.steps(1_000_000, 500) == 20_000
    fewer, more = ({"train": rows, "columns": [{"type": "integer"}]} for rows in (500, 100_000))
    costs = [params.estimate(report, 1) for report in (fewer, more)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0].seconds < costs[1].seconds


def test_values_are_set_right_without_losing_what_belongs_together() -> None:
    """Rows whose second value follows the first, both far too often 0: shares come right, and the two still agree."""
    layout, draws = Layout(0, (2, 3)), torch.Generator().manual_seed(0)
    kind = torch.randn(4000, 1, generator=draws)
    logits = torch.cat([3 + 0 * kind, 3 * kind, 4 + 0 * kind, 3 * kind, -1 + 0 * kind], 1)
    wanted = torch.tensor([0.3, 0.7, 0.2, 0.5, 0.3])
    found = calibration.offsets(logits, wanted, layout)
    chances, _ = layout.log_chances(logits + found)
    torch.testing.assert_close(chances.mean(0), wanted, atol=1e-3, rtol=0)
    assert torch.corrcoef(chances[:, [1, 3]].T)[0, 1] > 0.9
