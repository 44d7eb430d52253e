"""The operations of Mult-VAE."""

from collections.abc import Generator, Sequence

from aigc_models.base import Metrics, Run
from aigc_models.mult_vae.networks import MultVae
from aigc_models.mult_vae.params import FAMILY, MultVaeEvaluate, MultVaeRecommend, MultVaeTrain, plan_for
from aigc_models.mult_vae.trainer import MultVaeTrainer
from aigc_models.mult_vae.using import MultVaeRecommender
from aigc_models.recommending import operations
from aigc_models.recommending.operations import Kind
from aigc_models.recommending.recommend import recommend as make_lists
from aigc_models.sharing import Ended, Request, one_by_one

KIND = Kind(
    FAMILY.name,
    MultVaeTrain,
    MultVaeTrainer,
    lambda params, items: MultVae(plan_for(params, items)),
    MultVaeRecommender,
)


def train(params: MultVaeTrain, run: Run) -> Metrics:
    """Train, evaluate on the test part beside the baselines, and write the model."""
    return operations.train(params, run, KIND)


def recommend(params: MultVaeRecommend, run: Run) -> Metrics:
    """Write which items go with those that users have, and for which of them."""
    return make_lists(params, run, KIND.opened(run), FAMILY.title, params.reasons)


def recommend_many(requests: Sequence[Request[MultVaeRecommend]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return one_by_one(recommend).many(requests)


def evaluate(params: MultVaeEvaluate, run: Run) -> Metrics:
    """Measure a model on the test part of a dataset, beside the baselines."""
    return operations.evaluate_saved(params, run, KIND)
