"""One object of the original's HDF5 files (data/external_layouts.py) -> ObjectRecord.

The files say neither how the axes of the voxels lie nor in which order the colour channels of the views are: both are
found out (preprocessing/readers/majority.py). There are no distances: they come from the filled volume, as for Im2Avatar.
"""

import numpy as np

from data import categories
from data.shards import ObjectRecord
from preprocessing.random_streams import object_rng
from preprocessing.readers.hdf5_files import checked, read_hdf5
from preprocessing.readers.views import read_hdf5_view, views_for_shard
from preprocessing.recovery import dlt
from preprocessing.recovery.filling import fields_from_voxels
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import check_camera, project

HALF = frames.VOXELS // 2
FAINT = 1e-4  # mean of (red - blue of a voxel) x (red - blue of its pixel), below which nothing is told of the channels


def read_voxels(path):
    """Surface voxels (M, 3) int in 0..63 (as stored, no axes applied), each once, and their colours (M, 3) uint8."""
    data = read_hdf5(path, ["voxel_pt", "voxel_val"])[0]
    points = checked(data["voxel_pt"], (None, 3), path, "voxel_pt")
    values = checked(data["voxel_val"], (len(points), 3), path, "voxel_val")
    occupied = values.min(1) >= 0
    half = np.arange(len(points)) < len(points) // 2
    if not occupied.any() or (occupied != half).any():
        raise UserError(
            f"{path}: the first half of voxel_val should be colours in [0, 1] (occupied), the second half -1 (empty)"
        )
    if values.max() > 1.001:  # rounding may pass 1
        raise UserError(f"{path}: voxel_val reaches {values.max():.4g}, colours should be in [0, 1]")
    index = np.rint(points[occupied]).astype(np.int64) + HALF
    if np.abs(index - HALF - points[occupied]).max() > 1e-3 or index.min() < 0 or index.max() >= frames.VOXELS:
        raise UserError(f"{path}: voxel_pt should be whole numbers from {-HALF} to {HALF - 1}")
    index, first = np.unique(index, axis=0, return_index=True)  # voxels may be there more than once, to fill a number
    return index, np.rint(255 * np.minimum(values[occupied][first], 1)).astype(np.uint8)


def read_views(source, axes, channels):
    """RGBA pictures (list) and cameras (V, 4, 3) of the object frame p = A q, A = axes, q = (index + 0.5) / 64 - 0.5."""
    pictures, cameras = [], []
    turn = np.eye(4)
    turn[:3, :3] = axes  # row vectors: q = p A, since A is orthogonal
    for path in source.views():
        picture, matrix = read_hdf5_view(path, channels)
        to_voxel = np.diag([frames.VOXELS] * 3 + [1.0])
        to_voxel[3, :3] = frames.to_voxel(0)
        matrix = turn @ to_voxel @ matrix
        length = np.linalg.norm(matrix[:3, 2])
        if length:  # the overall factor of a recovered camera means nothing: w > 0 is in front, and w is the depth
            matrix *= np.sign(matrix[3, 2]) / length
        pictures.append(picture)
        cameras.append(check_camera(matrix, path))
    return pictures, np.stack(cameras)


def read_axes(source):
    """The axes (dlt.choose_axes) that one object's cameras ask for."""
    return dlt.choose_axes(read_views(source, dlt.IDENTITY, "rgb")[1])


def read_channels(source):
    """'rgb' or 'bgr': in which order the views' channels have the colours of the voxels; UserError where they are grey.

    Light changes how bright a pixel is, hardly whether red or blue prevails in it.
    """
    index, colours = read_voxels(source.geometry)
    balance = (colours[:, 0].astype(np.float64) - colours[:, 2]) / 255
    products = []
    for picture, matrix in zip(*read_views(source, dlt.IDENTITY, "rgb"), strict=True):
        pixels, depth = project((index + 0.5) / frames.VOXELS - 0.5, matrix)
        height, width = picture.shape[:2]
        u, v = np.clip(np.rint(pixels).astype(np.int64), 0, [width - 1, height - 1]).T
        nearest = np.full((height, width), -1)
        order = np.argsort(-depth)
        nearest[v[order], u[order]] = order  # far to near: the nearest voxel stays
        rows, columns = np.nonzero(nearest >= 0)
        pixel = picture[rows, columns].astype(np.float64) / 255
        products.append(balance[nearest[rows, columns]] * (pixel[:, 0] - pixel[:, 2]))
    mean = np.concatenate(products).mean()
    if abs(mean) < FAINT:
        raise UserError(f"{source.folder}: too grey to tell the order of its channels")
    return "rgb" if mean > 0 else "bgr"


def read_object(source, options):
    """ForeignObject -> ObjectRecord; UserError names the file and what is wrong with it."""
    index, colours = read_voxels(source.geometry)
    pictures, cameras = read_views(source, options.axes, options.channels)
    names = [path.stem for path in source.views()]
    mirrored = [name for name, matrix in zip(names, cameras, strict=True) if np.linalg.det(matrix[:3]) < 0]
    if mirrored:
        what = f"mirrored with axes {dlt.describe(options.axes)}, which most objects have"
        raise UserError(f"{source.views_folder}: the camera of {mirrored[0]} is {what}")
    index = dlt.turn_index(index, options.axes)
    return ObjectRecord(
        category=categories.name(source.category),
        object_id=source.object_id,
        view_names=names,
        voxels=index.astype(np.uint8),
        voxel_colours=colours,
        reprojection_error=np.nan,
        **views_for_shard(pictures, cameras, options.image_size),
        **fields_from_voxels(index, colours, options, object_rng(source.category, source.object_id)),
    )
