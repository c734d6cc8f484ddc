"""How right are the estimated cameras of all views of a split?

    python benchmarks/cameras.py --cam_est models/pretrained/camera --db db \
        --data_sets models/pretrained/data_sets.json

Estimates the camera of every view without reconstructing anything, which takes two minutes for
2,000 views, and prints the errors against the true cameras and the share within 15 degrees, over
all, by data set and by category; then how often the camera and the likeliest other one are right,
by the support of the camera. An object turned into itself counts as right.
"""

import argparse
import itertools

import numpy as np
from tqdm import tqdm

from benchmarks.machine import cpu_name
from data.data_sets import read_data_sets
from data.shards import Database
from utils.cli import parser, run
from utils.metrics.camera_metrics import RIGHT, camera_errors, print_summary, summarise

SUPPORT = (0.0, 0.5, 0.7, 0.9, 1.01)  # limits of the rows of the last table


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--cam_est", required=True, help="run of train_cam.py")
    p.add_argument("--db", required=True, help="database")
    p.add_argument("--split", default="test", choices=("test", "val", "train"), help="of the database")
    p.add_argument("--data_sets", required=True, help="JSON file of the data sets")
    return p


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)

    from models.inference.camera_estimator import CameraEstimator

    estimator, database, data_sets = CameraEstimator(args.cam_est), Database(args.db), read_data_sets(args.data_sets)
    rows, by_category, supported = [], [], []
    for entry in tqdm(database.objects(args.split, "all"), unit="object", mininterval=2):
        surface, data_set = database.surface(entry), data_sets.of(entry.category, entry.object_id)
        images = [database.image(entry, view) for view in range(len(entry.view_names))]
        for view, candidates in enumerate(estimator.candidates(images)):
            true = database.trans_mat(entry, view)
            errors = [camera_errors(camera, true, *surface) for camera, _ in candidates]
            rows.append({**errors[0], "category": data_set})
            by_category.append({**errors[0], "category": entry.category})
            right = [error["angle"] < RIGHT for error in errors]
            supported.append((candidates[0][1], right[0], any(right[1:])))
    print(f"{len(rows)} views, {cpu_name()}")
    print_summary(summarise(rows))
    print_summary(summarise(by_category))
    print(f"{'support':<12}{'share':>8}{'right':>8}{'other':>8}")
    values = np.array(supported, np.float64)
    for low, high in itertools.pairwise(SUPPORT):
        part = values[(values[:, 0] >= low) & (values[:, 0] < high)]
        if len(part):
            _, right, other = part.mean(0)
            print(f"{low:.1f} to {min(high, 1):.1f}  {len(part) / len(values):>8.2f}{right:>8.2f}{other:>8.2f}")


if __name__ == "__main__":
    run(main)
