"""Export a run: a copy that is small enough to be passed on, without the state of its training.

    python train/export_run.py runs/all --out models/pretrained/field
    python train/export_run.py runs/cam --out models/pretrained/camera

Writes the best weights as 16-bit floats, the configuration, and the iso value that was found on the
validation split. Evaluation, reconstruction and --restore_model take the result like any other run;
training cannot resume from it. Kernels become float16 (11 bits of precision; every weight must be
below 65504). Vectors stay float32: they are few, and the variances of batch normalisation can be
tiny. Of a field network, novelty.h5 tells what the images of the training split are like, so that
reconstruct.py can warn of others, and categories.h5 what tells their categories apart; that takes
about a minute for a thousand objects. Prints the sizes and the largest change of a weight.
"""

import pathlib
from typing import Any

import h5py
import numpy as np

from data.raw_layout import render_settings, render_settings_path
from models.config import Config, load_either
from models.weights.run import Run, check_there, open_checkpoint
from utils import cli, hdf5
from utils.errors import UserError
from utils.files import file_digest, write_json
from utils.out_folder import working_in

PACKED: dict[str, Any] = {"compression": "gzip", "shuffle": True}  # saves an eighth of 16-bit floats
SMALL = 1024  # numbers in an array that is not worth compressing


def halved(values: np.ndarray) -> np.ndarray:
    """A kernel as float16, a vector as it is; UserError if a weight is too large, or not finite."""
    if not np.isfinite(values).all():
        raise UserError("a weight is not finite")
    if values.ndim < 2:
        return values
    if not np.abs(values).max() < np.finfo(np.float16).max:
        raise UserError("a weight is too large for 16 bits")
    return values.astype(np.float16)


def export_weights(source: Run, target: Run) -> float:
    """Write the best weights of `source` to `target` and return the largest change of a weight."""
    change = 0.0
    with open_checkpoint(source.weights) as whole, hdf5.create(target.best) as small:
        small.attrs["progress"] = whole.attrs["progress"]

        def copy(name: str, item: h5py.Dataset | h5py.Group) -> None:
            nonlocal change
            if isinstance(item, h5py.Dataset):
                values = item[()]
                exported = halved(values)
                hdf5.put(small, f"network/{name}", exported, **(PACKED if exported.size > SMALL else {}))
                change = max(change, float(np.abs(values - exported).max(initial=0)))

        whole["network"].visititems(copy)
    return change


def export_run(source: Run, target: Run) -> float:
    """Write a small copy of a run.

    Args:
        source: A run of either kind of network. The iso value that is exported with a field network
            is the one that an evaluation found for its best weights, if there is one.
        target: The run to write; its folder need not exist.

    Returns:
        The largest change of a weight.

    Raises:
        UserError: `source` is not a run or a weight is too large, or `target` can be trained
            or is a folder of other files.
    """
    if not source.folder.is_dir():
        raise UserError(f"{source.folder} is not a run folder (there is no such folder)")
    config = load_either(source.config)
    if target.last.exists():
        raise UserError(f"{target.folder} is a run that can be trained; give another folder")
    if target.folder.exists() and target.folder.samefile(source.folder):
        raise UserError(f"{target.folder} is the run itself: give another folder")
    views = render_settings_path(target.folder)
    outdated = (target.iso, target.level, target.novelty, target.categories, views)  # of an earlier export
    present = target.folder.iterdir() if target.folder.is_dir() else ()
    others = [path for path in present if path not in outdated and not path.name.startswith(".")]
    if others and not (target.best.exists() or target.config.exists()):  # a database has a render.json too
        raise UserError(f"{target.folder} holds other files than an exported run: give another folder")
    iso = None
    if isinstance(config, Config):  # a camera network has no field
        from models.inference.iso_search import stored_iso
        from models.weights.sources import RunModel

        iso = stored_iso(RunModel(source.folder))
    seen = render_settings(source.folder)  # before anything is written
    change = export_weights(source, target)
    config.save(target.config)
    for path in outdated:
        path.unlink(missing_ok=True)
    if seen is not None:
        write_json(views, seen)
    if iso is not None:  # the file names weights by their content, which the export changed
        write_json(target.iso, {**iso, "weights": file_digest(target.best)})
    return change


def describe_known(target: Run, database: str | None) -> None:
    """Write what the training images of an exported field network are like, and print lines.

    Args:
        target: the exported run.
        database: that it was trained on; None: the one in its configuration, if that is there.
    """
    config = load_either(target.config)
    if not isinstance(config, Config):
        return
    if not pathlib.Path(database or config.db).is_dir():
        files = f"{target.novelty.name} and {target.categories.name}"
        print(f"known images: the database {config.db} is not there, so {files} are left out; give --db")
        return
    from data.shards import Database
    from models.inference.category_fit import fit_categories
    from models.inference.image_description import describe_split
    from models.inference.novelty import Known

    opened, digest = Database(database or config.db), file_digest(target.best)
    training, validation = (describe_split(opened, split, config.category) for split in ("train", "val"))
    Known.of(training.features, training.objects).save(target.novelty, digest)
    print(f"known images: {target.novelty}")
    classifier = fit_categories(training, validation)
    if classifier is not None:
        classifier.save(target.categories, digest)
        print(f"categories: {target.categories} ({len(classifier.names)}, named from {classifier.limit:.2f} on)")


def main(argv: list[str]) -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("run", help="run of train_sdf.py or train_cam.py")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write")
    parser.add_argument("--db", help="database that it was trained on, where it has moved (default: the run's)")
    args = parser.parse_args(argv)
    source, target = Run(args.run), Run(args.out)
    if args.db:
        check_there(args.run)
        if not isinstance(load_either(source.config), Config):
            raise UserError(f"{args.run}: --db would do nothing, only field networks describe the images they know")
        if not pathlib.Path(args.db).is_dir():
            raise UserError(f"--db {args.db} is not a folder")
    with working_in(target.folder):
        change = export_run(source, target)
        describe_known(target, args.db)
    before, after = (path.stat().st_size / 1e6 for path in (source.weights, target.best))
    print(f"{source.weights}: {before:.1f} MB -> {after:.1f} MB, largest change of a weight {change:.2g}")
    print(f"written  {target.folder}")


if __name__ == "__main__":
    cli.run(main, resumes=False)
