"""Train the network that estimates the camera of an image.

    python train/train_cam.py --db db --log_dir runs/cam --preset plus

DISN's camera estimation (section 3.3), trained on the shards of the field: the encoder's global
feature -> rotation (6D), distance, scale and shift of the object in the image. The shards should
show objects from everywhere (render_views.py --azimuth random --elevation -10 60 --distance auto 1
1.3 --focal 0.7 2.5): a network that has seen twelve cameras knows twelve. Prints the settings, a
progress bar (mean distance of surface points in space and in the image, x 100; share of the images
whose rotation is right to within 15 degrees), a line per epoch, and where the run is: the files of
train_sdf.py. points is 100 x the distance in object-frame length, so 1 is 1 % of the object's
longest side; pixels is 1 % of the image's side; depth is 10 x the difference of logarithms, so 1 is
10 %; choice = 10 x cross-entropy in nats of the choice among the rotations. Kill it at any moment:
the same command, or --log_dir RUN alone, resumes.
"""

import argparse

from models.config import CameraConfig
from models.presets import camera_preset
from models.training import cluster, flags
from utils import cli


def build_parser() -> argparse.ArgumentParser:
    return flags.build_parser(__doc__, CameraConfig, camera_preset)


def plan(args: argparse.Namespace) -> flags.Plan:
    """Parsed flags -> what to do.

    TensorFlow is imported only where the run starts from other weights.
    """
    return flags.plan(args, CameraConfig, camera_preset, open_weights)


def open_weights(source: str, whole: bool) -> flags.FirstWeights:
    from models.training import session

    return session.open_weights(source, whole, CameraConfig)


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    cluster.join(args.cluster, args.worker)
    with flags.working_in_run(args.log_dir):
        training = plan(args)
        flags.check_database(training.config)

        from models.training.camera_trainer import CameraTrainer
        from models.training.session import train

        train(training, CameraTrainer)


if __name__ == "__main__":
    cli.run(main)
