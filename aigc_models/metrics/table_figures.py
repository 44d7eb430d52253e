"""How the figures of synthetic tables read to a person; without torch or numpy.

Every family that makes tables takes :data:`TABLE_METRICS` into its own figures. The baseline beside a figure is a
Gaussian copula, which keeps every column and the correlations of their ranks; for pairs of columns it is columns
drawn independently.
"""

from aigc_models.judging import MetricInfo

_COPULA_SHORT = "a Gaussian copula"
_COPULA = f"{_COPULA_SHORT} fitted to the same rows"
_COLUMNS_ALONE = (
    "No baseline: whatever draws each column for itself from the training rows keeps it as it is, and reaches what the "
    "training rows reach."
)
_PRIVACY_ALONE = "No baseline: rows drawn at random come close to nobody; what held-out rows reach is the measure."

# Below these nothing can be gained: not even real rows keep the dependence, or teach to predict the target.
_DEPENDENT = ("dependence_kept_real", 0.1)
_CLASSES, _NUMBERS = ("trtr_auc", 0.55), ("trtr_r2", 0.05)

_NOISE = (
    "Half the width of the 95 % interval of the difference to the figure of a copula, which the held-out rows alone "
    "make (DeLong et al. 1988): a smaller difference may be chance."
)

TABLE_METRICS = {
    "column_fidelity": MetricInfo(
        "Column fidelity",
        "higher",
        "Mean over columns of how alike their distributions are to the held-out rows: one less the "
        "Kolmogorov-Smirnov or total variation distance, or the difference in missing cells where that is larger.",
        None,
        "column_fidelity_real",
        alone=_COLUMNS_ALONE,
    ),
    "column_fidelity_real": MetricInfo(
        "Column fidelity of real rows",
        "higher",
        "The same figure for the training rows: no model should be better.",
        of="training rows",
    ),
    "column_coverage": MetricInfo(
        "Column coverage",
        "higher",
        "Mean over columns of the share of the held-out range, or of the held-out categories, that is reached.",
        None,
        "column_coverage_real",
        alone=_COLUMNS_ALONE,
    ),
    "column_coverage_real": MetricInfo(
        "Column coverage of real rows", "higher", "The same share for the training rows.", of="training rows"
    ),
    "pair_fidelity": MetricInfo(
        "Pair fidelity",
        "higher",
        "One less the mean difference in association of two columns: correlation, correlation ratio or Cramer's V.",
        "pair_fidelity_baseline",
        "pair_fidelity_real",
        bound=1.0,
        margin=0.005,
    ),
    "pair_fidelity_baseline": MetricInfo(
        "Pair fidelity of independent columns",
        "higher",
        "The same figure when every cell is drawn for itself.",
        of="columns drawn independently",
    ),
    "pair_fidelity_real": MetricInfo(
        "Pair fidelity of real rows",
        "higher",
        "The same figure for the training rows: no model should be better.",
        of="training rows",
    ),
    "dependence_kept": MetricInfo(
        "Dependence kept",
        "higher",
        "Share of the mutual information between pairs of columns that is there, neither less nor more; independent "
        "columns keep none.",
        "dependence_kept_baseline",
        "dependence_kept_real",
        bound=1.0,
        margin=0.01,
        gate=_DEPENDENT,
    ),
    "dependence_kept_baseline": MetricInfo(
        "Dependence a copula keeps", "higher", f"The same share for {_COPULA}.", of=_COPULA_SHORT
    ),
    "dependence_kept_real": MetricInfo(
        "Dependence real rows keep",
        "higher",
        "The same share for the training rows: no model should be better.",
        of="training rows",
    ),
    "detection_score": MetricInfo(
        "Indistinguishability",
        "higher",
        "How badly a classifier tells synthetic rows from held-out ones: 1 where it guesses, 0 where it always knows.",
        "detection_score_baseline",
        "detection_score_real",
        bound=1.0,
        margin=0.06,
    ),
    "detection_score_baseline": MetricInfo(
        "Indistinguishability of a copula", "higher", f"The same score for {_COPULA}.", of=_COPULA_SHORT
    ),
    "detection_score_real": MetricInfo(
        "Indistinguishability of real rows", "higher", "The same score for the training rows.", of="training rows"
    ),
    "detection_auc": MetricInfo(
        "Detection AUC",
        "lower",
        "Cross-validated area under the ROC curve of the better of gradient boosting and logistic regression that "
        "tell synthetic rows from held-out ones; 0.5 is a guess.",
        "detection_auc_baseline",
        "detection_auc_real",
        bound=0.5,
        margin=0.03,
    ),
    "detection_auc_baseline": MetricInfo(
        "Detection AUC of a copula", "lower", f"The same area for {_COPULA}.", of=_COPULA_SHORT
    ),
    "detection_auc_real": MetricInfo(
        "Detection AUC of real rows", "lower", "The same area for the training rows.", of="training rows"
    ),
    "tstr_auc": MetricInfo(
        "Train-on-synthetic AUC",
        "higher",
        "Area under the ROC curve on held-out rows of gradient boosting taught with synthetic rows alone.",
        "tstr_auc_baseline",
        "trtr_auc",
        bound=1.0,
        margin=0.01,
        gate=_CLASSES,
        noise="tstr_auc_noise",
    ),
    "tstr_f1": MetricInfo(
        "Train-on-synthetic F1",
        "higher",
        "F1 of the same classifier: of the rarer of two classes, or the mean over more than two.",
        "tstr_f1_baseline",
        "trtr_f1",
        bound=1.0,
        margin=0.01,
        gate=_CLASSES,
        noise="tstr_f1_noise",
    ),
    "tstr_accuracy": MetricInfo(
        "Train-on-synthetic accuracy",
        "higher",
        "Share of held-out rows whose target a classifier taught with synthetic rows alone names rightly.",
        "tstr_accuracy_baseline",
        "trtr_accuracy",
        bound=1.0,
        margin=0.01,
        gate=_CLASSES,
        noise="tstr_accuracy_noise",
    ),
    "tstr_r2": MetricInfo(
        "Train-on-synthetic R²",
        "higher",
        "Share of the variance of the target in held-out rows that a model taught with synthetic rows alone explains.",
        "tstr_r2_baseline",
        "trtr_r2",
        bound=1.0,
        margin=0.01,
        gate=_NUMBERS,
        noise="tstr_r2_noise",
    ),
    "tstr_mae": MetricInfo(
        "Train-on-synthetic error",
        "lower",
        "Mean absolute error on held-out rows of a model taught with synthetic rows alone, in the target's own unit.",
        "tstr_mae_baseline",
        "trtr_mae",
        bound=0.0,
        gate=_NUMBERS,
        noise="tstr_mae_noise",
    ),
    "trtr_auc": MetricInfo(
        "Train-on-real AUC", "higher", "The same area for a classifier taught with real rows.", of="training rows"
    ),
    "trtr_f1": MetricInfo(
        "Train-on-real F1", "higher", "The same F1 for a classifier taught with real rows.", of="training rows"
    ),
    "trtr_accuracy": MetricInfo(
        "Train-on-real accuracy", "higher", "The same share for a classifier taught with real rows.", of="training rows"
    ),
    "trtr_r2": MetricInfo(
        "Train-on-real R²", "higher", "The same share for a model taught with real rows.", of="training rows"
    ),
    "trtr_mae": MetricInfo(
        "Train-on-real error", "lower", "The same error for a model taught with real rows.", of="training rows"
    ),
    "tstr_auc_baseline": MetricInfo(
        "AUC of a copula", "higher", f"The same area when rows come from {_COPULA}.", of=_COPULA_SHORT
    ),
    "tstr_f1_baseline": MetricInfo(
        "F1 of a copula", "higher", f"The same F1 when rows come from {_COPULA}.", of=_COPULA_SHORT
    ),
    "tstr_accuracy_baseline": MetricInfo(
        "Accuracy of a copula", "higher", f"The same share when rows come from {_COPULA}.", of=_COPULA_SHORT
    ),
    "tstr_r2_baseline": MetricInfo(
        "R² of a copula", "higher", f"The same share when rows come from {_COPULA}.", of=_COPULA_SHORT
    ),
    "tstr_mae_baseline": MetricInfo(
        "Error of a copula", "lower", f"The same error when rows come from {_COPULA}.", of=_COPULA_SHORT
    ),
    "tstr_auc_noise": MetricInfo("Noise of the AUC", "none", _NOISE),
    "tstr_f1_noise": MetricInfo("Noise of F1", "none", _NOISE),
    "tstr_accuracy_noise": MetricInfo("Noise of the accuracy", "none", _NOISE),
    "tstr_r2_noise": MetricInfo("Noise of R²", "none", _NOISE),
    "tstr_mae_noise": MetricInfo("Noise of the error", "none", _NOISE),
    "closer_to_train": MetricInfo(
        "Closer to training rows",
        "lower",
        "Share of synthetic rows whose closest real row is a training row; beside it the share to expect of rows "
        "that copy nobody.",
        None,
        "closer_to_train_real",
        alone=_PRIVACY_ALONE,
    ),
    "closer_to_train_real": MetricInfo(
        "Training share",
        "lower",
        "Share of training rows among the real rows that are compared with.",
        of="rows that copy nobody",
    ),
    "closest_distance": MetricInfo(
        "Distance to closest row",
        "higher",
        "Median distance of a synthetic row to the closest training row, from 0 to 1, beside that of held-out rows.",
        None,
        "closest_distance_real",
        alone=_PRIVACY_ALONE,
    ),
    "closest_distance_real": MetricInfo(
        "Distance of held-out rows",
        "higher",
        "Median distance of a held-out row to the closest training row.",
        of="held-out rows",
    ),
    "neighbour_ratio": MetricInfo(
        "Neighbour ratio",
        "higher",
        "Median ratio of the distances to the closest and to the second closest training row; near 0 a row clings to "
        "one training row.",
        None,
        "neighbour_ratio_real",
        alone=_PRIVACY_ALONE,
    ),
    "neighbour_ratio_real": MetricInfo(
        "Ratio of held-out rows", "higher", "The same ratio for held-out rows.", of="held-out rows"
    ),
    "exact_copies": MetricInfo(
        "Exact copies",
        "lower",
        "Synthetic rows that equal a training row in every column but identifiers and free text, beside how many of "
        "as many held-out rows do.",
        None,
        "exact_copies_real",
        alone=_PRIVACY_ALONE,
    ),
    "exact_copies_real": MetricInfo(
        "Copies among real rows", "lower", "How many of as many held-out rows equal a training row.", of="held-out rows"
    ),
}
