"""How right are the estimated cameras of all views of a split?

    python benchmarks/cameras.py --cam_est models/pretrained/camera --db db \
        --data_sets models/pretrained/data_sets.json

Estimates the camera of every view without reconstructing anything, which takes two minutes for
2,000 views, and prints the errors against the true cameras and the share within 15 degrees, over
all and by data set. An object turned into itself counts as right.
"""

import argparse

from tqdm import tqdm

from benchmarks.machine import cpu_name
from data.data_sets import read_data_sets
from data.shards import Database
from models.inference.camera_estimator import CameraEstimator
from utils.cli import parser, run
from utils.metrics.camera_metrics import camera_errors, print_summary, summarise


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
    rows = []
    for entry in tqdm(database.objects(args.split, "all"), unit="object", mininterval=2):
        surface, data_set = database.surface(entry), data_sets.of(entry.category, entry.object_id)
        images = [database.image(entry, view) for view in range(len(entry.view_names))]
        for view, camera in enumerate(estimator.cameras(images)):
            errors = camera_errors(camera, database.trans_mat(entry, view), *surface)
            rows.append({**errors, "category": data_set})
    print(f"{len(rows)} views, {cpu_name()}")
    print_summary(summarise(rows))


if __name__ == "__main__":
    run(main)
