"""Of how many images does a reconstruction warn?

    python benchmarks/unknown.py --pictures robots chairs --db db

Reconstructs every picture of some folders, each a row of the table, and some views of every object
of a split. Prints the share of images of which each warning is given (models/inference/
novelty.py), and the overlap of outline and mask that 98 % reach. A picture without a surface counts
as warned of, since a user is told so.
"""

import argparse
import pathlib

import numpy as np
from tqdm import tqdm

from benchmarks.machine import cpu_name
from data.shards import Database
from models.inference.novelty import OVERLAP
from models.inference.reconstruct import Reconstructor
from utils.cli import numbers_list, parser, run, whole_number
from utils.errors import UserError
from utils.images.photo import expanded

RESOLUTION = 64


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--pictures", nargs="*", default=[], help="folders of pictures")
    p.add_argument("--db", help="database")
    p.add_argument("--split", default="test", choices=("test", "val", "train"), help="of the database")
    p.add_argument(
        "--views", type=numbers_list(whole_number(0)), default=(0,), help="indices of the views of each object: 0,3,6"
    )
    return p


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    rows = {}
    for folder in args.pictures:
        rows[pathlib.Path(folder).name] = expanded([folder])
    if args.db:
        database = Database(args.db)
        rows[args.split] = [
            database.image(entry, view) for entry in database.objects(args.split, "all") for view in args.views
        ]
    models = Reconstructor()
    print(cpu_name())
    print(f"{'images':<12}{'number':>8}{'unlike':>8}{'outline':>9}{'none':>6}{'any':>6}{'overlap of 98 %':>17}")
    for name, images in rows.items():
        warned, overlaps, empty = [], [], 0
        for image in tqdm(images, desc=name, unit="image", mininterval=2):
            try:
                result = models.reconstruct(image, resolution=RESOLUTION, colours="field")
            except UserError as error:
                tqdm.write(f"{name}: {error}")
                empty += 1
                continue
            warned.append([result.novelty["distance"] > 1, result.novelty["overlap"] < OVERLAP])
            overlaps.append(result.novelty["overlap"])
        unlike, outline = np.sum(warned, 0)
        share = (np.any(warned, 1).sum() + empty) / len(images)
        low = np.quantile(overlaps, 0.02)
        print(f"{name:<12}{len(images):>8}{unlike:>8}{outline:>9}{empty:>6}{share:>6.2f}{low:>17.3f}")


if __name__ == "__main__":
    run(main)
