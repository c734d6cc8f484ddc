"""Train the network on a database of shards.

    python train/train_sdf.py --db db --log_dir runs/all --preset small --num_sample_points 512 --max_minutes 26

Prints the settings, a progress bar (loss parts, accuracy, samples/s, share of time spent waiting for data), a line per
epoch with the validation loss, and where the run is. Writes RUN/config.json, last.h5, best.h5, history.json and
TensorBoard scalars and pictures. Kill it at any moment: the same command (or --log_dir RUN alone) goes on from the last
checkpoint. On 2 cores the small preset takes about 0.04 s a sample of 512 points.
"""

import argparse
import dataclasses
import math

from models import conventions
from models.config import ENCODER_INPUTS, PRESETS, Config, preset
from utils.cli import UserError, parser, run
from utils.run import Run

CHANGEABLE = {"max_epoch", "max_minutes", "db"}  # a run may go on with other values of these


def sizes(text):
    """16,32,64 -> (16, 32, 64)"""
    return tuple(int(part) for part in text.split(","))


def shown(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def build_parser():
    p = parser(__doc__)
    switch = argparse.BooleanOptionalAction

    def add(name, help, **options):
        # absent flags leave no trace: the preset decides, or the run that is resumed
        field = name.removeprefix("--")
        values = {label: shown(getattr(preset(label, True), field)) for label in PRESETS}
        default = values["full"] if len(set(values.values())) == 1 else ", ".join(f"{v} with {k}" for k, v in values.items())
        p.add_argument(name, default=argparse.SUPPRESS, help=f"{help} (default: {default})", **options)

    p.add_argument("--log_dir", required=True, help="folder of the run; one with a checkpoint is continued")
    p.add_argument(
        "--preset", choices=list(PRESETS), default=argparse.SUPPRESS,
        help="full = the original's sizes and settings, small = trains on a laptop (default: full)",
    )  # fmt: skip
    p.add_argument("--checkpoint_minutes", type=float, default=5, help="also save the run every so many minutes within an epoch")
    add("--db", "folder of shards (preprocessing/gen_db.py)")
    add("--category", "all, or one category by name or synset id")
    add("--num_sample_points", "points per image", type=int)
    add("--max_epoch", "epochs", type=int)
    add("--max_minutes", "stop after so many minutes of training steps, 0 = no limit; a resumed run counts all its minutes", type=float)
    add("--batch_size", "samples per step, over all devices", type=int)
    add("--img_h", "image height the network works in, pixels", type=int)
    add("--img_w", "image width the network works in, pixels", type=int)
    add("--num_classes", "channels of the global feature", type=int)
    add("--encoder_size", "the image is resized to this many pixels before the first convolution, a multiple of 32", type=int)
    add("--encoder_widths", "channels of the encoder's five blocks", type=sizes)
    add("--encoder_convs", "convolutions of the encoder's five blocks", type=sizes)
    add("--encoder_fc", "channels of fc6 and fc7", type=int)
    add("--point_widths", "channels of the decoders' layers that see the point alone", type=sizes)
    add("--decoder_widths", "channels of the decoders' two layers that see point and image", type=sizes)
    reading = "local features: resize every map to the image, then read it (the original); --no- reads it as it is"
    add("--resized_reading", reading, action=switch)
    add("--normalisation", "batch normalisation after every hidden layer", action=switch)
    add("--learning_rate", "first learning rate", type=float)
    add("--beta1", "Adam's beta1", type=float)
    add("--momentum", "momentum of --optimizer momentum", type=float)
    add("--optimizer", "optimiser", choices=["adam", "momentum"])
    add("--decay_step", "samples after which the learning rate is multiplied by --decay_rate", type=int)
    add("--decay_rate", "factor of the learning rate", type=float)
    add("--mask_weight", "SDF mode: weight of points at or inside the surface", type=float)
    add("--binary", "occupied surface voxels; --no-binary predicts signed distances", action=switch)
    add("--colour", "predict colours too; --no-colour has no colour branch", action=switch)
    add("--img_feat_twostream", "a stream of the global and one of the local features; --no- leaves the global one alone", action=switch)
    add("--img_feat_onestream", "one stream of the global feature and the local ones of conv1 to conv3, as DISN", action=switch)
    add("--threedcnn", "geometry alone, from the global feature by 3D convolutions to a 65^3 grid, as DISN", action=switch)
    add("--voxel_widths", "channels of the six layers of --threedcnn", type=sizes)
    add("--rot", "turn the points into the axes of the camera (x right, y up, z towards it) before the decoders, as DISN", action=switch)
    add("--tanh", "SDF mode: tanh of the predicted distance, which thus ends at 0.05 of the object's longest side", action=switch)
    add("--cat_limit", "most samples of one category in an epoch", type=int)
    what = "; ".join(f"{name} = {meaning}" for name, meaning in ENCODER_INPUTS.items())
    add("--encoder_input", f"what the encoder sees; by itself that of the weights it starts from: {what}", choices=list(ENCODER_INPUTS))
    add("--model_frame", "cube: all objects share it; sphere: SDF mode, every object in a unit sphere, as DISN", choices=["cube", "sphere"])
    add("--distance_offset", "SDF mode: predict the distance minus this, model frame; DISN 0.003", type=float)
    add("--alpha", "give the network the foreground mask as a fourth channel", action=switch)
    add("--augcolorfore", "shift the colours of the foreground by up to 30/255 in each channel", action=switch)
    add("--augcolorback", "a random background colour for every sample", action=switch)
    add("--backcolorwhite", "white background instead of black", action=switch)
    add("--bfloat16", "compute in bfloat16, keep weights in float32", action=switch)
    add("--seed", "seed of weights, order and points", type=int)
    p.add_argument(
        "--restore_model", default="",
        help="start a new run from the weights of this run or TF1 checkpoint (folder or prefix), in a network of its sizes and conventions",
    )  # fmt: skip
    p.add_argument(
        "--restore_modelcnn", default="",
        help="start a new run with the encoder of this run, TF1 checkpoint (TF-slim's vgg_16.ckpt), Keras VGG16 file, or 'imagenet'",
    )  # fmt: skip
    return p


def settings(args):
    """Flags -> the configuration of the run and whether it is resumed; refuses what contradicts a saved run."""
    fields = {field.name for field in dataclasses.fields(Config)}
    given = {name: value for name, value in vars(args).items() if name in fields and name != "restore_model"}
    if args.restore_model and args.restore_modelcnn:
        raise UserError("--restore_model brings its own encoder; give it or --restore_modelcnn, not both")
    folder = Run(args.log_dir)
    if folder.last.exists():
        if args.restore_model or args.restore_modelcnn:
            raise UserError(f"{folder.last} exists, the run would go on from it; --restore_model starts a new run in another --log_dir")
        saved = folder.load_config()
        wanted = dataclasses.replace(saved, **given)
        contradicted = [name for name in sorted(given) if name not in CHANGEABLE and given[name] != getattr(saved, name)]
        if contradicted:
            different = "; ".join(f"{name} {getattr(saved, name)} -> {given[name]}" for name in contradicted)
            raise UserError(f"{folder.config} was started with other settings ({different}); use another --log_dir")
    else:
        source = args.restore_model or (f"{args.restore_modelcnn} (encoder)" if args.restore_modelcnn else "")
        wanted = new_run(args, given, source)
    check(wanted)
    check_idle(wanted, given)
    return wanted, folder.last.exists()


def new_run(args, given, source):
    """The configuration of a new run: flags, then a preset that is given, then what comes with the first weights, then defaults."""
    name, inherited = given.get("preset", "full"), {}
    if args.restore_model:
        from models.restore import open_model, weight_settings

        config = open_model(args.restore_model).config
        name, inherited = given.get("preset", config.preset), weight_settings(config)
    elif args.restore_modelcnn:
        from models.vgg_weights import open_encoder

        inherited = {"encoder_input": open_encoder(args.restore_modelcnn).input_kind}
    if "preset" in given:
        inherited = {field: value for field, value in inherited.items() if field not in PRESETS[name]}
    values = {**inherited, **given, "restore_model": source}
    values.pop("preset", None)
    return preset(name, values.pop("binary", Config.binary), **values)


def check(config):
    """Refuse values that cannot be meant."""
    counts = ("num_sample_points", "max_epoch", "batch_size", "img_h", "img_w", "num_classes", "decay_step", "cat_limit")
    for name in (*counts, "encoder_size", "encoder_fc", "learning_rate"):
        if not 0 < getattr(config, name) < math.inf:
            raise UserError(f"--{name} must be above 0, not {getattr(config, name)}")
    for name in ("max_minutes", "mask_weight", "seed"):
        if not 0 <= getattr(config, name) < math.inf:
            raise UserError(f"--{name} must not be negative, it is {getattr(config, name)}")
    for name in ("beta1", "momentum", "decay_rate"):
        if not 0 <= getattr(config, name) <= 1:
            raise UserError(f"--{name} must be in [0, 1], not {getattr(config, name)}")
    lengths = {"encoder_widths": 5, "encoder_convs": 5, "decoder_widths": 2, "voxel_widths": 6}
    for name in (*lengths, "point_widths"):
        value, example = getattr(config, name), shown(getattr(Config, name))
        if min(value) < 1 or len(value) != lengths.get(name, len(value)):
            raise UserError(f"--{name} {shown(value)}: give {lengths.get(name, 'some')} numbers above 0, such as {example}")
    if config.encoder_size % 32:
        raise UserError(f"--encoder_size {config.encoder_size} must be a multiple of 32: the encoder halves the image five times")
    conventions.check(config)
    if config.num_sample_points < 2:
        raise UserError("--num_sample_points must be at least 2: half are occupied, half are empty")


def check_idle(config, given):
    """Refuse flags that contradict each other or would do nothing."""
    decoders = [name for name in ("img_feat_twostream", "img_feat_onestream", "threedcnn") if getattr(config, name)]
    if len(decoders) > 1:
        raise UserError(f"--{' and --'.join(decoders)} exclude each other: give one")
    if config.threedcnn and config.colour:
        raise UserError("--colour: --threedcnn has no colour branch")
    if config.rot and config.threedcnn:
        raise UserError("--rot would do nothing: the grid of --threedcnn does not take points")
    idle = {
        "mask_weight": "in binary mode" if config.binary else "",
        "resized_reading": "" if config.img_feat_twostream or config.img_feat_onestream else "without local features",
        "voxel_widths": "" if config.threedcnn else "without --threedcnn",
        "point_widths": "with --threedcnn" if config.threedcnn else "",
        "decoder_widths": "with --threedcnn" if config.threedcnn else "",
        "beta1": "" if config.optimizer == "adam" else f"with --optimizer {config.optimizer}",
        "momentum": "" if config.optimizer == "momentum" else f"with --optimizer {config.optimizer}",
    }
    for name, reason in idle.items():
        if reason and name in given:
            raise UserError(f"--{name} would do nothing {reason}; leave it out")


def check_alpha(config, database, entries):
    """Refuse settings that need a foreground mask where the views have none (Im2Avatar's are plain RGB)."""
    needing = [name for name in ("alpha", "augcolorfore", "augcolorback", "backcolorwhite") if getattr(config, name)]
    if needing and all((database.image(entry, 0)[..., 3] == 255).all() for entry in entries[:8]):
        raise UserError(f"the views of {database.path} have no transparent background: --{' --'.join(needing)} would do nothing right")


def restore(trainer, args):
    """First weights of a new run: all of them, or those of the encoder."""
    from models.restore import open_model
    from models.vgg_weights import open_encoder

    if args.restore_model:
        open_model(args.restore_model).load(trainer.network)
    else:
        open_encoder(args.restore_modelcnn).load(trainer.network.encoder)


def main(argv):
    args = build_parser().parse_args(argv)
    config, resumed = settings(args)
    folder = Run(args.log_dir)

    import keras

    from data.shards import Database
    from models.loop import Loop, choose_strategy
    from models.training import Trainer

    database = Database(config.db)
    train, val = (database.objects(split, config.category) for split in ("train", "val"))
    check_alpha(config, database, train)
    strategy = choose_strategy()
    mode = "binary" if config.binary else "SDF"
    print(f"{'resuming' if resumed else 'training'} {folder.folder}: {mode} mode, {len(train)} training and {len(val)} validation objects")
    print(", ".join(f"{name}={value}" for name, value in dataclasses.asdict(config).items()))
    keras.utils.set_random_seed(config.seed)
    trainer = Trainer(config, strategy)
    print(f"{trainer.network.count_params():,} weights on {strategy.num_replicas_in_sync} device(s)")
    loop = Loop(trainer, folder, database, train, val, args.checkpoint_minutes)
    if resumed:
        loop.resume()
    else:
        if args.restore_model or args.restore_modelcnn:
            restore(trainer, args)
    config.save(folder.config)
    loop.run()


if __name__ == "__main__":
    run(main)
