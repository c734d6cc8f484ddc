"""Train the network on a database of shards.

    python train/train_sdf.py --db db --log_dir runs/all --preset small --max_minutes 26

Prints the settings, a progress bar (loss parts, accuracy, samples/s, share of time spent waiting
for data), a line per epoch with the validation loss, and where the run is. Writes RUN/config.json,
last.h5, best.h5, history.json and TensorBoard scalars and images. Kill it at any moment: the same
command, or --log_dir RUN alone, resumes from the last checkpoint.

Losses. binary: geometry = 100 x cross-entropy in nats (69 is a guess), colour = 255 x mean |error|
of colours in [0, 1], in grey levels. SDF: geometry = 1000 x mean weighted |error| of 10 x the
distance, so 10 is a thousandth of the cube's half side; colour likewise. With --softness: geometry
= cross-entropy in nats (0.69 is a guess), colour = mean |error| of colours in [0, 1]. `loss` is
their sum; in training, weight decay is added, unless AdamW decays the weights itself. accuracy:
the share of points on the right side of the surface; iou: that of the insides over the points, 1 is
best.
"""

import argparse

from models.config import Config
from models.presets import preset
from models.training import cluster, flags
from utils import cli


def build_parser() -> argparse.ArgumentParser:
    return flags.build_parser(__doc__, Config, preset)


def plan(args: argparse.Namespace) -> flags.Plan:
    """Parsed flags -> what to do.

    TensorFlow is imported only where the run starts from other weights.
    """
    return flags.plan(args, Config, preset, open_weights)


def open_weights(source: str, whole: bool) -> flags.FirstWeights:
    from models.training import session

    return session.open_weights(source, whole, Config)


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    cluster.join(args.cluster, args.worker)
    with flags.working_in_run(args.log_dir):
        training = plan(args)
        flags.check_database(training.config)

        from models.training.field_trainer import FieldTrainer
        from models.training.session import train

        train(training, FieldTrainer)


if __name__ == "__main__":
    cli.run(main)
