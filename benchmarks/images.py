"""Quality and speed of the image families beside public examples, on the bundled Fashion-MNIST starter set.

``python -m benchmarks.images [--quick]``: the last line is JSON. Both sides of each figure take
turns on the same threads, so that a busy machine slows both; where speed is compared, each in a
process of its own, as it is run in real life.

- ``fid_ratio_to_dcgan``: domain-FID of our default model over that of a plain DCGAN (2015)
  trained for the same wall time. ``tstr_accuracy``: of the same model. ``train_seconds``: its time.
- ``gan_speedup``: pictures a second of our trainer over the public PyTorch DCGAN example's, the
  same networks at 32 pixels, batch 64. ``gan_fid_ratio``: quality after equally many pictures.
- ``vae_speedup``: the same beside pytorch/examples' VAE, batch 128; ``vae_loss_ratio`` likewise.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from aigc_models import training
from aigc_models.data.images import ImageSet, save_images
from aigc_models.image_gan.params import ImageGanTrain
from aigc_models.image_gan.saving import TrainedGan
from aigc_models.image_gan.session import prepare
from aigc_models.image_gan.trainer import draw
from aigc_models.metrics.image_distance import domain_fid
from aigc_models.metrics.image_quality import Generated, picture_metrics, wanted
from aigc_models.pictures import save_sheet, to_bytes
from aigc_models.standalone import LocalRun
from benchmarks.image_speed import DATASET, gan_speed, starter, vae_speed
from benchmarks.peers.paper_dcgan import PaperDcgan


def main() -> None:
    """Measure all, print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one pass only: does it run, not how good it is")
    parser.add_argument("--out", type=Path, default=Path("build/bench-images"), help="where sample sheets go")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    training.tune_process()
    data = starter()
    result: dict[str, Any] = {"quick": arguments.quick, "threads": torch.get_num_threads()}
    for measure in (gan_speed, vae_speed, quality):
        result |= rounded(measure(data, arguments.quick, arguments.out))
        print(json.dumps(result), flush=True)


def quality(data: ImageSet, quick: bool, out: Path) -> dict[str, float]:
    """Our default model and a plain DCGAN in turns, each for the same wall time; the hold-out judges."""
    params = ImageGanTrain(dataset=DATASET)
    if quick:
        params = ImageGanTrain(dataset=DATASET, epochs=1, width=8)
    with tempfile.TemporaryDirectory() as directory:
        save_images(data, {"classes": list(data.classes), "hash": ""}, Path(directory) / "dataset")
        session = prepare(params, LocalRun(Path(directory), {"dataset": Path(directory) / "dataset"}))
    trainer, peer = session.trainer, PaperDcgan(data.train, seed=0)
    seconds, peer_seconds = 0.0, 0.0
    while trainer.done < trainer.recipe.steps:
        started = time.perf_counter()
        for _ in range(min(10, trainer.recipe.steps - trainer.done)):
            rows = session.batches.next()
            trainer.step(session.data.train[rows], data.train_labels[rows] if data.train_labels is not None else None)
        seconds += time.perf_counter() - started
        while peer_seconds < seconds:
            started = time.perf_counter()
            peer.step()
            peer_seconds += time.perf_counter() - started
    trained = TrainedGan(trainer.ema.module, trainer.plan, data.classes, "cpu")
    labels = trained.labels_in_turn(wanted(data))
    noise = torch.randn(wanted(data), trainer.plan.latent_dim, generator=training.seeded(0, "evaluation"))
    pictures = to_bytes(draw(trained.generator, noise, labels))
    metrics = picture_metrics(Generated(pictures, labels), data, seed=0)
    plain = to_bytes(peer.draw(len(data.test)))
    save_sheet(pictures[:100], None if labels is None else labels[:100], data.classes, out / "ours.png")
    save_sheet(plain[:100], None, (), out / "paper_dcgan.png")
    peer_fid = domain_fid(data.test, plain)
    return {
        "fid_ratio_to_dcgan": metrics["domain_fid"] / peer_fid,
        **metrics,
        "domain_fid_dcgan": peer_fid,
        "train_seconds": seconds,
        "train_seconds_dcgan": peer_seconds,
    }


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Four digits after the point are plenty."""
    return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
