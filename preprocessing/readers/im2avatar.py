"""Reader of raw folders: Im2Avatar's data set, or the output of render_views.py.

data/raw_layout.py has the names of the files. Cameras and distances are optional: without them the
cameras are recovered from the flow volumes, and the distances come from the filled colour volume.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.spatial

from data import categories
from data.raw_layout import RawObject, find_objects, render_settings
from data.shard_format import ObjectRecord
from preprocessing.meshes.distances import UNRECORDED_SIGN
from preprocessing.random_streams import object_rng
from preprocessing.readers.hdf5_files import checked, read_hdf5
from preprocessing.readers.majority import axes_convention
from preprocessing.readers.reader import DataFolders, Options, Reader
from preprocessing.readers.views import views_for_shard
from preprocessing.recovery import dlt
from preprocessing.recovery.filling import fields_from_voxels
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import check_camera, image_to_pixel
from utils.images.photo import read_view


def read_colour_volume(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Surface voxels (M, 3) int as stored, and their colours (M, 3) float in [0, 1]."""
    data = checked(read_hdf5(path, ["data"])[0]["data"], (frames.VOXELS,) * 3 + (3,), path)
    surface = np.minimum(np.minimum(data[..., 0], data[..., 1]), data[..., 2]) >= 0
    if not surface.any():
        raise UserError(f"{path}: no voxel has a colour")
    if data.max() > 1.001:  # rounding may exceed 1
        raise UserError(f"{path}: colours reach {data.max():.4g}, they should be in [0, 1]")
    return np.argwhere(surface), np.minimum(data[surface].astype(np.float64), 1)


def read_cameras(path: pathlib.Path, views: int) -> np.ndarray:
    """(V, 4, 3) cameras of cameras.h5, one for each of the `views` views, checked."""
    matrices = read_hdf5(path, ["trans_mat"])[0]["trans_mat"]
    if len(matrices.shape) != 3 or len(matrices) != views:
        shape = " x ".join(map(str, matrices.shape))
        raise UserError(f"{path}: trans_mat is {shape}, it should be {views} x 4 x 3, one for each view")
    return np.stack([check_camera(matrix, f"{path}: view {number}") for number, matrix in enumerate(matrices)])


def recover_cameras(
    raw: RawObject, sizes: Sequence[tuple[int, int]], axes: dlt.Axes
) -> tuple[np.ndarray, list[dlt.Fit]]:
    """Cameras of an object from its flow volumes.

    Args:
        raw: the object.
        sizes: (height, width) of every view, pixels.
        axes: A of the object frame p = A q, q = (index + 0.5) / 64 - 0.5.

    Returns:
        Cameras (V, 4, 3), object frame to pixels, and the fits they come from.

    Raises:
        UserError: a flow volume cannot be read, or no camera fits it.
    """
    fits, rng = [], object_rng(raw.category, raw.object_id)
    for name, size in zip(raw.view_names(), sizes, strict=True):
        path = raw.flow_volume(name)
        flow = checked(read_hdf5(path, ["data"])[0]["data"], (frames.VOXELS,) * 3 + (2,), path)
        seen = (np.minimum(flow[..., 0], flow[..., 1]) >= 0) & (np.maximum(flow[..., 0], flow[..., 1]) <= 1)
        points = frames.centres_of(dlt.turn_index(np.argwhere(seen), axes))
        try:
            fit = dlt.fit_camera(points, image_to_pixel(flow[seen].astype(np.float64), np.array(size[::-1])), rng)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        dlt.accept(fit, path)
        fits.append(fit)
    return np.stack([fit.trans_mat for fit in fits]), fits


def read_axes(raw: RawObject) -> dlt.Axes:
    """The axes (dlt.choose_axes) that fit the flow volumes of one object."""
    sizes = [read_view(raw.view(name)).size for name in raw.view_names()]
    if not sizes:
        raise UserError(f"{raw.views_folder}: holds no *.png")
    return dlt.choose_axes(recover_cameras(raw, sizes, dlt.IDENTITY)[0])


def _fields_from_file(path: pathlib.Path, options: Options) -> dict[str, Any]:
    """The fields of ObjectRecord for surface and distances, from surface.h5 of render_views.py."""
    data, attributes = read_hdf5(path, ["sdf_points", "sdf", "points", "colours"])
    sdf_points = checked(data["sdf_points"], (None, 3), path, "sdf_points")[: options.sdf_points]
    sdf = checked(data["sdf"], (len(data["sdf_points"]),), path, "sdf")[: options.sdf_points]
    points = checked(data["points"], (None, 3), path, "points")
    colours = checked(data["colours"], (len(points), 3), path, "colours").astype(np.uint8)
    if not len(sdf) or not len(points):
        raise UserError(f"{path}: holds no points")
    if not {"centre", "scale"} <= set(attributes):
        raise UserError(f"{path}: has no attributes centre and scale")
    return {
        "sdf_points": sdf_points.astype(np.float32),
        "sdf": sdf.astype(np.float32),
        "sdf_colours": colours[scipy.spatial.cKDTree(points).query(sdf_points)[1]],
        "surface_points": points[: options.surface_points].astype(np.float32),
        "surface_colours": colours[: options.surface_points],
        "centre": checked(np.asarray(attributes["centre"]), (3,), path, "centre"),
        "scale": float(checked(np.asarray(attributes["scale"]), (), path, "scale")),
        "sdf_source": "file",
    }


def read_object(raw: RawObject, options: Options) -> ObjectRecord:
    """The record of one object; UserError names the file and what is wrong with it."""
    names = raw.view_names()
    if not names:
        raise UserError(f"{raw.views_folder}: holds no *.png")
    images = [read_view(raw.view(name)).rgba for name in names]
    index, colours = read_colour_volume(raw.colour_volume)
    colours = np.rint(255 * colours).astype(np.uint8)
    axes, error = dlt.IDENTITY, np.nan
    if raw.cameras.exists():
        cameras = read_cameras(raw.cameras, len(names))
    else:
        axes = options.axes
        cameras, fits = recover_cameras(raw, [image.shape[:2] for image in images], axes)
        mirrored = [name for name, matrix in zip(names, cameras, strict=True) if np.linalg.det(matrix[:3]) < 0]
        if mirrored:
            reason = f"mirrored with axes {dlt.describe(axes)}, which most objects have"
            path = raw.flow_volume(mirrored[0])
            raise UserError(f"{path}: the camera is {reason}: this volume has other axes, or is too flat")
        error = max(fit.rms for fit in fits)
    index = dlt.turn_index(index, axes)
    if not raw.surface.exists():
        rng = object_rng(raw.category, raw.object_id)
        fields = fields_from_voxels(index, colours, options.sdf_points, options.surface_points, rng)
    elif axes != dlt.IDENTITY:
        reason = "its axes are unknown, since the volumes had to be turned"
        raise UserError(f"{raw.surface}: {reason}; add cameras.h5 or remove it")
    else:
        fields = _fields_from_file(raw.surface, options)
    return ObjectRecord(
        category=categories.name(raw.category),
        object_id=raw.object_id,
        view_names=names,
        voxels=index.astype(np.uint8),
        voxel_colours=colours,
        reprojection_error=error,
        **views_for_shard(images, cameras, options.image_size),
        **fields,
    )


def settings_of(folders: DataFolders) -> dict[str, Any]:
    """What shards record of a raw folder: its sign, unless that is UNRECORDED_SIGN."""
    sign = (render_settings(folders.root) or {}).get("sign", UNRECORDED_SIGN)
    return {} if sign == UNRECORDED_SIGN else {"sign": sign}


READER = Reader(
    name="im2avatar",
    description="""\
Im2Avatar's data set, or the output of render_views.py. Cameras come from cameras.h5;
without it they are recovered from the flow volumes, and an error above 2 pixels is
refused. Distances come from models/surface.h5; without it from the filled volume.""",
    glob="*/*/views",
    find=lambda root, images, meshes: find_objects(root),
    read=read_object,
    settings=lambda options, folders: settings_of(folders),
    conventions=(
        axes_convention(
            read_axes,
            "no cameras.h5 for {} objects: cameras from the flow volumes, axes",
            concerns=lambda raw: not raw.cameras.exists(),
        ),
    ),
)
