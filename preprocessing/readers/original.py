"""Reader of the original's HDF5 files.

    <root>/<category>/<object>/models/voxel.h5          voxel_pt (N,3), voxel_val (N,3)
    <images>/<category>/<object>/h5/<view>.h5           img_arr (H,W,3|4), trans_mat (4,3)

Voxel coordinates are whole numbers in -32..31. The first half of voxel_val is RGB in [0,1], the
second half is -1 (empty). trans_mat takes voxel coordinates to pixels. The files state neither the
axes of the voxels nor the order of the colour channels of the views; a majority of the objects
decides both. The files have no distances; they come from the filled volume, as for Im2Avatar.
"""

import pathlib

import numpy as np

from data import categories
from data.external_layouts import ExternalLayout, ExternalObject
from data.shard_format import ObjectRecord
from preprocessing.random_streams import object_rng
from preprocessing.readers.hdf5_files import checked, read_hdf5
from preprocessing.readers.majority import Convention, axes_convention
from preprocessing.readers.reader import Options, Reader
from preprocessing.readers.views import read_hdf5_view, views_for_shard
from preprocessing.recovery import dlt
from preprocessing.recovery.filling import fields_from_voxels
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import check_camera, project

LAYOUT = ExternalLayout(geometry="models/voxel.h5", views="h5", suffix=".h5")
HALF = frames.VOXELS // 2
FAINT = 1e-4  # least mean of (red - blue of a voxel) x (red - blue of its pixel) that decides the channels


def read_voxels(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Surface voxels (M, 3) int in 0..63 as stored, each once, and their colours (M, 3) uint8."""
    data = read_hdf5(path, ["voxel_pt", "voxel_val"])[0]
    points = checked(data["voxel_pt"], (None, 3), path, "voxel_pt")
    values = checked(data["voxel_val"], (len(points), 3), path, "voxel_val")
    occupied = values.min(1) >= 0
    first_half = np.arange(len(points)) < len(points) // 2
    if not occupied.any() or (occupied != first_half).any():
        halves = "the first half of voxel_val should be colours in [0, 1] (occupied), the second half -1 (empty)"
        raise UserError(f"{path}: {halves}")
    if values.max() > 1.001:  # rounding may exceed 1
        raise UserError(f"{path}: voxel_val reaches {values.max():.4g}, colours should be in [0, 1]")
    index = np.rint(points[occupied]).astype(np.int64) + HALF
    if np.abs(index - HALF - points[occupied]).max() > 1e-3 or index.min() < 0 or index.max() >= frames.VOXELS:
        raise UserError(f"{path}: voxel_pt should be whole numbers from {-HALF} to {HALF - 1}")
    index, first = np.unique(index, axis=0, return_index=True)  # the file may repeat voxels to fill up
    return index, np.rint(255 * np.minimum(values[occupied][first], 1)).astype(np.uint8)


def read_views(source: ExternalObject, axes: dlt.Axes, channels: str) -> tuple[list[np.ndarray], np.ndarray]:
    """All views of an object.

    Args:
        source: the object.
        axes: A of the object frame p = A q, q = (index + 0.5) / 64 - 0.5.
        channels: 'rgb' or 'bgr', the order in the files.

    Returns:
        RGBA images and cameras (V, 4, 3), object frame to pixels.
    """
    images, cameras = [], []
    turn = np.eye(4)
    turn[:3, :3] = axes  # row vectors: q = p A, since A is orthogonal
    to_voxel = np.diag([frames.VOXELS] * 3 + [1.0])
    to_voxel[3, :3] = frames.to_voxel(np.zeros(3))
    for path in source.views():
        image, matrix = read_hdf5_view(path, channels)
        matrix = turn @ to_voxel @ matrix
        length = np.linalg.norm(matrix[:3, 2])
        if length:  # the factor of a recovered camera is arbitrary: make w the depth, > 0 in front
            matrix *= np.sign(matrix[3, 2]) / length
        images.append(image)
        cameras.append(check_camera(matrix, path))
    return images, np.stack(cameras)


def read_axes(source: ExternalObject) -> dlt.Axes:
    """The axes (dlt.choose_axes) that fit the cameras of one object."""
    return dlt.choose_axes(read_views(source, dlt.IDENTITY, "rgb")[1])


def read_channels(source: ExternalObject) -> str:
    """'rgb' or 'bgr': the channel order with which the views have the colours of the voxels.

    Light changes how bright a pixel is, but hardly whether red or blue prevails in it. UserError
    where the object is grey.
    """
    index, colours = read_voxels(source.geometry)
    balance = (colours[:, 0].astype(np.float64) - colours[:, 2]) / 255
    products = []
    for image, matrix in zip(*read_views(source, dlt.IDENTITY, "rgb"), strict=True):
        pixels, depth = project(frames.centres_of(index), matrix)
        height, width = image.shape[:2]
        u, v = np.clip(np.rint(pixels).astype(np.int64), 0, [width - 1, height - 1]).T
        nearest = np.full((height, width), -1)
        far_to_near = np.argsort(-depth)
        nearest[v[far_to_near], u[far_to_near]] = far_to_near  # the nearest voxel is written last
        rows, columns = np.nonzero(nearest >= 0)
        pixel = image[rows, columns].astype(np.float64) / 255
        products.append(balance[nearest[rows, columns]] * (pixel[:, 0] - pixel[:, 2]))
    mean = np.concatenate(products).mean()
    if abs(mean) < FAINT:
        raise UserError(f"{source.folder}: too grey to tell the order of its channels")
    return "rgb" if mean > 0 else "bgr"


def read_object(source: ExternalObject, options: Options) -> ObjectRecord:
    """The record of one object; UserError names the file and what is wrong with it."""
    index, colours = read_voxels(source.geometry)
    images, cameras = read_views(source, options.axes, options.channels)
    names = [path.stem for path in source.views()]
    mirrored = [name for name, matrix in zip(names, cameras, strict=True) if np.linalg.det(matrix[:3]) < 0]
    if mirrored:
        reason = f"mirrored with axes {dlt.describe(options.axes)}, which most objects have"
        raise UserError(f"{source.views_folder}: the camera of {mirrored[0]} is {reason}")
    index, rng = dlt.turn_index(index, options.axes), object_rng(source.category, source.object_id)
    return ObjectRecord(
        category=categories.name(source.category),
        object_id=source.object_id,
        view_names=names,
        voxels=index.astype(np.uint8),
        voxel_colours=colours,
        reprojection_error=np.nan,
        **views_for_shard(images, cameras, options.image_size),
        **fields_from_voxels(index, colours, options.sdf_points, options.surface_points, rng),
    )


READER = Reader(
    name="original",
    description="""\
voxels and cameras of voxel.h5 and h5/*.h5; distances from the filled volume. The axes
of the voxels and the order of the colour channels are inferred and reported.""",
    glob=LAYOUT.glob,
    find=LAYOUT.find_objects,
    read=read_object,
    uses={"images": "folder of the views' HDF5 files, where they are not in the raw folder"},
    conventions=(
        axes_convention(read_axes, "axes of {} objects"),
        Convention(
            "channels",
            "rgb",
            read_channels,
            decided=lambda channels, count: f"views: channels are {channels.upper()}",
            undecided="views: all objects are grey, their channels are taken as RGB",
        ),
    ),
    settings=lambda options, folders: {"channels": options.channels},
)
