"""Flags of training commands: one for each setting, whose default is the preset's or that of the run that goes on."""

import argparse
import dataclasses
import math

from models.config import ENCODER_INPUTS, PRESETS
from models.weights.run import Run
from utils.errors import UserError

CHANGEABLE = {"max_epoch", "max_minutes", "db"}  # a run may go on with other values of these
SWITCH = argparse.BooleanOptionalAction


def sizes(text):
    """16,32,64 -> (16, 32, 64)"""
    return tuple(int(part) for part in text.split(","))


def shown(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def adder(p, preset):
    """A function that adds the flag of a setting to parser p; preset: its name -> the configuration whose values are shown as defaults."""

    def add(name, help, **options):
        # absent flags leave no trace: the preset decides, or the run that is resumed
        field = name.removeprefix("--")
        values = {label: shown(getattr(preset(label), field)) for label in PRESETS}
        default = (
            values["full"] if len(set(values.values())) == 1 else ", ".join(f"{v} with {k}" for k, v in values.items())
        )
        p.add_argument(name, default=argparse.SUPPRESS, help=f"{help} (default: {default})", **options)

    return add


def add_run(p, add):
    """The run, its data and how long it takes."""
    p.add_argument("--log_dir", required=True, help="folder of the run; one with a checkpoint is continued")
    p.add_argument(
        "--preset", choices=list(PRESETS), default=argparse.SUPPRESS,
        help="full = the original's sizes and settings, small = trains on a laptop (default: full)",
    )  # fmt: skip
    p.add_argument(
        "--checkpoint_minutes", type=float, default=5, help="also save the run every so many minutes within an epoch"
    )
    add("--db", "folder of shards (preprocessing/gen_db.py)")
    add("--category", "all, or one category by name or synset id")
    add("--max_epoch", "epochs", type=int)
    add(
        "--max_minutes",
        "stop after so many minutes of training steps, 0 = no limit; a resumed run counts all its minutes",
        type=float,
    )
    add("--batch_size", "samples per step, over all devices", type=int)
    add("--cat_limit", "most samples of one category in an epoch", type=int)
    add("--seed", "seed of weights, order and points", type=int)


def add_image(add):
    """The image and its encoder."""
    add("--img_h", "image height the network works in, pixels", type=int)
    add("--img_w", "image width the network works in, pixels", type=int)
    add("--num_classes", "channels of the global feature", type=int)
    add(
        "--encoder_size",
        "the image is resized to this many pixels before the first convolution, a multiple of 32",
        type=int,
    )
    add("--encoder_widths", "channels of the encoder's five blocks", type=sizes)
    add("--encoder_convs", "convolutions of the encoder's five blocks", type=sizes)
    add("--encoder_fc", "channels of fc6 and fc7", type=int)
    what = "; ".join(f"{name} = {meaning}" for name, meaning in ENCODER_INPUTS.items())
    add(
        "--encoder_input",
        f"what the encoder sees; by itself that of the weights it starts from: {what}",
        choices=list(ENCODER_INPUTS),
    )
    add("--normalisation", "batch normalisation after every hidden layer", action=SWITCH)
    add("--alpha", "give the network the foreground mask as a fourth channel", action=SWITCH)
    add(
        "--crop",
        "crop every view to its object, which takes this share of the image's side; 0 takes views as they are",
        type=float,
    )
    add("--augcolorfore", "shift the colours of the foreground by up to 30/255 in each channel", action=SWITCH)
    add("--augcolorback", "a random background colour for every sample", action=SWITCH)
    add("--backcolorwhite", "white background instead of black", action=SWITCH)


def add_first_encoder(p):
    """Where the encoder's first weights come from."""
    p.add_argument(
        "--restore_modelcnn", default="",
        help="start a new run with the encoder of this run, TF1 checkpoint (TF-slim's vgg_16.ckpt), Keras VGG16 file, or 'imagenet'",
    )  # fmt: skip


def add_optimizer(add):
    """How the weights are found."""
    add("--learning_rate", "first learning rate", type=float)
    add("--beta1", "Adam's beta1", type=float)
    add("--momentum", "momentum of --optimizer momentum", type=float)
    add("--optimizer", "optimiser", choices=["adam", "momentum"])
    add("--decay_step", "samples after which the learning rate is multiplied by --decay_rate", type=int)
    add("--decay_rate", "factor of the learning rate", type=float)
    add("--bfloat16", "compute in bfloat16, keep weights in float32", action=SWITCH)


def given_settings(args, cls):
    """{field: value} of the flags that were given."""
    fields = {field.name for field in dataclasses.fields(cls)}
    return {name: value for name, value in vars(args).items() if name in fields and name != "restore_model"}


def resumed_settings(folder, given, cls):
    """The configuration of the run in a models.weights.run.Run that goes on; refuses what contradicts it."""
    saved = cls.load(folder.config)
    contradicted = [name for name in sorted(given) if name not in CHANGEABLE and given[name] != getattr(saved, name)]
    if contradicted:
        different = "; ".join(f"{name} {getattr(saved, name)} -> {given[name]}" for name in contradicted)
        raise UserError(f"{folder.config} was started with other settings ({different}); use another --log_dir")
    return dataclasses.replace(saved, **given)


def resumes(args, restoring):
    """Whether --log_dir holds a run that goes on; restoring: the flags, if any were given, that would give it first weights."""
    last = Run(args.log_dir).last
    if last.exists() and restoring:
        raise UserError(
            f"{last} exists, the run would go on from it; --restore_model starts a new run in another --log_dir"
        )
    return last.exists()


def validate(config):
    """Refuse values of the common settings that cannot be meant."""
    counts = (
        "num_sample_points",
        "max_epoch",
        "batch_size",
        "img_h",
        "img_w",
        "num_classes",
        "decay_step",
        "cat_limit",
    )
    for name in (*counts, "encoder_size", "encoder_fc", "learning_rate"):
        if not 0 < getattr(config, name) < math.inf:
            raise UserError(f"--{name} must be above 0, not {getattr(config, name)}")
    for name in ("max_minutes", "seed"):
        if not 0 <= getattr(config, name) < math.inf:
            raise UserError(f"--{name} must not be negative, it is {getattr(config, name)}")
    for name in ("beta1", "momentum", "decay_rate", "crop"):
        if not 0 <= getattr(config, name) <= 1:
            raise UserError(f"--{name} must be in [0, 1], not {getattr(config, name)}")
    if config.encoder_size % 32:
        raise UserError(
            f"--encoder_size {config.encoder_size} must be a multiple of 32: the encoder halves the image five times"
        )


def check_widths(config, lengths):
    """Refuse lists of channels of another length: {setting: length, or None where any will do}."""
    for name, length in lengths.items():
        value, example = getattr(config, name), shown(getattr(type(config), name))
        if min(value) < 1 or len(value) != (length or len(value)):
            raise UserError(f"--{name} {shown(value)}: give {length or 'some'} numbers above 0, such as {example}")


def unused_optimizer_settings(config):
    """{setting of the optimiser: why it would do nothing, or ''}"""
    return {
        "beta1": "" if config.optimizer == "adam" else f"with --optimizer {config.optimizer}",
        "momentum": "" if config.optimizer == "momentum" else f"with --optimizer {config.optimizer}",
    }


def reject_unused_flags(idle, given):
    """UserError where a flag was given that would do nothing; idle: {setting: the reason, or ''}."""
    for name, reason in idle.items():
        if reason and name in given:
            raise UserError(f"--{name} would do nothing {reason}; leave it out")


def check_masks(config, database, entries):
    """Refuse settings that need a foreground mask where the views have none (Im2Avatar's are plain RGB)."""
    needing = [
        name for name in ("alpha", "crop", "augcolorfore", "augcolorback", "backcolorwhite") if getattr(config, name)
    ]
    if needing and all((database.image(entry, 0)[..., 3] == 255).all() for entry in entries[:8]):
        raise UserError(
            f"the views of {database.path} have no transparent background: --{' --'.join(needing)} would do nothing right"
        )
