"""A pretrained network with LoRA, as families of texts see a network.

B rows, T tokens, S tokens that can be seen, D width, V vocabulary.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from aigc_models import training
from aigc_models.base import Fault, InputError
from aigc_models.data.hub_folders import Base
from aigc_models.pretrained_lm.hub import open_hub
from aigc_models.pretrained_lm.padded import PaddedBatch
from aigc_models.pretrained_lm.tokens import HubTokens, hub_tokens
from aigc_models.writing.language_model import LanguageModel


class HubCache:
    """What a pretrained network has read."""

    def __init__(self, held: Any) -> None:
        self.held = held

    @property
    def used(self) -> int:
        """Tokens of each row."""
        return int(self.held.get_seq_length())

    def take(self, rows: Tensor) -> None:
        """Keep some of the rows."""
        self.held.batch_select_indices(rows)


class PretrainedNetwork(LanguageModel):
    """A pretrained network whose state is LoRA's numbers alone; its own never change.

    Args:
        model: Of ``peft``.
        tokens: How its tokens are numbered.
        context: Tokens it looks back at most.
    """

    def __init__(self, model: Any, tokens: HubTokens, context: int) -> None:
        super().__init__()
        learnt = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.adapter = nn.ParameterDict({name.replace(".", "/"): weight for name, weight in learnt.items()})
        self.model = model
        self._context, self._tokens = context, tokens
        self._own = tokens.own.to(model.device)

    @property
    def context(self) -> int:
        """Tokens it looks back at most."""
        return self._context

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self._own.device

    @property
    def width(self) -> int:
        """Numbers that say what is expected after a token."""
        return int(self.model.config.get_text_config().hidden_size)

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Any]:  # type: ignore[override]
        """What was learnt."""
        return self.adapter.state_dict()

    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
        """Take what was learnt, in place."""
        return self.adapter.load_state_dict(state, strict=strict, assign=assign)

    @contextmanager
    def as_it_came(self) -> Iterator[None]:
        """Inside, the network is what it was before it was taught."""
        with self.model.disable_adapter():
            yield

    def losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Nats of each target, in 32 bits, (B, T)."""
        scores = self.model(input_ids=self._own[inputs], use_cache=False).logits.float()
        own = self._own[targets].flatten()
        return F.cross_entropy(scores.flatten(0, 1), own, reduction="none").view(targets.shape)

    def see(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """What is expected after each token, and scores of the next, (B, T) to (B, T, D) and (B, T, V)."""
        found = self.model(input_ids=self._own[tokens], use_cache=False, output_hidden_states=True)
        return found.hidden_states[-1], self._ours(found.logits)

    def caches(self, rows: int) -> list[Any]:
        """An empty cache for all blocks."""
        return [HubCache(open_hub().transformers.DynamicCache(config=self.model.config))]

    def batch(self, tokenizer: Any, choice: Any, texts: Any) -> PaddedBatch:
        """Texts are written in rows of one length."""
        return PaddedBatch(self, tokenizer, choice, texts)

    def read(self, tokens: Tensor, positions: Tensor, seen: Tensor | None, caches: Sequence[Any]) -> Tensor:
        """Read more tokens; the network's own scores after the last one, (B, V)."""
        (cache,) = caches
        length = cache.used + tokens.shape[1]
        known = torch.ones(len(tokens), length, dtype=torch.int64, device=tokens.device)
        if seen is not None:  # what the last place cannot see stands for nothing
            known = (seen[:, 0, -1, :] == 0).long()
        found = self.model(
            input_ids=self._own[tokens],
            position_ids=positions,
            attention_mask=known,
            cache=cache.held,
            use_cache=True,
            logits_to_keep=1,
        )
        return torch.as_tensor(found.logits[:, -1])

    def scores(self, expected: Tensor) -> Tensor:
        """Our tokens' scores, from its own."""
        return self._ours(expected)

    def _ours(self, logits: Tensor) -> Tensor:
        """Scores in our order: the end, no mark of a body, then all that can be written, (..., V)."""
        chosen = logits[..., self._own]
        silent = [1, *(2 + mark for mark in self._tokens.unwritten if 2 + mark < len(self._own))]
        chosen[..., silent] = -torch.inf
        return chosen


@dataclass(frozen=True, slots=True)
class Taught:
    """How a base is to be taught: the width of LoRA's matrices, dropout inside, what they are drawn from, a context."""

    rank: int
    dropout: float
    seed: int
    context: int


def build(base: Base, taught: Taught, device: str) -> tuple[PretrainedNetwork, HubTokens]:
    """Load a base and put fresh LoRA matrices beside all its linear layers.

    Source: Hu et al. 2022, with the factor of twice the rank.

    Raises:
        InputError: The packages are missing, or do not know this kind of model.
    """
    hub = open_hub()
    tokens, model = _load(base, device)
    config = hub.peft.LoraConfig(
        r=taught.rank,
        lora_alpha=2 * taught.rank,
        lora_dropout=taught.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        base_model_name_or_path=base.name,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of its own old names, and how it reads GPT-2's layers
        model = hub.peft.get_peft_model(model, config)
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None) or taught.context
    network = PretrainedNetwork(model, tokens, min(taught.context, int(longest)))
    generator = training.seeded(taught.seed, "weights")
    for name, weight in network.adapter.items():
        if "/lora_A/" in name:
            drawn = torch.empty(weight.shape)
            nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
            weight.data.copy_(drawn)
        else:
            nn.init.zeros_(weight)
    return network, tokens


def _load(base: Base, device: str) -> tuple[HubTokens, Any]:
    hub = open_hub()
    kept: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokens = hub_tokens(hub.transformers.AutoTokenizer.from_pretrained(str(base.path), **kept))
        model = hub.transformers.AutoModelForCausalLM.from_pretrained(
            str(base.path), use_safetensors=True, dtype=_number(base, device), attn_implementation="sdpa", **kept
        )
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        sentence = "The model in {name} cannot be loaded ({reason})."
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            Fault(sentence, {"name": base.name, "reason": reason}, "/base", code="base-unusable")
        ) from error
    return tokens, model.to(device)


def _number(base: Base, device: str) -> torch.dtype:
    """The numbers its weights are kept in: as stored, halves as bfloat16 where the device computes with them."""
    stored = str(base.config.get("dtype") or base.config.get("torch_dtype") or "float32")
    halves = stored in ("float16", "bfloat16") and training.choose_precision(device).name == "bfloat16"
    return torch.bfloat16 if halves else torch.float32


def adapter_of(network: PretrainedNetwork) -> nn.ParameterDict:
    """A copy of what was learnt."""
    return nn.ParameterDict({name: weight.detach().clone() for name, weight in network.adapter.items()})


def save_adapter(network: PretrainedNetwork, directory: Path) -> None:
    """Write what was learnt as ``peft`` reads it: ``adapter_model.safetensors`` and ``adapter_config.json``."""
    hub = open_hub()
    state = hub.peft.get_peft_model_state_dict(network.model)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in state.items()},
        directory / "adapter_model.safetensors",
    )
    network.model.peft_config["default"].save_pretrained(str(directory))


def load_adapter(network: PretrainedNetwork, directory: Path) -> None:
    """Read what :func:`save_adapter` wrote."""
    state = load_file(directory / "adapter_model.safetensors")
    open_hub().peft.set_peft_model_state_dict(network.model, state)
