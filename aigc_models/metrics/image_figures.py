"""How the figures of generated pictures read to a person; without torch."""

from aigc_models.judging import MetricInfo

IMAGE_METRICS = {
    "domain_fid": MetricInfo(
        "Domain-FID",
        "lower",
        "Frechet distance to held-out real pictures in the features of our own small network, trained on "
        "Fashion-MNIST at 28 pixels; not comparable with Inception FID.",
        "domain_fid_baseline",
        "domain_fid_floor",
    ),
    "domain_fid_baseline": MetricInfo(
        "Domain-FID of independent pixels",
        "lower",
        "The same distance for pictures whose pixels are each drawn from a real picture of their own.",
        of="independent pixels",
    ),
    "domain_fid_floor": MetricInfo(
        "Domain-FID of real pictures",
        "lower",
        "The same distance between real training pictures and held-out ones: no model should be better.",
        of="training images",
    ),
    "tstr_accuracy": MetricInfo(
        "Train-on-synthetic accuracy",
        "higher",
        "Share of held-out real pictures that a small classifier taught only with generated ones names rightly.",
        "tstr_baseline",
        "trtr_accuracy",
    ),
    "trtr_accuracy": MetricInfo(
        "Train-on-real accuracy",
        "higher",
        "The same classifier taught with the real training pictures, in as many steps.",
        of="training images",
    ),
    "tstr_baseline": MetricInfo(
        "Accuracy of the most frequent class",
        "higher",
        "What always naming the most frequent class reaches.",
        of="the most frequent class",
    ),
}
