"""Whether the input keeps up with training: samples per second of both.

    python benchmarks/input.py --out input.json

The presets small and faithful in binary and SDF mode, plus in SDF mode, on the database of
benchmarks/fitted.py. It is read again and again, so that it is in the cache of the system; a sample
is a few short contiguous reads.

<preset>_<mode>_input  samples per second of the pipeline alone
<preset>_<mode>_step   samples per second of the compiled step on one batch
<preset>_<mode>_ratio  input over step; above 1 the step never waits for the input
checksums_ratio        seconds to read the samples from the shards, over those from copies without
                       checksums; the median of RUNS pairs
"""

import pathlib
import tempfile
import time

import h5py
import numpy as np

from benchmarks.fitted import database
from benchmarks.machine import ROOT, median_seconds, report
from data.field_samples import FieldSamples
from data.shard_format import find_shards
from data.shards import Database
from models.presets import preset
from utils.cli import parser, run

SECONDS = 10.0  # of reading
RUNS = 6


def measure(config):
    """Samples per second of the input, and of the step."""
    import tensorflow as tf

    from data.pipeline import batches, epoch_order
    from models.training.field_trainer import FieldTrainer

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


def without_checksums(folder, copy):
    """Copy the shards of a database as earlier versions wrote them; returns the copy."""
    for path, _, _ in find_shards(folder):
        with h5py.File(path) as source, h5py.File(copy / path.name, "w", libver=("v110", "v110")) as target:
            target.attrs.update(source.attrs)
            for name, data in source.items():
                storage = {"chunks": data.chunks, "compression": "gzip", "compression_opts": 1}
                target.create_dataset(name, data=data[()], dtype=data.dtype, **(storage if name == "images" else {}))
    return Database(copy)


def reading_seconds(data, points):
    """Seconds to read a view, its camera and a block of points, for every view of a database."""
    rng, start = np.random.default_rng(0), time.perf_counter()
    entries = data.objects("train")
    for number in rng.permutation(len(entries) * len(entries[0].view_names)):
        entry, view = entries[number % len(entries)], int(number // len(entries))
        data.image(entry, view), data.trans_mat(entry, view)
        data.sdf_block(entry, int(rng.integers(entry.sdf_count)), points)
    return time.perf_counter() - start


def checksums_ratio(folder):
    """The cost of the checksums of a database, all of whose objects have as many views."""
    with tempfile.TemporaryDirectory() as copy:
        checked, plain = Database(folder), without_checksums(folder, pathlib.Path(copy))
        pairs = [(reading_seconds(checked, 512), reading_seconds(plain, 512)) for _ in range(RUNS)]
    return float(np.median([one / other for one, other in pairs[1:]]))  # the first pair opens the files


def main(argv):
    p = parser(__doc__)
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    db, result = str(database(ROOT / "runs/benchmark")), {}
    for name, points, modes in (
        ("small", 512, (True, False)),
        ("faithful", 2048, (True, False)),
        ("plus", 512, (False,)),
    ):
        for binary in modes:
            config = preset(name, binary, db=db, precision="bfloat16", num_sample_points=points)
            key = f"{name}_{'binary' if binary else 'sdf'}"
            rate, step = measure(config)
            result |= {f"{key}_input": rate, f"{key}_step": step, f"{key}_ratio": rate / step}
            print(
                f"{key}: {rate:.0f} samples/s read, {step:.0f} samples/s trained, ratio {rate / step:.1f}", flush=True
            )
    result["checksums_ratio"] = checksums_ratio(db)
    print(f"reading with checksums takes {result['checksums_ratio']:.2f} times as long as without")
    report(args.out, result)


if __name__ == "__main__":
    run(main)
