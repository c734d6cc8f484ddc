"""The flags of the training commands: one per setting, from its declaration in models/config.py.

A flag that is not given leaves no trace: the preset decides, or the run that is resumed.
"""

import argparse
import collections.abc
import contextlib
import dataclasses
import pathlib
import typing

from models.presets import PRESETS, of_preset, preset_name
from models.settings import check_value, shown
from models.shared_settings import Settings
from models.training import cluster
from models.weights.run import Run, check_there
from utils import cli
from utils.errors import UserError
from utils.out_folder import working_in

# The decoders' flags of the original and of DISN, and the decoders they stand for.
OLDER_DECODERS = {"img_feat_twostream": "twostream", "img_feat_onestream": "onestream", "threedcnn": "threedcnn"}
NO_WEIGHTS = "none"  # as the source of first weights: those of a random start
# Of a run that starts from a whole model, which a high rate would make worse at first.
FINE_TUNING: dict[str, typing.Any] = {"schedule": "cosine", "warm_up": 50}
FINE_TUNING_RATE = 0.2  # of the preset's learning rate
ENCODER_ONLY = " (encoder)"  # ends `restore_model` in a configuration that took the encoder alone


@dataclasses.dataclass(frozen=True)
class FirstWeights:
    """Weights that a new run starts from."""

    source: str  # path, or a name such as imagenet
    whole: bool  # all of the network, or the encoder alone
    settings: dict[str, typing.Any]  # the settings that come with the weights
    preset: str | None  # of the run that they come from
    load: collections.abc.Callable[[typing.Any], None]  # puts them into a network
    views: dict[str, typing.Any] | None = None  # settings of the renderer of the views that they were trained on


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a training command is to do."""

    config: typing.Any  # Config or CameraConfig
    run: Run
    resumed: bool  # whether the run has a checkpoint to continue from
    first_weights: FirstWeights | None
    checkpoint_minutes: float


def working_in_run(folder: str) -> contextlib.AbstractContextManager[None]:
    """Hold the folder of a run as the only process that writes there.

    Of several workers on one run, one writes.
    """
    return working_in(folder, depth=0) if cluster.writes() else contextlib.nullcontext()


# Opens first weights: (source, whole) -> FirstWeights. It imports TensorFlow, so the commands pass
# it in.
Opener = collections.abc.Callable[[str, bool], FirstWeights]


def build_parser(
    doc: str,
    cls: type[Settings],
    make: collections.abc.Callable[[str], Settings],
) -> argparse.ArgumentParser:
    """The parser of a training command.

    Args:
        doc: its docstring.
        cls: its settings class, each of whose settings becomes a flag.
        make: name of a preset -> the configuration whose values are shown as defaults.
    """
    p = cli.parser(doc)
    p.add_argument("--log_dir", required=True, help="folder of the run; one that was begun is continued")
    p.add_argument(
        "--preset",
        choices=list(PRESETS),
        type=preset_name,
        default=argparse.SUPPRESS,
        help="faithful = the original's sizes and settings; small = the original's network, small enough for a laptop; "
        "plus = the best reconstructions, on a laptop too (default: faithful)",
    )
    p.add_argument(
        "--checkpoint_minutes",
        type=cli.real_number(least=0),
        default=5,
        help="also save the run every so many minutes within an epoch",
    )
    p.add_argument(
        "--cluster",
        default="",
        metavar="HOST:PORT,...",
        help="train on several machines: the addresses of all workers, the same list for each",
    )
    p.add_argument("--worker", type=cli.whole_number(0), help="which address of --cluster is this process's, from 0")
    presets = {name: make(name) for name in PRESETS}
    for field in dataclasses.fields(cls):
        if field.metadata["flag"]:
            _add_setting(p, field, {label: shown(getattr(config, field.name)) for label, config in presets.items()})
    cli.older_switch(p, "--bfloat16", "precision", "bfloat16", "float32")
    if "decoder" in {field.name for field in dataclasses.fields(cls)}:
        group = p.add_argument_group("decoders by the names that the original and DISN gave them")
        for flag, decoder in OLDER_DECODERS.items():
            text = f"--decoder {decoder}" + ("; --no- is --decoder global" if decoder == "twostream" else "")
            group.add_argument(f"--{flag}", action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
    p.add_argument(
        "--restore_model",
        default="",
        help="start a new run from all weights of this run of the same command (train_sdf.py: or TF1 checkpoint, "
        "folder or prefix), in a network of its sizes and conventions",
    )
    p.add_argument(
        "--restore_modelcnn",
        default="",
        help="start a new run with the encoder of this run, TF1 checkpoint (TF-slim's vgg_16.ckpt), Keras VGG16 file, "
        "'imagenet' (Keras's VGG16), 'efficientnet_lite0' (ImageNet weights that are part of the project), or 'none' "
        "(default: efficientnet_lite0 for the encoder of that name, else none)",
    )
    return p


def _add_setting(p: argparse.ArgumentParser, field: dataclasses.Field, defaults: dict[str, str]) -> None:
    """Add the flag of a setting; defaults: {preset: value}."""
    kind = type(field.default)
    options: dict[str, typing.Any] = {}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif kind is tuple:
        options["type"] = cli.numbers_list(cli.whole_number())
    else:
        options["type"] = kind
    if field.metadata["choices"]:
        options["choices"] = list(field.metadata["choices"])
    values = list(dict.fromkeys(defaults.values()))
    text = values[0] if len(values) == 1 else ", ".join(f"{value} with {label}" for label, value in defaults.items())
    help = f"{field.metadata['help']} (default: {text})" if text else field.metadata["help"]
    p.add_argument(f"--{field.name}", default=argparse.SUPPRESS, help=help, **options)


def plan(
    args: argparse.Namespace,
    cls: type[Settings],
    make: collections.abc.Callable[..., Settings],
    open_weights: Opener,
) -> Plan:
    """Parsed flags -> the Plan of a new or a resumed run.

    Args:
        args: of build_parser().
        cls: the settings class.
        make: (preset, **overrides) -> configuration.
        open_weights: called where the run starts from other weights.

    Raises:
        UserError: for settings that contradict a saved run or each other, are out of range, or
            would do nothing.
    """
    overrides, run = overridden(args, cls), Run(args.log_dir)
    whole, encoder = args.restore_model, args.restore_modelcnn
    for field in dataclasses.fields(cls):
        if field.name in overrides:
            check_value(field, overrides[field.name])  # before weights are opened, for which TensorFlow is loaded
    if not run.config.exists():
        encoder = encoder or ("" if whole else first_encoder(overrides))
    encoder = "" if encoder == NO_WEIGHTS else encoder
    if whole and encoder:
        raise UserError("--restore_model brings its own encoder; give it or --restore_modelcnn, not both")
    if whole:
        check_there(whole)
    restored = whole or (encoder and encoder + ENCODER_ONLY)
    if run.config.exists():
        config, first = _saved(run, overrides, restored, cls), None
        if not run.last.exists() and config.restore_model:
            source = config.restore_model
            first = open_weights(source.removesuffix(ENCODER_ONLY), not source.endswith(ENCODER_ONLY))
    else:
        if not whole:  # weights of an encoder bring no setting that could make another one valid
            unrestored = _new(overrides, restored, None, cls, make)
            unrestored.check()
            reject_unused(unrestored, overrides)
        first = open_weights(whole or encoder, bool(whole)) if restored else None
        config = _new(overrides, restored, first, cls, make)
    config.check()
    reject_unused(config, overrides)
    return Plan(config, run, run.last.exists(), first, args.checkpoint_minutes)


def check_database(config: Settings) -> None:
    """UserError for a run without a database, before TensorFlow is loaded."""
    if not pathlib.Path(config.db).is_dir():
        raise UserError(f"{config.db} is not a folder; build the database with preprocessing/gen_db.py")


def first_encoder(overrides: dict[str, typing.Any]) -> str:
    """The encoder weights that a new run starts from if no others are asked for."""
    encoder = {"encoder": "vgg16", **PRESETS[overrides.get("preset", "faithful")], **overrides}["encoder"]
    return encoder if encoder == "efficientnet_lite0" else ""


def overridden(args: argparse.Namespace, cls: type[Settings]) -> dict[str, typing.Any]:
    """{setting: value} of the flags that were given."""
    names = {field.name for field in dataclasses.fields(cls)} - {"restore_model"}
    values = {name: value for name, value in vars(args).items() if name in names}
    given = {flag: vars(args)[flag] for flag in OLDER_DECODERS if flag in args}
    decoders = [f"--{flag}" for flag, on in given.items() if on]
    if len(decoders) > 1:
        raise UserError(f"{' and '.join(decoders)} exclude each other: give one")
    if decoders:
        decoder = OLDER_DECODERS[decoders[0].removeprefix("--")]
        if values.setdefault("decoder", decoder) != decoder:
            raise UserError(f"{decoders[0]} is --decoder {decoder}, not {values['decoder']}: give one")
    elif given.get("img_feat_twostream") is False:
        values.setdefault("decoder", "global")
    return values


def _saved(run: Run, overrides: dict[str, typing.Any], restored: str, cls: type[Settings]) -> typing.Any:
    """The configuration of a run that was begun; UserError for what contradicts it."""
    saved = run.load_config(cls)
    if saved.precision == "bfloat16" and "precision" not in overrides:
        saved = dataclasses.replace(saved, precision="auto")  # it may be slow on this machine
    if run.last.exists() and restored and restored != saved.restore_model:
        raise UserError(
            f"{run.last} exists, the run would resume from it; start from other weights in another --log_dir"
        )
    if run.best.exists() and not run.last.exists():
        raise UserError(
            f"{run.folder} is an exported run: it has no {run.last.name} to resume from; use another --log_dir"
        )
    if restored:
        overrides = {**overrides, "restore_model": restored}
    resumable = {field.name for field in dataclasses.fields(cls) if field.metadata["resumable"]}
    contradicted = [n for n in sorted(overrides) if n not in resumable and overrides[n] != getattr(saved, n)]
    if contradicted:
        different = "; ".join(f"{name} {getattr(saved, name)} -> {overrides[name]}" for name in contradicted)
        raise UserError(f"{run.folder} was started with other settings ({different}); use another --log_dir")
    return dataclasses.replace(saved, **overrides)


def _new(
    overrides: dict[str, typing.Any],
    restored: str,
    first: FirstWeights | None,
    cls: type[Settings],
    make: collections.abc.Callable[..., Settings],
) -> typing.Any:
    """The configuration of a new run: flags, then a given preset, then what comes with first
    weights, then defaults.
    """
    name, inherited = overrides.get("preset", "faithful"), {}
    if first:
        name, inherited = overrides.get("preset", first.preset or "faithful"), first.settings
    if "preset" in overrides:
        inherited = {setting: value for setting, value in inherited.items() if setting not in of_preset(name, cls)}
    values = {**inherited, **overrides, "restore_model": restored}
    values.pop("preset", None)
    config = make(name, **values)
    if not (first and first.whole):
        return config
    rate = config.learning_rate if "learning_rate" in overrides else FINE_TUNING_RATE * config.learning_rate
    scheduled = {"schedule", "decay_step", "decay_rate"} & set(overrides)
    chosen = {} if scheduled else {**FINE_TUNING, "warm_up": overrides.get("warm_up", FINE_TUNING["warm_up"])}
    return dataclasses.replace(config, learning_rate=rate, **chosen)


def reject_unused(config: typing.Any, overrides: dict[str, typing.Any]) -> None:
    """UserError where a setting was given that does nothing in this configuration."""
    for field in dataclasses.fields(config):
        reason = field.metadata["unused"](config)
        if reason and field.name in overrides:
            raise UserError(f"{field.name} would do nothing {reason}; leave it out")
