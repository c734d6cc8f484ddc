"""How right are the estimated cameras of all views of a split?

    python benchmarks/cameras.py --cam_est models/pretrained/camera --db db \
        --data_sets models/pretrained/data_sets.json

Estimates the camera of every view without reconstructing anything, which takes a minute for 2,000
views, and prints the median angle to the true camera and the share within 15 degrees, by data set
and over all. An object turned into itself counts as right.
"""

import argparse

import numpy as np
from tqdm import tqdm

from benchmarks.machine import cpu_name
from data.data_sets import read_data_sets
from data.shards import Database
from models.inference.camera_estimator import CameraEstimator
from utils.cli import parser, run
from utils.metrics.camera_metrics import camera_errors


def build_parser() -> argparse.ArgumentParser:
    p = parser(__doc__)
    p.add_argument("--cam_est", required=True, help="run of train_cam.py")
    p.add_argument("--db", required=True, help="database")
    p.add_argument("--split", default="test", choices=("test", "val", "train"), help="of the database")
    p.add_argument("--data_sets", required=True, help="JSON file of the data sets")
    return p


def main(argv: list[str]) -> None:
    args = build_parser().parse_args(argv)
    estimator, database, data_sets = CameraEstimator(args.cam_est), Database(args.db), read_data_sets(args.data_sets)
    angles: dict[str, list[float]] = {}
    for entry in tqdm(database.objects(args.split, "all"), unit="object", mininterval=2):
        surface = database.surface(entry)
        images = [database.image(entry, view) for view in range(len(entry.view_names))]
        for view, camera in enumerate(estimator.cameras(images)):
            angle = camera_errors(camera, database.trans_mat(entry, view), *surface)["angle"]
            for name in (data_sets.of(entry.category, entry.object_id), "all"):
                angles.setdefault(name, []).append(angle)
    print(f"{'data set':<16}{'views':>8}{'median':>8}{'within 15':>11}    {cpu_name()}")
    for name, values in sorted(angles.items()):
        within = np.mean(np.array(values) < 15)
        print(f"{name:<16}{len(values):>8}{np.median(values):>8.1f}{within:>11.3f}")


if __name__ == "__main__":
    run(main)
