"""Train the network on a database of shards.

    python train/train_sdf.py --db db --log_dir runs/all --preset small --num_sample_points 512 --max_minutes 26

Prints the settings, a progress bar (loss parts, accuracy, samples/s, share of time spent waiting for data), a line per
epoch with the validation loss, and where the run is. Writes RUN/config.json, last.h5, best.h5, history.json and
TensorBoard scalars and pictures. Kill it at any moment: the same command (or --log_dir RUN alone) goes on from the last
checkpoint. On 2 cores the small preset takes about 0.04 s a sample of 512 points.
"""

import dataclasses

from models.config import PRESETS, Config, preset
from models.training.flags import (
    SWITCH,
    add_first_encoder,
    add_image,
    add_optimizer,
    add_run,
    adder,
    check_masks,
    check_widths,
    given_settings,
    reject_unused_flags,
    resumed_settings,
    resumes,
    sizes,
    unused_optimizer_settings,
    validate,
)  # fmt: skip
from models.weights import tf1_conventions
from models.weights.run import Run
from utils.cli import parser, run
from utils.errors import UserError


def build_parser():
    p = parser(__doc__)
    add = adder(p, lambda label: preset(label, True))
    add_run(p, add)
    add_image(add)
    add_optimizer(add)
    add("--num_sample_points", "points per image", type=int)
    add("--point_widths", "channels of the decoders' layers that see the point alone", type=sizes)
    add("--decoder_widths", "channels of the decoders' two layers that see point and image", type=sizes)
    reading = "local features: resize every map to the image, then read it (the original); --no- reads it as it is"
    add("--resized_reading", reading, action=SWITCH)
    add("--mask_weight", "SDF mode: weight of points at or inside the surface", type=float)
    add("--binary", "occupied surface voxels; --no-binary predicts signed distances", action=SWITCH)
    add("--colour", "predict colours too; --no-colour has no colour branch", action=SWITCH)
    add(
        "--img_feat_twostream",
        "a stream of the global and one of the local features; --no- leaves the global one alone",
        action=SWITCH,
    )
    add(
        "--img_feat_onestream",
        "one stream of the global feature and the local ones of conv1 to conv3, as DISN",
        action=SWITCH,
    )
    add(
        "--threedcnn",
        "geometry alone, from the global feature by 3D convolutions to a 65^3 grid, as DISN",
        action=SWITCH,
    )
    add("--voxel_widths", "channels of the six layers of --threedcnn", type=sizes)
    add(
        "--rot",
        "turn the points into the axes of the camera (x right, y up, z towards it) before the decoders, as DISN",
        action=SWITCH,
    )
    add(
        "--tanh",
        "SDF mode: tanh of the predicted distance, which thus ends at 0.05 of the object's longest side",
        action=SWITCH,
    )
    add(
        "--model_frame",
        "cube: all objects share it; sphere: SDF mode, every object in a unit sphere, as DISN",
        choices=["cube", "sphere"],
    )
    add("--distance_offset", "SDF mode: predict the distance minus this, model frame; DISN 0.003", type=float)
    add("--cam_est", "train with the cameras that this run of train_cam.py estimates, instead of the true ones")
    p.add_argument(
        "--restore_model", default="",
        help="start a new run from the weights of this run or TF1 checkpoint (folder or prefix), in a network of its sizes and conventions",
    )  # fmt: skip
    add_first_encoder(p)
    return p


def settings(args):
    """Flags -> the configuration of the run and whether it is resumed; refuses what contradicts a saved run."""
    given = given_settings(args, Config)
    if args.restore_model and args.restore_modelcnn:
        raise UserError("--restore_model brings its own encoder; give it or --restore_modelcnn, not both")
    resumed = resumes(args, args.restore_model or args.restore_modelcnn)
    if resumed:
        wanted = resumed_settings(Run(args.log_dir), given, Config)
    else:
        source = args.restore_model or (f"{args.restore_modelcnn} (encoder)" if args.restore_modelcnn else "")
        wanted = new_run(args, given, source)
    check(wanted)
    check_idle(wanted, given)
    return wanted, resumed


def new_run(args, given, source):
    """The configuration of a new run: flags, then a preset that is given, then what comes with the first weights, then defaults."""
    name, inherited = given.get("preset", "full"), {}
    if args.restore_model:
        from models.weights.sources import open_model, weight_settings

        config = open_model(args.restore_model).config
        name, inherited = given.get("preset", config.preset), weight_settings(config)
    elif args.restore_modelcnn:
        from models.weights.encoder_sources import open_encoder

        inherited = {"encoder_input": open_encoder(args.restore_modelcnn).input_kind}
    if "preset" in given:
        inherited = {field: value for field, value in inherited.items() if field not in PRESETS[name]}
    values = {**inherited, **given, "restore_model": source}
    values.pop("preset", None)
    return preset(name, values.pop("binary", Config.binary), **values)


def check(config):
    """Refuse values that cannot be meant."""
    validate(config)
    if not 0 <= config.mask_weight < float("inf"):
        raise UserError(f"--mask_weight must not be negative, it is {config.mask_weight}")
    check_widths(
        config, {"encoder_widths": 5, "encoder_convs": 5, "decoder_widths": 2, "voxel_widths": 6, "point_widths": None}
    )
    tf1_conventions.check(config)
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
        **unused_optimizer_settings(config),
    }
    reject_unused_flags(idle, given)


def restore(trainer, args):
    """First weights of a new run: all of them, or those of the encoder."""
    from models.weights.encoder_sources import open_encoder
    from models.weights.sources import open_model

    if args.restore_model:
        open_model(args.restore_model).load(trainer.network)
    else:
        open_encoder(args.restore_modelcnn).load(trainer.network.encoder)


def with_estimated_cameras(database, path, entries):
    """The database with the cameras that a run of train_cam.py estimates for all views of the entries."""
    from data.estimated_cameras import EstimatedCameras
    from models.inference.camera_estimator import CameraEstimator

    pairs = [(entry, view) for entry in entries for view in range(len(entry.view_names))]
    return EstimatedCameras(database, CameraEstimator(path), pairs)


def main(argv):
    args = build_parser().parse_args(argv)
    config, resumed = settings(args)
    folder = Run(args.log_dir)

    import keras

    from data.field_samples import FieldSamples
    from data.shards import Database
    from models.training.loop import Loop, choose_strategy
    from models.training.trainer import Trainer

    database = Database(config.db)
    train, val = (database.objects(split, config.category) for split in ("train", "val"))
    check_masks(config, database, train)
    if config.cam_est:
        database = with_estimated_cameras(database, config.cam_est, [*train, *val])
    strategy = choose_strategy()
    mode = "binary" if config.binary else "SDF"
    print(
        f"{'resuming' if resumed else 'training'} {folder.folder}: {mode} mode, {len(train)} training and {len(val)} validation objects"
    )
    print(", ".join(f"{name}={value}" for name, value in dataclasses.asdict(config).items()))
    keras.utils.set_random_seed(config.seed)
    trainer = Trainer(config, strategy)
    print(f"{trainer.network.count_params():,} weights on {strategy.num_replicas_in_sync} device(s)")
    loop = Loop(trainer, folder, FieldSamples(database, config), train, val, args.checkpoint_minutes)
    if resumed:
        loop.resume()
    else:
        if args.restore_model or args.restore_modelcnn:
            restore(trainer, args)
    config.save(folder.config)
    loop.run()


if __name__ == "__main__":
    run(main)
