"""Self-attention as decoders of text have it: golden values, no looking ahead, caches, shared heads."""

import pytest
import torch
from torch import nn

from aigc_models import training
from aigc_models.layers.attention import attend, attention_weights
from aigc_models.layers.block_plan import BlockPlan, hidden_width
from aigc_models.layers.rotary import rotate, turns
from aigc_models.layers.transformer import SelfAttention, causal
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.text_transformer.plan import Plan
from aigc_models.text_vae.networks import TextVae
from aigc_models.text_vae.plan import Plan as VaePlan


def network(key_heads: int = 4, context: int = 16) -> TextTransformer:
    made = TextTransformer(Plan(30, 32, 2, 4, key_heads, context))
    training.initialise(made, training.seeded(3))
    for block in made.blocks:  # fresh blocks pass on what they read; these must do something
        nn.init.normal_(block.attention.out.weight, std=0.2, generator=training.seeded(4))  # type: ignore[union-attr,arg-type]
        nn.init.normal_(block.narrow.weight, std=0.2, generator=training.seeded(5))  # type: ignore[union-attr,arg-type]
    return made.eval()


def test_attention_of_five_tokens_of_width_one() -> None:
    query, key = (torch.tensor(row)[:, None] for row in ([1.0, 0, 1, 0, 1], [0.0, 1, 0, 1, 0]))
    assert torch.allclose(attend(query, key, torch.ones(5, 1)), torch.ones(5, 1))
    first = attention_weights(query, key)[0]
    assert first.tolist() == pytest.approx([0.1185, 0.3222, 0.1185, 0.3222, 0.1185], abs=5e-5)


def test_a_turn_keeps_lengths_and_scores_depend_on_distance_alone() -> None:
    x = torch.randn(2, 8, generator=training.seeded(1))
    positions = torch.tensor([[3, 5], [10, 12]])
    turned = rotate(x[None, :, None].expand(2, 2, 1, 8), turns(positions, 8)).squeeze(2)
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1).expand(2, 2), atol=1e-5)
    scores = (turned[:, 0] * turned[:, 1]).sum(-1)
    assert torch.allclose(scores[0], scores[1], atol=1e-5)
    assert not torch.allclose(scores[0], (x[0] * x[1]).sum(), atol=1e-3)


def test_no_place_sees_a_later_one() -> None:
    tokens = torch.arange(12)[None] % 30
    other = tokens.clone()
    other[0, 7:] = 29
    with torch.no_grad():
        one, two = network()(tokens), network()(other)
    assert torch.equal(one[:, :7], two[:, :7])
    assert not torch.allclose(one[:, 7:], two[:, 7:], atol=1e-3)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_reading_token_by_token_equals_reading_at_once(key_heads: int) -> None:
    made = network(key_heads)
    tokens = torch.randint(30, (3, 12), generator=training.seeded(2))
    with torch.inference_mode():
        whole = made(tokens)
        caches, parts = made.caches(3), []
        first = torch.arange(5).expand(3, 5)
        parts.append(made.read(tokens[:, :5], first, causal(5, torch.device("cpu")), caches))
        for place in range(5, 12):
            position = torch.full((3, 1), place)
            parts.append(made.read(tokens[:, place : place + 1], position, None, caches))
    assert torch.allclose(torch.stack(parts, 1), whole[:, 4:], atol=2e-6)


def test_the_written_out_attention_equals_the_fused_one_and_shares_heads() -> None:
    layer = SelfAttention(BlockPlan(32, 4, 2, hidden_width(32)))
    training.initialise(layer, training.seeded(6))
    x = torch.randn(2, 9, 32, generator=training.seeded(7))
    turned, seen = turns(torch.arange(9), 8), causal(9, torch.device("cpu"))
    written = layer(x, turned, seen)
    with torch.no_grad():
        fused = layer(x, turned, seen)
    assert torch.allclose(written, fused, atol=1e-5)
    assert layer.query_key_value.weight.shape == (32 + 2 * 2 * 8, 32)


def test_a_plan_counts_its_numbers() -> None:
    for plan in (Plan(65, 128, 4, 4, 4, 64), Plan(300, 64, 2, 4, 1, 32)):
        assert plan.parameters == training.count_parameters(TextTransformer(plan))
    vae = VaePlan(300, 48, 2, 4, 7, 20)
    assert vae.parameters == training.count_parameters(TextVae(vae))
