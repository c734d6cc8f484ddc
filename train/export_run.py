"""Make a run small enough to be passed on: its best weights as 16-bit floats, its configuration and level, nothing of its training.

    python train/export_run.py runs/all --out models/pretrained/field
    python train/export_run.py runs/cam --out models/pretrained/camera

The result is a run like any other to evaluation, reconstruction and --restore_model; training cannot go on from it. Kernels become
float16 (11 bits of precision; the largest weight must be below 65504), vectors stay float32: they are few, and the variances
of batch normalisation can be tiny. Prints the sizes and the largest change of a weight. A second.
"""

import json
import pathlib
import shutil

import h5py
import numpy as np

from models.config import load_either
from models.weights.run import Run
from utils.cli import parser, run
from utils.errors import UserError
from utils.files import replacing


def halved(values):
    """A kernel as float16, a vector as it is; UserError where a value is too large."""
    if values.ndim < 2:
        return values
    if not np.abs(values).max() < np.finfo(np.float16).max:
        raise UserError("a weight is too large for 16 bits")
    return values.astype(np.float16)


def ship(source, target):
    """Two models.weights.run.Run: write the second; largest change of a weight."""
    change = 0.0
    with h5py.File(source.weights) as whole, replacing(target.best) as temporary, h5py.File(temporary, "w") as small:
        small.attrs["progress"] = json.dumps(json.loads(whole.attrs["progress"]))

        def copy(name, item):
            nonlocal change
            if isinstance(item, h5py.Dataset):
                values = item[()]
                small[name] = halved(values)
                change = max(change, float(np.abs(values - small[name][()]).max(initial=0)))

        whole["network"].visititems(lambda name, item: copy(f"network/{name}", item))
    return change


def main(argv):
    p = parser(__doc__)
    p.add_argument("run", help="run of train_sdf.py or train_cam.py")
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder to write")
    args = p.parse_args(argv)
    source, target = Run(args.run), Run(args.out)
    if not source.folder.is_dir():
        raise UserError(f"{source.folder} is not a run folder (there is no such folder)")
    config = load_either(source.config)
    if target.last.exists():
        raise UserError(f"{target.folder} is a run that can be trained; give another --out")
    change = ship(source, target)
    config.save(target.config)
    if source.level.exists():
        shutil.copyfile(source.level, target.level)
    sizes = [path.stat().st_size / 1e6 for path in (source.weights, target.best)]
    print(f"{source.weights}: {sizes[0]:.1f} MB -> {sizes[1]:.1f} MB, largest change of a weight {change:.2g}")
    print(f"written  {target.folder}")


if __name__ == "__main__":
    run(main)
