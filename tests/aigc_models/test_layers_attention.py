import pytest
import torch
import torch.nn.functional as F

from aigc_models.layers.attention import ImageAttention, attend, attention_weights


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1)


def test_the_golden_example() -> None:
    query, key, value = column(1, 0, 1, 0, 1), column(0, 1, 0, 1, 0), column(1, 1, 1, 1, 1)
    weights = attention_weights(query, key)
    assert weights[0].tolist() == pytest.approx([0.1185, 0.3222, 0.1185, 0.3222, 0.1185], abs=5e-5)
    assert attend(query, key, value).flatten().tolist() == pytest.approx([1.0] * 5)


def test_rows_of_weights_sum_to_one_and_results_equal_torch() -> None:
    query, key, value = (torch.randn(2, 3, 7, 4) for _ in range(3))
    assert torch.allclose(attention_weights(query, key).sum(-1), torch.ones(2, 3, 7))
    assert torch.allclose(attend(query, key, value), F.scaled_dot_product_attention(query, key, value), atol=1e-6)


def test_the_image_block_starts_as_the_identity_and_then_looks_far() -> None:
    block, x = ImageAttention(16), torch.randn(2, 16, 8, 8)
    assert torch.equal(block(x), x)
    torch.nn.init.ones_(block.weight)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(block(x)[0, :, 0, 0].sum(), x)
    assert gradient[0, :, 7, 7].abs().max() > 0
    assert gradient[1].abs().max() == 0
