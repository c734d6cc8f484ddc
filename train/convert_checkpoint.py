"""Convert TF1 checkpoints to runs of this project and back, bit for bit.

    python train/convert_checkpoint.py checkpoints/SDF_DISN --out runs/disn          # a folder with `checkpoint`, or a prefix
    python train/convert_checkpoint.py runs/disn --out tf1/disn --to tf1

To a run: reads a checkpoint of the original or of DISN, tells its configuration from names and shapes (the rest has the
defaults of its kind, which the flags override) and writes config.json and best.h5. Optimiser slots and counters are listed and
left behind. To TF1: writes model.ckpt-<step> and the file `checkpoint`, under the original's variable names. Prints what was
read, what was left and why, and the folder written. Takes about 10 s at full size.
"""

import pathlib

from models.weights import tf1_conventions
from models.weights.run import Run, save_checkpoint
from utils import cli
from utils.errors import UserError
from utils.files import replacing_folder

# settings with which the TF1 code would compute something else from the same weights
WITHOUT_TF1 = {"resized_reading": True, "coordinate_scale": 1.0}


def to_run(model, folder):
    """Write the run folder of a Tf1Model."""
    from models.networks.texdisn import build

    network = build(model.config)
    model.load(network)
    with replacing_folder(folder) as temporary:
        run = Run(temporary)
        save_checkpoint(run.best, {"network": network.variables}, {"step": model.step})
        model.config.save(run.config)
    run = Run(folder)
    print(f"run         {run.folder}  ({run.config.name}, {run.best.name}; step {model.step})")


def to_tf1(model, folder):
    """Write the TF1 checkpoint of a run."""
    from models.networks.texdisn import build
    from models.weights import tf1_checkpoint, tf1_names

    names = tf1_names.all_names(model.config)
    for field, value in WITHOUT_TF1.items():
        found = getattr(model.config, field)
        if found != value:
            raise UserError(
                f"{model.weights}: the TF1 code knows no {field} {found}, the result would be another model"
            )
    network = build(model.config)
    model.load(network)
    variables = {variable.path: variable.numpy() for variable in network.variables}
    values = {name: tf1_names.join(name, [variables[path] for path in paths]) for name, paths in names.items()}
    prefix = tf1_checkpoint.write(folder, values, model.step)
    kind, usual = tf1_conventions.of_kind({"binary": model.config.binary, "colour": model.config.colour})
    used = tf1_conventions.record(model.config)
    lost = {name: value for name, value in used.items() if value != usual.get(name, False)}
    for name, value in lost.items():
        flag = f"--{name}" if value is True else f"--{name} {value}"
        print(f"not carried by a TF1 checkpoint, and not the default of {kind}: {flag}")
    print(f"checkpoint  {prefix}  ({len(values)} variables, step {model.step})")


def main(argv):
    parser = cli.parser(__doc__)
    parser.add_argument("source", help="TF1 checkpoint (folder or prefix), or a run with --to tf1")
    parser.add_argument("--out", required=True, help="new folder")
    parser.add_argument("--to", choices=["run", "tf1"], default="run", help="what to write")
    tf1_conventions.add_flags(parser)
    args = parser.parse_args(argv)
    out = pathlib.Path(args.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not an empty folder; give a new one")

    from models.weights.sources import RunModel, open_model

    model = open_model(args.source, tf1_conventions.overrides(args))
    if isinstance(model, RunModel) != (args.to == "tf1"):
        raise UserError(f"{args.source} is {'a run' if args.to == 'run' else 'a TF1 checkpoint'} already; see --to")
    print(model.describe())
    (to_run if args.to == "run" else to_tf1)(model, out)


if __name__ == "__main__":
    cli.run(main)
