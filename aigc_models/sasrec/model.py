"""The operations of SASRec."""

from collections.abc import Generator, Sequence

from aigc_models.base import Metrics, Run
from aigc_models.recommending import operations
from aigc_models.recommending.operations import Kind
from aigc_models.recommending.recommend import recommend as make_lists
from aigc_models.sasrec.networks import Sasrec
from aigc_models.sasrec.params import FAMILY, SasrecEvaluate, SasrecRecommend, SasrecTrain, plan_for
from aigc_models.sasrec.trainer import SasrecTrainer
from aigc_models.sasrec.using import SasrecRecommender
from aigc_models.sharing import Ended, Request, one_by_one

KIND = Kind(
    FAMILY.name,
    SasrecTrain,
    SasrecTrainer,
    lambda params, items: Sasrec(plan_for(params, items)),
    SasrecRecommender,
)


def train(params: SasrecTrain, run: Run) -> Metrics:
    """Train, evaluate on each user's last events beside the baselines, and write the model."""
    return operations.train(params, run, KIND)


def recommend(params: SasrecRecommend, run: Run) -> Metrics:
    """Write what users will want next, and for which of what they did."""
    return make_lists(params, run, KIND.opened(run), FAMILY.title, params.reasons)


def recommend_many(requests: Sequence[Request[SasrecRecommend]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return one_by_one(recommend).many(requests)


def evaluate(params: SasrecEvaluate, run: Run) -> Metrics:
    """Measure a model on the test part of a dataset, beside the baselines."""
    return operations.evaluate_saved(params, run, KIND)
