"""Train the network that estimates the camera of an image, on the shards that the field is trained on.

    python train/train_cam.py --db db --log_dir runs/cam --preset small --crop 0.85 --alpha --max_minutes 25

DISN's camera estimation (section 3.3): VGG16's global feature -> rotation (6D), distance, scale and shift of the object in the image. The
shards should show objects from everywhere (render_views.py --azimuth random --elevation 5 50 --distance auto 1 1.6): a network that has seen
twelve cameras knows twelve. Prints the settings, a progress bar (mean distance of surface points in space and in the image, x 100; share of
the images whose rotation is right to 15 degrees), a line per epoch, and where the run is: the files of train_sdf.py. Kill it at any
moment: the same command goes on. On 2 cores the small preset takes about 0.009 s a sample beside another training.
"""

import dataclasses

from models.config import CameraConfig, camera_preset, of_preset
from models.training.flags import (
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
from models.weights.run import Run
from utils.cli import parser, run
from utils.errors import UserError


def build_parser():
    p = parser(__doc__)
    add = adder(p, camera_preset)
    add_run(p, add)
    add_image(add)
    add_optimizer(add)
    add("--num_sample_points", "surface points per image that the loss compares", type=int)
    add("--camera_widths", "channels of the layers between the global feature and the camera", type=sizes)
    add("--hypotheses", "rotations that the network proposes, of which it chooses one; 1: DISN's", type=int)
    add_first_encoder(p)
    return p


def settings(args):
    """Flags -> the configuration of the run and whether it is resumed."""
    given = given_settings(args, CameraConfig)
    resumed = resumes(args, args.restore_modelcnn)
    if resumed:
        wanted = resumed_settings(Run(args.log_dir), given, CameraConfig)
    else:
        inherited = {}
        if args.restore_modelcnn:
            from models.weights.encoder_sources import open_encoder

            inherited["encoder_input"] = open_encoder(args.restore_modelcnn).input_kind
        if "preset" in given:
            inherited = {
                name: value for name, value in inherited.items() if name not in of_preset(given["preset"], CameraConfig)
            }
        values = {
            **inherited,
            **given,
            "restore_model": f"{args.restore_modelcnn} (encoder)" if args.restore_modelcnn else "",
        }
        wanted = camera_preset(values.pop("preset", "full"), **values)
    validate(wanted)
    check_widths(wanted, {"encoder_widths": 5, "encoder_convs": 5, "camera_widths": None})
    if wanted.hypotheses < 1:
        raise UserError(f"--hypotheses must be at least 1, not {wanted.hypotheses}")
    reject_unused_flags(unused_optimizer_settings(wanted), given)
    return wanted, resumed


def main(argv):
    args = build_parser().parse_args(argv)
    config, resumed = settings(args)
    folder = Run(args.log_dir)

    import keras

    from data.camera_samples import CameraSamples
    from data.shards import Database
    from models.training.camera_trainer import CameraTrainer
    from models.training.loop import Loop, choose_strategy

    database = Database(config.db)
    train, val = (database.objects(split, config.category) for split in ("train", "val"))
    check_masks(config, database, train)
    samples = CameraSamples(database, config)
    strategy = choose_strategy()
    print(
        f"{'resuming' if resumed else 'training'} {folder.folder}: cameras, {len(train)} training and {len(val)} validation objects"
    )
    print(", ".join(f"{name}={value}" for name, value in dataclasses.asdict(config).items()))
    keras.utils.set_random_seed(config.seed)
    trainer = CameraTrainer(config, strategy)
    print(f"{trainer.network.count_params():,} weights on {strategy.num_replicas_in_sync} device(s)")
    loop = Loop(trainer, folder, samples, train, val, args.checkpoint_minutes)
    if resumed:
        loop.resume()
    elif args.restore_modelcnn:
        from models.weights.encoder_sources import open_encoder

        open_encoder(args.restore_modelcnn).load(trainer.network.encoder)
    config.save(folder.config)
    loop.run()


if __name__ == "__main__":
    run(main)
