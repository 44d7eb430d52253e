"""The operations of SASRec."""

from aigc_models.base import Metrics, Run
from aigc_models.recommending import operations
from aigc_models.recommending.operations import Kind
from aigc_models.recommending.recommend import recommend as make_lists
from aigc_models.sasrec.networks import Sasrec
from aigc_models.sasrec.params import FAMILY, SasrecEvaluate, SasrecRecommend, SasrecTrain, plan_for
from aigc_models.sasrec.trainer import SasrecTrainer
from aigc_models.sasrec.using import SasrecRecommender

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


def evaluate(params: SasrecEvaluate, run: Run) -> Metrics:
    """Measure a model on the test part of a dataset, beside the baselines."""
    return operations.evaluate_saved(params, run, KIND)
