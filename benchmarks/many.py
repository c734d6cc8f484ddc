"""A database larger than memory: listing its objects, an epoch's order, and reading along it.

    python -m benchmarks.many --objects 20000 --out many.json  # from the root of the project

Writes shards of one synthetic object under many names (small views and few points: what grows with
the number of objects counts), and measures in a process of its own:

listed_s, order_s       seconds to list all objects, and to draw the order of an epoch
samples_s               samples per second read along it, across all shards, through the pipeline
waiting                 share of the time that a step of --step milliseconds would wait for them
memory_mb               resident memory above that of a process which has read one shard
peak_mb                 resident memory of the whole process at its highest
"""

import dataclasses
import json
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

from benchmarks.machine import report
from data.field_samples import FieldSamples
from data.shard_format import shard_name, write_shard
from data.shards import Database
from models.presets import preset
from tests.helpers.tiny import box
from utils.cli import parser, run, whole_number

PER_SHARD, VIEWS = 100, 24
READ = 100  # batches
WARM = 20  # batches before time is taken
LEAST = 200  # objects: fewer have too few samples for WARM + 2 READ batches of 20


def write(folder: pathlib.Path, objects: int) -> int:
    """Write the shards, copies of the first one with other names in them; returns their bytes."""
    record, records = box("box", "0", np.random.default_rng(0), VIEWS), []
    for number in range(min(objects, PER_SHARD)):
        records.append(dataclasses.replace(record, object_id=f"{number:032x}"))  # as long as ShapeNet's
    first = folder / shard_name("box", "train", 0)
    write_shard(first, records, {"made": "by a benchmark"})
    for number in range(1, objects // PER_SHARD):
        path = folder / shard_name("box", "train", number)
        shutil.copyfile(first, path)
        with h5py.File(path, "r+") as file:
            file["object_id"][...] = [f"{number * PER_SHARD + i:032x}" for i in range(PER_SHARD)]
    return sum(path.stat().st_size for path in folder.iterdir())


def resident() -> float:
    """MB of this process in memory."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(folder: str, step: float) -> dict[str, float]:
    """What the docstring of this file lists; step: seconds."""
    from data.pipeline import batches, epoch_order

    config = preset("small", db=folder, img_h=40, img_w=40, num_sample_points=64, batch_size=20)
    data = Database(folder)
    before, start = resident(), time.perf_counter()
    entries = data.objects("train")
    listed = time.perf_counter()
    order = epoch_order(entries, 0, 0, None)
    ordered = time.perf_counter()
    source = iter(batches(FieldSamples(data, config), entries, order, 0, augment=True))
    for _ in range(WARM):
        next(source)
    waited, begin = 0.0, time.perf_counter()
    for _ in range(READ):
        asked = time.perf_counter()
        next(source)
        waited += time.perf_counter() - asked
        time.sleep(step)
    total = time.perf_counter() - begin
    for _ in range(READ):
        next(source)
    return {
        "objects": len(entries),
        "samples": len(order),
        "listed_s": listed - start,
        "order_s": ordered - listed,
        "samples_s": READ * config.batch_size / (time.perf_counter() - begin - total),
        "waiting": waited / total,
        "memory_mb": resident() - before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def main(argv):
    p = parser(__doc__)
    p.add_argument("--objects", type=whole_number(LEAST), default=20_000, help="number of objects, by the hundred")
    p.add_argument("--step", type=whole_number(1), default=170, help="milliseconds of a step of 20 samples")
    p.add_argument("--measure", help="measure this folder, in this process")
    p.add_argument("--out", required=True, help="JSON file to write")
    args = p.parse_args(argv)
    if args.measure:
        pathlib.Path(args.out).write_text(json.dumps(measure(args.measure, args.step / 1000)))
        return
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        start = time.perf_counter()
        size = write(folder, args.objects)
        print(
            f"{args.objects} objects, {size / 1e6:.0f} MB, written in {time.perf_counter() - start:.0f} s", flush=True
        )
        findings = folder / "findings.json"
        words = ["-m", "benchmarks.many", "--measure", folder, "--step", args.step, "--out", findings]
        subprocess.run([sys.executable, *map(str, words)], check=True)
        result = json.loads(findings.read_text()) | {"bytes": size, "step_ms": args.step}
        for name, value in result.items():
            print(f"{name:12} {value:,.3f}")
        report(args.out, result)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    run(main)
