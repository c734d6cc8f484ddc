"""Does it improve an estimated camera to move it until the predicted silhouette covers the mask?

    python benchmarks/silhouette.py --restore_model models/pretrained/field \\
        --cam_est models/pretrained/camera --db db --out silhouette.json

For views of validation objects, compares the estimated camera with the results of two searches on
silhouettes. `aligned` scales and moves the image until the bounding box of the field's silhouette
is that of the mask. `turned` also tries azimuths up to 16 degrees away, and takes the best of five.
Prints the median and mean of the overlap of the silhouettes, and of the errors against the true
camera. docs/reconstruction.md draws the conclusions for reconstruct.py.
"""

import dataclasses
import pathlib

import cv2
import numpy as np
from tqdm import tqdm

from data.network_input import network_camera, network_image
from data.shards import Database
from utils.cli import parser, run, whole_number
from utils.files import write_json
from utils.geometry import frames, symmetry
from utils.geometry.cameras import project
from utils.metrics.camera_metrics import camera_errors

CELLS = 32  # along an axis: the field's silhouette to a thirtieth of the object
ROUNDS = 4
MOST = 1.3  # factor of the scale in one round, since a wrong camera may cut the field off
TURNS = (-16, -8, 8, 16)  # degrees
BETTER = 0.01  # gain of overlap that another azimuth needs


class Silhouettes:
    """Silhouettes of the field of one image under different cameras.

    Cameras and mask are those of the image that the network sees.
    """

    def __init__(self, query, image, iso, camera):
        self.query, self.iso, self.mask = query, iso, image[..., 3] >= 0.5
        self.encoded = query.encode(image, camera)

    def seen(self, camera):
        """IoU of silhouette and mask, bounding box [[u, v] low, high] of the silhouette.

        0 and None if the field is empty.
        """
        import tensorflow as tf

        encoded = dataclasses.replace(
            self.encoded, camera=tf.constant(self.encoded.frame.camera(camera)[None], tf.float32)
        )
        points = frames.voxel_centres(CELLS)
        points = points[self.query.occupied(self.query.geometry_of_grid(encoded, CELLS), self.iso)]
        if not len(points):
            return 0.0, None
        pixels, middle = project(points, camera)[0], points.mean(0, keepdims=True)
        steps = project(middle + np.eye(3) / CELLS, camera)[0] - project(middle, camera)[0]
        cell = np.linalg.norm(steps, axis=1).max()
        covered = np.zeros(self.mask.shape, np.uint8)
        u, v = np.rint(pixels).astype(int).T
        inside = (u >= 0) & (u < covered.shape[1]) & (v >= 0) & (v < covered.shape[0])
        covered[v[inside], u[inside]] = 1
        side = (round(cell) | 1) + 2
        covered = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0
        overlap = (covered & self.mask).sum() / (covered | self.mask).sum()
        return float(overlap), np.array([pixels.min(0) - cell / 2, pixels.max(0) + cell / 2])

    def aligned(self, camera):
        """The best of ROUNDS cameras and its overlap.

        Each round moves the bounding box of the silhouette to that of the mask.
        """
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        box = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], float)
        best, best_overlap = camera, -1.0
        for _ in range(ROUNDS):
            overlap, silhouette = self.seen(camera)
            if overlap > best_overlap:
                best, best_overlap = camera, overlap
            if silhouette is None:
                break
            scale = np.clip(np.ptp(box, 0).max() / max(np.ptp(silhouette, 0).max(), 1.0), 1 / MOST, MOST)
            camera = camera @ np.array([[scale, 0, 0], [0, scale, 0], [*(box.mean(0) - scale * silhouette.mean(0)), 1]])
        return best, best_overlap


def main(argv):
    p = parser(__doc__)
    p.add_argument("--restore_model", required=True, help="run of the field, with --alpha")
    p.add_argument("--cam_est", required=True, help="run of train_cam.py, with --alpha")
    p.add_argument("--db", required=True, help="database; its validation split is used")
    p.add_argument("--images", type=whole_number(1), default=100, help="number of images, of evenly spaced objects")
    p.add_argument("--out", type=pathlib.Path, required=True, help="JSON file")
    args = p.parse_args(argv)

    from models.inference.camera_estimator import estimate
    from models.inference.reconstruct import Reconstructor

    models = Reconstructor(args.restore_model, args.cam_est)
    database = Database(args.db)
    entries = database.objects("val")
    rows = {"true": [], "estimated": [], "aligned": [], "turned": []}
    for number, entry in enumerate(tqdm(entries[:: max(1, len(entries) // args.images)][: args.images], unit="image")):
        view = number % len(entry.view_names)
        rgba = database.image(entry, view)
        image = network_image(rgba, models.config)
        true = network_camera(database.trans_mat(entry, view), rgba, models.config)
        silhouettes = Silhouettes(models.query, image, models.iso, true)
        size = models.config.img_w
        parts = estimate(models.estimator.network, network_image(rgba, models.estimator.config)[None])[0][0].camera
        estimated = parts.trans_mat(size)
        cameras = {
            "true": (true, silhouettes.seen(true)[0]),
            "estimated": (estimated, silhouettes.seen(estimated)[0]),
        }
        cameras["aligned"] = cameras["turned"] = silhouettes.aligned(estimated)
        for angle in TURNS:
            turned = dataclasses.replace(parts, rotation=parts.rotation @ symmetry.rotation_about_y(angle))
            candidate = silhouettes.aligned(turned.trans_mat(size))
            if candidate[1] > cameras["turned"][1] + BETTER:
                cameras["turned"] = candidate
        for name, (camera, overlap) in cameras.items():
            errors = camera_errors(camera, true, *database.surface(entry))
            rows[name].append([overlap, errors["angle"], errors["pixels"], errors["space"]])
    table = {}
    print(f"{'median (mean)':<14}{'overlap':>18}{'angle, degrees':>18}{'pixels':>18}{'in space':>18}")
    for name, values in rows.items():
        median, mean = np.median(values, 0), np.mean(values, 0)
        table[name] = {"median": median.tolist(), "mean": mean.tolist()}
        cells = [f"{a:.{d}f} ({b:.{d}f})" for a, b, d in zip(median, mean, (3, 1, 2, 3), strict=True)]
        print(f"{name:<14}" + "".join(f"{cell:>18}" for cell in cells))
    write_json(
        args.out, {"images": len(rows["true"]), "columns": ["overlap", "angle", "pixels", "space"], "results": table}
    )
    print(f"written  {args.out}")


if __name__ == "__main__":
    run(main)
