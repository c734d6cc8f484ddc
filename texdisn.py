"""TexDISN in Python: from an image to a coloured mesh, queries of the field, databases, evaluation.

    import texdisn

    model = texdisn.load_model()
    result = model.reconstruct("chair.png")
    result.save("chair.glb")

docs/python.md shows the rest. The commands in eval/ make the same calls.
"""

import pathlib
import typing

import numpy as np

from data.shards import Database, ObjectEntry
from models.config import CameraConfig, Config
from models.inference.evaluation import Evaluation, Options
from models.inference.predict import predict_view
from models.inference.reconstruct import PRETRAINED_CAMERA, PRETRAINED_FIELD, Reconstructor
from models.weights.sources import open_model
from utils.errors import UserError
from utils.files import Path
from utils.geometry.cameras import check_angles, compose, intrinsics, look_at, parse_camera
from utils.images.photo import Photo, read_photo
from utils.reports.reconstruction import Reconstruction
from utils.surface.field_grid import FieldGrid

__all__ = [
    "PRETRAINED_CAMERA",
    "PRETRAINED_FIELD",
    "CameraConfig",
    "Config",
    "Database",
    "FieldGrid",
    "ObjectEntry",
    "Photo",
    "Reconstruction",
    "Reconstructor",
    "UserError",
    "camera",
    "evaluate",
    "load_model",
    "open_database",
    "parse_camera",
    "predict_view",
    "read_photo",
]


def load_model(
    field: Path = PRETRAINED_FIELD,
    camera: Path = PRETRAINED_CAMERA,
    iso: float | None = None,
    precision: str = "auto",
) -> Reconstructor:
    """Load a field network and, when it is first needed, a camera network.

    Args:
        field: run folder or TF1 checkpoint; default: the weights that come with the project.
        camera: run of a camera network; default likewise.
        iso: value of the field at the surface; None: the one stored with the weights, relaxed for
            every image until its object is covered.
        precision: "float32", "bfloat16", or "auto", the faster one on this machine.

    Returns:
        The model: reconstruct() turns an image into a Reconstruction, query answers for points.

    Raises:
        UserError: something is missing or does not fit.
    """
    return Reconstructor(field, camera, iso, precision)


def camera(azimuth: float, elevation: float, distance: float, size: int) -> np.ndarray:
    """A (4, 3) trans_mat that looks at the origin, for square images of `size` pixels.

    Args:
        azimuth, elevation: degrees; (0, 0) looks along -z, azimuth 90 stands at +x.
        distance: from the origin; the longest side of an object is 1.
        size: pixels.

    Raises:
        UserError: the elevation, the distance or the size is out of range.
    """
    if not size >= 1:
        raise UserError(f"size {size}: give 1 pixel or more")
    check_angles((azimuth, elevation, distance), f"camera {azimuth},{elevation},{distance}")
    return compose(intrinsics(size), look_at(azimuth, elevation, distance))


def open_database(path: Path) -> Database:
    """Open a folder of shards that preprocessing/gen_db.py wrote.

    objects(split) lists its objects; image(entry, view), trans_mat(entry, view), voxels(entry),
    surface(entry) and sdf_block(entry, start, count) read them.
    """
    return Database(path)


def evaluate(model: Path, database: Path | Database, folder: Path, **options: typing.Any) -> dict[str, typing.Any]:
    """Evaluate a field network on a split of a database.

    Args:
        model: run folder or TF1 checkpoint.
        database: folder of shards, or an open database.
        folder: where predictions, results.json and figure.png go; an interrupted evaluation
            resumes there.
        options: fields of models.inference.evaluation.Options, such as split="val", views=[0, 3],
            limit=10, iso=None (the best on validation), metrics=("iou", "psnr").

    Returns:
        The content of results.json.
    """
    opened = database if isinstance(database, Database) else Database(database)
    return Evaluation(open_model(model), opened, pathlib.Path(folder), Options(**options)).run()
