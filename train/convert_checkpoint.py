"""Convert TF1 checkpoints to runs of this project and back, bit for bit.

    python train/convert_checkpoint.py checkpoints/SDF_DISN --out runs/disn  # a folder, or a prefix
    python train/convert_checkpoint.py runs/disn --out tf1/disn --to tf1

To a run: reads a checkpoint of the original or of DISN, infers its configuration from names and
shapes of the variables, and writes config.json and best.h5. Settings that leave no trace there have
the defaults of the checkpoint's kind, which the flags override. Optimiser slots and counters are
listed and left behind. To TF1: writes model.ckpt-<step> and the file `checkpoint`, under the
original's variable names. Prints what was read, what was left and why, and the folder written.
"""

from __future__ import annotations

import pathlib
import typing

from models.weights import tf1_conventions
from models.weights.run import Run, check_there, save_checkpoint
from utils import cli
from utils.errors import UserError
from utils.files import replacing_folder

if typing.TYPE_CHECKING:
    from models.weights.sources import RunModel, Tf1Model

# The TF1 code computes with these values. With others it would make another model of the weights.
FIXED_IN_TF1 = {"resized_reading": True, "coordinate_scale": 1.0, "crop": 0.0, "backcolorwhite": False}


def to_run(model: Tf1Model, folder: pathlib.Path) -> None:
    """Write the run folder of a TF1 checkpoint."""
    from models.networks.texdisn import build_field_network

    network = build_field_network(model.config)
    model.load(network)
    with replacing_folder(folder) as temporary:
        run = Run(temporary)
        save_checkpoint(run.best, {"network": network.variables}, {"step": model.step})
        model.config.save(run.config)
    print(f"run         {folder}  ({run.config.name}, {run.best.name}; step {model.step})")


def to_tf1(model: RunModel, folder: pathlib.Path) -> None:
    """Write the TF1 checkpoint of a run."""
    from models.networks.texdisn import build_field_network
    from models.weights import tf1_checkpoint, tf1_names

    config = model.config
    names = tf1_names.all_names(config)
    for field, fixed in FIXED_IN_TF1.items():
        value = getattr(config, field)
        if value != fixed:
            raise UserError(
                f"{model.weights}: {field} is {value}, the TF1 code has {fixed}; the result would be another model"
            )
    network = build_field_network(config)
    model.load(network)
    variables = {variable.path: variable.numpy() for variable in network.variables}
    values = {name: tf1_names.join(name, [variables[path] for path in paths]) for name, paths in names.items()}
    prefix = tf1_checkpoint.write(folder, values, model.step or 0)
    kind, defaults = tf1_conventions.conventions_of(config.binary, config.colour)
    for name, value in tf1_conventions.record(config).items():
        if value != defaults.get(name, False):
            flag = f"--{name}" if value is True else f"--{name} {value}"
            print(f"not carried by a TF1 checkpoint, and not the default of {kind}: {flag}")
    print(f"checkpoint  {prefix}  ({len(values)} variables, step {model.step})")


def main(argv: list[str]) -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("source", help="TF1 checkpoint (folder or prefix), or a run with --to tf1")
    parser.add_argument("--out", required=True, help="new folder")
    parser.add_argument("--to", choices=["run", "tf1"], default="run", help="what to write")
    tf1_conventions.add_flags(parser)
    args = parser.parse_args(argv)
    out = pathlib.Path(args.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not an empty folder; give a new one")
    check_there(args.source)

    from models.weights.sources import RunModel, open_model

    model = open_model(args.source, tf1_conventions.overrides(args))
    is_run = isinstance(model, RunModel)
    if is_run != (args.to == "tf1"):
        raise UserError(f"{args.source} is {'a run' if is_run else 'a TF1 checkpoint'} already; see --to")
    print(model.describe())
    if isinstance(model, RunModel):
        to_tf1(model, out)
    else:
        to_run(model, out)


if __name__ == "__main__":
    cli.run(main, resumes=False)
