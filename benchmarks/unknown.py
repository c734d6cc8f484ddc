"""Of how many images does a reconstruction warn, and of how many does it name the category?

    python benchmarks/unknown.py --projects .. --db db

Reconstructs the demo pictures of eight other projects that demo_pictures.json lists: of kinds with
fewer than 20 training objects, or none, and of others; and some views of every object of a split.
Prints the share of images of which each warning is given (models/inference/novelty.py), the overlap
of outline and mask that 98 % reach, and how many categories were named, and named rightly. A
picture without a surface counts as warned of, since a user is told so.
"""

import argparse
import pathlib

import numpy as np
from tqdm import tqdm

from benchmarks.machine import cpu_name
from data.shards import Database
from utils.cli import numbers_list, parser, run, whole_number
from utils.errors import UserError
from utils.files import read_json

PICTURES = pathlib.Path(__file__).with_name("demo_pictures.json")
RESOLUTION = 64


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--projects", type=pathlib.Path, help="folder with the repositories of the other projects")
    p.add_argument("--db", help="database")
    p.add_argument("--split", default="test", choices=("test", "val", "train"), help="of the database")
    p.add_argument(
        "--views", type=numbers_list(whole_number(0)), default=(0,), help="indices of the views of each object: 0,3,6"
    )
    return p


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    if not (args.projects or args.db):
        raise UserError("there is nothing to reconstruct: give --projects, --db, or both")
    rows: dict[str, list[tuple[pathlib.Path | np.ndarray, str]]] = {}  # images with their categories
    if args.projects:
        for name, pictures in read_json(PICTURES).items():
            rows[name] = [(args.projects / path, category) for path, category in pictures.items()]
        missing = [str(path) for images in rows.values() for path, _ in images if not pathlib.Path(path).is_file()]
        if missing:
            raise UserError(f"{len(missing)} pictures are missing, among them {missing[0]}")
    if args.db:
        database = Database(args.db)
        entries = database.objects(args.split, "all")
        rows[args.split] = [(database.image(entry, view), entry.category) for entry in entries for view in args.views]

    from models.inference.novelty import OVERLAP
    from models.inference.reconstruct import Reconstructor

    models = Reconstructor()
    print(cpu_name())
    titles = f"{'images':<12}{'number':>8}{'unlike':>8}{'outline':>9}{'none':>6}{'any':>6}{'overlap of 98 %':>17}"
    print(f"{titles}{'named':>7}{'right':>7}")
    for name, images in rows.items():
        warned, overlaps, named, empty = [], [], [], 0
        for image, category in tqdm(images, desc=name, unit="image", mininterval=2):
            try:
                result = models.reconstruct(image, resolution=RESOLUTION, colours="field")
            except UserError as error:
                tqdm.write(f"{name}: {error}")
                empty += 1
                continue
            warned.append([result.novelty["distance"] > 1, result.novelty["overlap"] < OVERLAP])
            overlaps.append(result.novelty["overlap"])
            if result.category["name"]:
                named.append(result.category["name"] == category)
        unlike, outline = np.reshape(warned, (-1, 2)).sum(0, int)
        share = (sum(map(any, warned)) + empty) / len(images)
        low = np.quantile(overlaps, 0.02) if overlaps else np.nan  # no picture may have a surface
        counts = f"{name:<12}{len(images):>8}{unlike:>8}{outline:>9}{empty:>6}{share:>6.2f}{low:>17.3f}"
        print(f"{counts}{len(named):>7}{sum(named):>7}")


if __name__ == "__main__":
    run(main)
