"""One object of a raw folder (data/raw_layout.py) -> ObjectRecord, or the reason why it cannot be used."""

import dataclasses

import numpy as np
import scipy.spatial

from data import categories
from data.shards import ObjectRecord
from preprocessing.random_streams import object_rng
from preprocessing.readers.hdf5_files import checked, read_hdf5
from preprocessing.readers.views import picture_size, read_picture, views_for_shard
from preprocessing.recovery import dlt
from preprocessing.recovery.filling import fields_from_voxels
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import check_camera, image_to_pixel


@dataclasses.dataclass(frozen=True)
class Options:
    """How objects are read, of whatever layout."""

    image_size: int  # side of the stored views, pixels
    sdf_points: int  # at most: the files may hold fewer
    surface_points: int  # likewise
    axes: tuple = dlt.IDENTITY  # p = A q for objects whose volumes have unknown axes, q as the volume is stored
    channels: str = "rgb"  # order of the colour channels in the original's views
    sdf_offset: float = 0.0  # subtracted from DISN's distances, in its own units


def read_colour_volume(path):
    """Surface voxels (M, 3) int (as stored, no axes applied) and their colours (M, 3) float in [0, 1]."""
    data = checked(read_hdf5(path, ["data"])[0]["data"], (frames.VOXELS,) * 3 + (3,), path)
    surface = np.minimum(np.minimum(data[..., 0], data[..., 1]), data[..., 2]) >= 0
    if not surface.any():
        raise UserError(f"{path}: no voxel has a colour")
    if data.max() > 1.001:  # rounding may pass 1
        raise UserError(f"{path}: colours reach {data.max():.4g}, they should be in [0, 1]")
    return np.argwhere(surface), np.minimum(data[surface].astype(np.float64), 1)


def file_cameras(path, views):
    """(V, 4, 3) cameras of cameras.h5, checked."""
    matrices = read_hdf5(path, ["trans_mat"])[0]["trans_mat"]
    if len(matrices.shape) != 3 or len(matrices) != views:
        raise UserError(
            f"{path}: trans_mat is {' x '.join(map(str, matrices.shape))}, it should be {views} x 4 x 3, one for each view"
        )
    return np.stack([check_camera(matrix, f"{path}: view {number}") for number, matrix in enumerate(matrices)])


def recover_cameras(raw, sizes, axes):
    """Cameras (V, 4, 3) of the views, of pixel sizes [(height, width)], from the flow volumes; and the fits.

    Object frame p = A q, A = axes, q = (index + 0.5) / 64 - 0.5. UserError where no camera fits.
    """
    fits, rng = [], object_rng(raw.category, raw.object_id)
    for name, size in zip(raw.view_names(), sizes, strict=True):
        path = raw.flow_volume(name)
        flow = checked(read_hdf5(path, ["data"])[0]["data"], (frames.VOXELS,) * 3 + (2,), path)
        seen = (np.minimum(flow[..., 0], flow[..., 1]) >= 0) & (np.maximum(flow[..., 0], flow[..., 1]) <= 1)
        points = (dlt.turn_index(np.argwhere(seen), axes) + 0.5) / frames.VOXELS - 0.5
        try:
            fit = dlt.fit_camera(points, image_to_pixel(flow[seen].astype(np.float64), np.array(size[::-1])), rng)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        dlt.accept(fit, path)
        fits.append(fit)
    return np.stack([fit.trans_mat for fit in fits]), fits


def read_axes(raw):
    """The axes (dlt.choose_axes) that one object's flow volumes ask for; UserError where they cannot be read."""
    sizes = [picture_size(raw.view(name)) for name in raw.view_names()]
    if not sizes:
        raise UserError(f"{raw.views_folder}: holds no *.png")
    return dlt.choose_axes(recover_cameras(raw, sizes, dlt.IDENTITY)[0])


def _fields_from_file(path, options):
    """The fields of ObjectRecord that describe surface and distances, from the surface.h5 of render_views.py."""
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


def read_object(raw, options):
    """RawObject -> ObjectRecord; UserError names the file and what is wrong with it."""
    names = raw.view_names()
    if not names:
        raise UserError(f"{raw.views_folder}: holds no *.png")
    pictures = [read_picture(raw.view(name)) for name in names]
    sizes = [picture.shape[:2] for picture in pictures]
    index, colours = read_colour_volume(raw.colour_volume)
    colours = np.rint(255 * colours).astype(np.uint8)
    axes, error = dlt.IDENTITY, np.nan
    if raw.cameras.exists():
        cameras = file_cameras(raw.cameras, len(names))
    else:
        axes = options.axes
        cameras, fits = recover_cameras(raw, sizes, axes)
        mirrored = [name for name, matrix in zip(names, cameras, strict=True) if np.linalg.det(matrix[:3]) < 0]
        if mirrored:
            what = f"mirrored with axes {dlt.describe(axes)}, which most objects have: this volume has other axes, or is too flat"
            raise UserError(f"{raw.flow_volume(mirrored[0])}: the camera is {what}")
        error = max(fit.rms for fit in fits)
    index = dlt.turn_index(index, axes)
    if not raw.surface.exists():
        fields = fields_from_voxels(index, colours, options, object_rng(raw.category, raw.object_id))
    elif axes != dlt.IDENTITY:
        raise UserError(
            f"{raw.surface}: its axes are unknown, since the volumes had to be turned; add cameras.h5 or remove it"
        )
    else:
        fields = _fields_from_file(raw.surface, options)
    return ObjectRecord(
        category=categories.name(raw.category),
        object_id=raw.object_id,
        view_names=names,
        voxels=index.astype(np.uint8),
        voxel_colours=colours,
        reprojection_error=error,
        **views_for_shard(pictures, cameras, options.image_size),
        **fields,
    )
