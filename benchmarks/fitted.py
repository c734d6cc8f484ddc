"""A full-size network fitted to four named synthetic objects, whose field benchmarks measure.

    python benchmarks/fitted.py --out runs/benchmark --minutes 15

Makes three objects of each of car, chair, guitar and table; the split takes one of each for
training. Renders them and fits the original's network to all views of those four, in bfloat16,
without validation or augmentation. It is fitted once and not trained further: the benchmarks query
it for the objects that it was fitted to. --no-binary fits distances instead.
"""

import argparse
import subprocess
import sys
import time

import numpy as np
from tqdm import tqdm

from benchmarks.machine import ROOT
from data.field_samples import FieldSamples
from data.shards import Database
from models.presets import preset
from models.weights.run import Run, save_checkpoint
from utils.cli import parser, real_number, run
from utils.errors import UserError

KINDS = "car,chair,guitar,table"
MINUTES = 15.0
BATCH = 4  # small, so that a few minutes are many steps


def database(out):
    """The folder of the database of the four objects, built if it is missing."""
    steps = [
        ["preprocessing/make_shapes.py", "--out", out / "meshes", "--per_category", "3", "--categories", KINDS],
        ["preprocessing/render_views.py", "--meshes", out / "meshes", "--out", out / "raw", "--jobs", "2"],
        ["preprocessing/gen_db.py", "--raw", out / "raw", "--out", out / "db", "--jobs", "2"],
    ]
    if not (out / "db").exists():
        for step in steps:
            print(" ".join(map(str, step)), flush=True)
            if subprocess.run([sys.executable, *map(str, step)], cwd=ROOT, check=False).returncode:
                raise UserError(f"{step[0]} failed; the next run uses the files in {out}")
    return out / "db"


def fit(out="runs/benchmark", minutes=MINUTES, binary=True):
    """The Run of the fitted network, fitted if it is missing."""
    out = (ROOT / out).resolve()
    folder = Run(out / ("run" if binary else "run_sdf"))
    if folder.last.exists():
        return folder

    import keras
    import tensorflow as tf

    from data.pipeline import batches, epoch_order
    from models.training.field_trainer import FieldTrainer

    db = database(out)
    config = preset("faithful", binary, db=str(db), precision="bfloat16", batch_size=BATCH, beta1=0.9)
    entries = Database(db).objects("train")
    names = [f"{entry.category}/{entry.object_id}" for entry in entries]
    print(f"fitting {', '.join(names)} for {minutes:g} minutes -> {folder.folder}")
    keras.utils.set_random_seed(config.seed)
    trainer = FieldTrainer(config, tf.distribute.get_strategy())
    rng = np.random.default_rng(config.seed)
    plain = epoch_order(entries, None, 0, None)
    order = np.concatenate([rng.permutation(plain) for _ in range(1000)])
    source = iter(batches(FieldSamples(Database(db), config), entries, order, 0, augment=False))
    start, step = time.time(), 0
    with tqdm(total=round(60 * minutes), unit="s", desc="fitting") as bar:
        while time.time() - start < 60 * minutes:
            parts = trainer.train_step(next(source))
            step += 1
            if step % 10 == 0:
                shown = {name: float(parts[name]) for name in ("geometry", "colour", "accuracy")}
                bar.set_postfix(step=step, **{name: f"{value:.3g}" for name, value in shown.items()}, refresh=False)
                bar.update(min(round(time.time() - start), bar.total) - bar.n)
    progress = {"step": step, "minutes": minutes, **{name: float(value) for name, value in parts.items()}}
    config.save(folder.config)
    save_checkpoint(folder.last, {"network": trainer.network.variables}, progress)
    losses = f"geometry {progress['geometry']:.3g}, colour {progress['colour']:.3g}"
    print(f"{step} steps: {losses}, accuracy {progress['accuracy']:.3f}")
    return folder


def main(argv):
    p = parser(__doc__)
    p.add_argument(
        "--out",
        default="runs/benchmark",
        help="folder of meshes, views, database and run, relative to the root of the repository",
    )
    p.add_argument("--minutes", type=real_number(above=0), default=MINUTES, help="minutes of fitting")
    p.add_argument(
        "--binary", default=True, action=argparse.BooleanOptionalAction, help="logits of occupancy, or distances"
    )
    args = p.parse_args(argv)
    print(f"run: {fit(args.out, args.minutes, args.binary).folder}")


if __name__ == "__main__":
    run(main)
