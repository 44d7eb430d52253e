"""The public CTGAN and TVAE, run by an interpreter that has them: ``python ctgan_side.py FAMILY TRAIN.csv OUT.csv``.

The package is licensed for measuring, not for use in this product; it is never imported by it.
"""

import argparse
import json
import resource
import time

import pandas as pd
import torch
from ctgan import CTGAN, TVAE


def main() -> None:
    """Fit and sample; print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=["table_gan", "table_vae"])
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=500)
    arguments = parser.parse_args()
    frame = pd.read_csv(arguments.train, skipinitialspace=True)
    discrete = [name for name in frame if frame[name].dtype.kind not in "if"]
    torch.manual_seed(0)
    kind = CTGAN if arguments.family == "table_gan" else TVAE
    model = kind(epochs=arguments.epochs, batch_size=arguments.batch_size, enable_gpu=False)
    begun, cpu = time.perf_counter(), time.process_time()
    model.fit(frame, discrete)
    fitted, fitted_cpu = time.perf_counter() - begun, time.process_time() - cpu
    model.sample(1000)
    begun, cpu = time.perf_counter(), time.process_time()
    made = model.sample(len(frame))
    sampled, sampled_cpu = time.perf_counter() - begun, time.process_time() - cpu
    made.to_csv(arguments.out, index=False)
    figures = {
        "fit_seconds": fitted,
        "fit_cpu_seconds": fitted_cpu,
        "sample_rows_per_second": len(frame) / sampled,
        "sample_rows_per_cpu_second": len(frame) / sampled_cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
