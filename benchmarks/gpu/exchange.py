"""What ranks exchange on a GPU: NCCL with the one rank that one GPU allows."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from aigc_models import ranks, training
from worker.devices import Device

_STEPS = 20


def check(device: Device, work: Path) -> dict[str, Any]:
    """Meet, exchange numbers, take the same steps with exchanged gradients as without, and part.

    With one rank a sum over ranks is the rank's own, so the steps must agree; what is shown is that the calls are
    made on this device as NCCL wants them, not that several GPUs add up.
    """
    place = device.torch_name
    data = torch.Generator().manual_seed(1)
    batches = [torch.randn(64, 32, generator=data).to(place) for _ in range(_STEPS)]
    plain, exchanged = (_network(place) for _ in range(2))
    alone = _learn(plain, batches, None)
    with _met(place, work) as backend:
        told = ranks.added({"rows": torch.tensor(3.0), "loss": torch.tensor(0.5)})
        assert {name: float(value) for name, value in told.items()} == {"rows": 3.0, "loss": 0.5}
        together = _learn(exchanged, batches, ranks.Averaged(exchanged.parameters()))
    apart = max(float((one - two).abs().max()) for one, two in zip(*map(_weights, (plain, exchanged)), strict=True))
    assert apart <= 1e-6, apart
    assert together[-1] < together[0], together
    return {"backend": backend, "ranks": 1, "weights_apart": apart, "losses": [alone[-1], together[-1]]}


@contextmanager
def _met(place: str, work: Path) -> Iterator[str]:
    work.mkdir(parents=True, exist_ok=True)
    ranks.join(ranks.Meeting(work / "meeting", 0, [place], 60.0))
    try:
        yield dist.get_backend()
    finally:
        dist.destroy_process_group()


def _network(place: str) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)).to(place)


def _weights(network: nn.Module) -> list[Tensor]:
    return [copy.copy(weight.detach()) for weight in network.parameters()]


def _learn(network: nn.Module, batches: list[Tensor], averaged: ranks.Averaged | None) -> list[float]:
    """Loss by step of learning to copy, in this device's usual precision and two parts a batch."""
    device = str(batches[0].device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for number, rows in enumerate(batch.split(32)):

            def part(rows: Tensor = rows) -> tuple[Tensor, dict[str, Tensor]]:
                with training.choose_precision(device).autocast():
                    loss = F.mse_loss(network(rows).float(), rows)
                return loss, {"loss": loss}

            if averaged is None:
                loss, figures = part()
                (loss * 0.5).backward()
                total += 0.5 * float(figures["loss"].detach())
            else:
                total += float(averaged.add(part, 0.5, last=number == 1)["loss"])
        optimizer.step()
        losses.append(total)
    return losses
