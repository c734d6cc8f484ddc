"""Whether the input keeps up with training: samples per second of both.

    python benchmarks/input.py --out input.json

Both presets in binary and SDF mode, on the database of benchmarks/fitted.py. It is read again and
again, so that it is in the cache of the system; a sample is a few short contiguous reads.

<preset>_<mode>_input  samples per second of the pipeline alone
<preset>_<mode>_step   samples per second of the compiled step on one batch
<preset>_<mode>_ratio  input over step; above 1 the step never waits for the input
"""

import time

import numpy as np
import tensorflow as tf

from benchmarks.fitted import ROOT, database
from benchmarks.machine import median_seconds, report
from data.field_samples import FieldSamples
from data.pipeline import batches, epoch_order
from data.shards import Database
from models.presets import preset
from models.training.field_trainer import FieldTrainer
from utils.cli import parser, run

SECONDS = 10.0  # of reading


def measure(config):
    """Samples per second of the input, and of the step."""
    data = Database(config.db)
    entries = data.objects("train")
    order = np.tile(epoch_order(entries, None, 0, None), (1000, 1))
    source = iter(batches(FieldSamples(data, config), entries, order, 0, augment=True))
    batch = next(source)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        next(source)
        count += config.batch_size
    rate = count / (time.perf_counter() - start)
    trainer = FieldTrainer(config, tf.distribute.get_strategy())
    return rate, config.batch_size / median_seconds(lambda: float(trainer.train_step(batch)["loss"]))


def main(argv):
    p = parser(__doc__)
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    db, result = str(database(ROOT / "runs/benchmark")), {}
    for name, points in (("small", 512), ("faithful", 2048)):
        for binary in (True, False):
            config = preset(name, binary, db=db, bfloat16=True, num_sample_points=points)
            key = f"{name}_{'binary' if binary else 'sdf'}"
            rate, step = measure(config)
            result |= {f"{key}_input": rate, f"{key}_step": step, f"{key}_ratio": rate / step}
            print(
                f"{key}: {rate:.0f} samples/s read, {step:.0f} samples/s trained, ratio {rate / step:.1f}", flush=True
            )
    report(args.out, result)


if __name__ == "__main__":
    run(main)
