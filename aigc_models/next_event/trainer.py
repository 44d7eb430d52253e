"""The training step: one causal pass over windows of sessions predicts every event, and how the session ends."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import Figures
from aigc_models.next_event.lesson import Lesson, Sessions
from aigc_models.next_event.networks import NextEventNetwork, Rows
from aigc_models.next_event.params import NextEventTrain, plan_for
from aigc_models.next_event.paths import Wish, typical_path
from aigc_models.recommending.trainer import drawing
from aigc_models.recommending.windows import Windows
from aigc_models.writing.loop import Learner, Settings
from aigc_models.writing.optimiser import Optimiser

_CHUNK = 64
_SHOWN, _BEAMS = 3, 3
# Shares of what is hidden in training, so that the network can do without it.
_NO_EVENT, _NO_GAPS, _NO_LABEL = 0.02, 0.25, 0.5


class NextEventTrainer(Learner):
    """Windows of sessions, network, optimiser, and one step down the cross-entropies."""

    network: NextEventNetwork
    best: NextEventNetwork
    unit = "events_per_second"
    counted = "event"

    def __init__(self, params: NextEventTrain, lesson: Lesson, outcomes: int) -> None:
        self.params, self.lesson = params, lesson
        self.plan = plan_for(params, len(lesson.events), len(lesson.tasks), outcomes)
        network, best = NextEventNetwork(self.plan, params.dropout), NextEventNetwork(self.plan)
        training.initialise(network, training.seeded(params.seed, "weights"))
        network.to(lesson.device)
        best.to(lesson.device)
        rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        optimiser = Optimiser(network, "adamw", rate, params.weight_decay)
        self._windows = Windows.over(lesson.train.lists, params.max_length)
        rows = len(self._windows.row)
        self._batch = min(params.batch_size, rows)
        steps = params.epochs * math.ceil(rows / self._batch)
        settings = Settings(steps, params.patience, params.seed)
        super().__init__((network, best), optimiser, settings, lesson.device, lesson.adjustments)
        self._batches = training.Batches(rows, self._batch, self.order)
        self._hidden = training.seeded(params.seed, "hidden")
        self.state.optimisers["batches"] = self._batches
        self.state.generators["hidden"] = self._hidden

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step."""
        chosen = self._batches.next()
        later = torch.randint(self.params.max_length, (len(chosen),), generator=self._hidden)
        rows, targets = self.lesson.train.cut(self._windows, chosen.numpy(), later.numpy(), self.plan)
        read, targets = self._hide(rows).to(self.device), targets.to(self.device)
        endings = (rows.tasks.to(self.device), rows.outcomes.to(self.device))
        known = targets >= 0
        self.worked_on = int(known.sum())
        share = len(chosen) / max(self.worked_on, 1)  # so that parts add up to the mean over all targets

        def loss(part: slice) -> tuple[Tensor, Figures]:
            own, seen = read.take(part), known[part]
            with drawing(self.params.seed, step, part.start), self.precision.autocast():
                expected = self.network(own)
                scores = self.network.scores(expected[seen])
            rows = part.stop - part.start
            mean = F.cross_entropy(scores.float(), targets[part][seen], reduction="sum") * share / rows
            over = own.events == self.plan.end
            given = [one[part] for one in endings]
            ending = self._ending(expected, over, own, given) / rows
            ending = ending + self._ending(expected, seen & ~over, own, given) * share / rows
            return mean + self.params.ending_weight * ending, {"loss": mean, "ending_loss": ending}

        self.optimiser.schedule(step, self.total)
        return self.parts.descend(self.optimiser, len(chosen), loss)

    def _hide(self, rows: Rows) -> Rows:
        """Hide some events, the times of some sessions, and what some are for or how they ended."""
        plan, draws = self.plan, self._hidden
        events = torch.rand(rows.events.shape, generator=draws) < _NO_EVENT
        events &= rows.events < plan.actions
        gaps = torch.rand((len(rows), 1), generator=draws) < _NO_GAPS
        task, outcome = (torch.rand(len(rows), generator=draws) < _NO_LABEL for _ in range(2))
        return Rows(
            rows.events.masked_fill(events, plan.unknown),
            rows.gaps.masked_fill(gaps, 0),
            rows.tasks.masked_fill(task, plan.tasks),
            rows.outcomes.masked_fill(outcome, plan.outcomes),
        )

    def _ending(self, expected: Tensor, places: Tensor, read: Rows, endings: list[Tensor]) -> Tensor:
        """Nats of what sessions are for and how they end, summed over places where that was not given."""
        total = expected.new_zeros((), dtype=torch.float32)
        heads = (self.network.say_task, self.network.say_outcome)
        kinds = (self.plan.tasks, self.plan.outcomes)
        for head, count, given, true in zip(heads, kinds, (read.tasks, read.outcomes), endings, strict=True):
            asked = ((given == count) & (true < count))[:, None] & places
            if count and bool(asked.any()):
                wanted = true[:, None].expand_as(asked)[asked]
                total = total + F.cross_entropy(head(expected[asked]).float(), wanted, reduction="sum")
        return total

    def validation_loss(self) -> float:
        """Nats per event on what is set aside, its tasks and outcomes hidden."""
        losses = [loss for loss, _ in event_losses(self.network, self.lesson.validation, self.device)]
        return float(torch.cat(losses).mean())

    def sample(self) -> str:
        """The likeliest way through a session for the first tasks, as the network sees it now."""
        tasks = list(enumerate(self.lesson.tasks[:_SHOWN])) or [(self.plan.tasks, "")]
        lines = []
        for number, name in tasks:
            path = typical_path(self.network, Wish(task=number, longest=min(20, self.plan.max_length - 1)), _BEAMS)
            called = " → ".join(self.lesson.events[event] for event in path)
            lines.append(f"{name}: {called}" if name else called)
        return "\n".join(lines) + "\n"


@torch.inference_mode()
def event_losses(network: NextEventNetwork, sessions: Sessions, device: str) -> list[tuple[Tensor, Tensor]]:
    """Nats of each event of sessions and of their ends, and the place of each among all that could come, from 0.

    What the sessions are for and how they ended is hidden. Shape: pairs of (N,), together one for each event.
    """
    plan = network.plan
    windows = Windows.over(sessions.lists, plan.max_length)
    everything = torch.arange(len(windows.row))
    found = []
    for some in everything.split(_CHUNK):
        rows, targets = sessions.cut(windows, some.numpy(), torch.zeros_like(some).numpy(), plan)
        hidden = torch.full_like(rows.tasks, plan.tasks), torch.full_like(rows.outcomes, plan.outcomes)
        known = targets >= 0
        expected = network(Rows(rows.events, rows.gaps, *hidden).to(device))[known.to(device)]
        scores = network.scores(expected).float().cpu()
        wanted = targets[known]
        own = scores.gather(1, wanted[:, None])
        places = (scores > own).sum(1)
        found.append((F.cross_entropy(scores, wanted, reduction="none"), places))
    return found
