"""One object of a raw folder (data/raw.py) -> ObjectRecord, or the reason why it cannot be used."""

import dataclasses
import io

import h5py
import numpy as np
import PIL.Image
import scipy.spatial

from data import categories
from data.pictures import resize_picture
from data.shards import ObjectRecord
from preprocessing import dlt, filling
from preprocessing.random_streams import object_rng
from preprocessing.surface import sample_space
from utils import frames
from utils.cli import UserError

PNG_END = b"IEND\xaeB`\x82"  # the last chunk of every PNG, which is always the same


@dataclasses.dataclass(frozen=True)
class Options:
    """How objects are read."""

    image_size: int  # side of the stored views, pixels
    sdf_points: int  # at most: surface.h5 may hold fewer
    surface_points: int  # likewise
    axes: tuple = dlt.IDENTITY  # p = A q for objects without cameras.h5, q as the volume is stored


def read_hdf5(path, names):
    """The named datasets of an HDF5 file and its attributes; UserError names the file and what is wrong with it."""
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in names if not isinstance(file.get(name), h5py.Dataset)]
            if missing:
                raise UserError(f"{path}: has no dataset {missing[0]!r}, only {', '.join(file) or 'nothing'}")
            return {name: file[name][()] for name in names}, dict(file.attrs)
    except FileNotFoundError:
        raise UserError(f"{path}: is missing") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read, it is truncated or no HDF5 file ({error})") from None


def _checked(values, shape, path, name="data"):
    """`values` if they are numbers of the wanted shape (None = any length) without NaN or infinity, or a UserError."""
    wanted = " x ".join("N" if size is None else str(size) for size in shape)
    if values.ndim != len(shape) or any(size not in (None, got) for size, got in zip(shape, values.shape, strict=True)):
        raise UserError(f"{path}: {name} is {' x '.join(map(str, values.shape)) or 'a single value'}, it should be {wanted}")
    if values.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name} holds no numbers")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: {name} has values that are not finite")
    return values


def read_colour_volume(path):
    """Surface voxels (M, 3) int (as stored, no axes applied) and their colours (M, 3) float in [0, 1]."""
    data = _checked(read_hdf5(path, ["data"])[0]["data"], (frames.VOXELS,) * 3 + (3,), path)
    surface = np.minimum(np.minimum(data[..., 0], data[..., 1]), data[..., 2]) >= 0
    if not surface.any():
        raise UserError(f"{path}: no voxel has a colour")
    if data.max() > 1.001:  # rounding may pass 1
        raise UserError(f"{path}: colours reach {data.max():.4g}, they should be in [0, 1]")
    return np.argwhere(surface), np.minimum(data[surface].astype(np.float64), 1)


def read_picture(path):
    """(H, W, 4) uint8 RGBA, straight alpha; opaque (255) where the file has no alpha. Grey, palette, 16 bit as well."""
    try:
        data = path.read_bytes()
        with PIL.Image.open(io.BytesIO(data)) as picture:
            if picture.format == "PNG" and PNG_END not in data[-1024:]:  # Pillow forgives the loss of the last few bytes
                raise OSError("the end of the PNG is missing")
            if picture.mode.startswith("I"):  # 16-bit grey; convert() would clip it to 255
                picture = PIL.Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
            return np.asarray(picture.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read, it is truncated or no picture ({error})") from None


def picture_size(path):
    """(height, width) of a picture, from its header."""
    try:
        with PIL.Image.open(path) as picture:
            return picture.size[::-1]
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read, it is truncated or no picture ({error})") from None


def file_cameras(path, views):
    """(V, 4, 3) cameras of cameras.h5, checked."""
    matrices = read_hdf5(path, ["trans_mat"])[0]["trans_mat"]
    if len(matrices.shape) != 3 or len(matrices) != views:
        raise UserError(f"{path}: trans_mat is {' x '.join(map(str, matrices.shape))}, it should be {views} x 4 x 3, one for each view")
    return np.stack([frames.check_camera(matrix, f"{path}: view {number}") for number, matrix in enumerate(matrices)])


def recover_cameras(raw, sizes, axes):
    """Cameras (V, 4, 3) of the views, of pixel sizes [(height, width)], from the flow volumes; and the fits.

    Object frame p = A q, A = axes, q = (index + 0.5) / 64 - 0.5. UserError where no camera fits.
    """
    fits, rng = [], object_rng(raw.category, raw.object_id)
    for name, size in zip(raw.view_names(), sizes, strict=True):
        path = raw.flow_volume(name)
        flow = _checked(read_hdf5(path, ["data"])[0]["data"], (frames.VOXELS,) * 3 + (2,), path)
        seen = (np.minimum(flow[..., 0], flow[..., 1]) >= 0) & (np.maximum(flow[..., 0], flow[..., 1]) <= 1)
        points = (dlt.turn_index(np.argwhere(seen), axes) + 0.5) / frames.VOXELS - 0.5
        try:
            fit = dlt.fit_camera(points, frames.image_to_pixel(flow[seen].astype(np.float64), np.array(size[::-1])), rng)
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


def _distances(raw, index, colours, options, turned):
    """The fields of ObjectRecord that describe the surface and the distances, from surface.h5 or from the voxels."""
    rng = object_rng(raw.category, raw.object_id)
    if raw.surface.exists():
        if turned:
            raise UserError(f"{raw.surface}: its axes are unknown, since the volumes had to be turned; add cameras.h5 or remove it")
        data, attributes = read_hdf5(raw.surface, ["sdf_points", "sdf", "points", "colours"])
        sdf_points = _checked(data["sdf_points"], (None, 3), raw.surface, "sdf_points")[: options.sdf_points]
        sdf = _checked(data["sdf"], (len(data["sdf_points"]),), raw.surface, "sdf")[: options.sdf_points]
        points = _checked(data["points"], (None, 3), raw.surface, "points")
        point_colours = _checked(data["colours"], (len(points), 3), raw.surface, "colours")
        if not len(sdf) or not len(points):
            raise UserError(f"{raw.surface}: holds no points")
        if not {"centre", "scale"} <= set(attributes):
            raise UserError(f"{raw.surface}: has no attributes centre and scale")
        centre = _checked(np.asarray(attributes["centre"]), (3,), raw.surface, "centre")
        scale, source = float(_checked(np.asarray(attributes["scale"]), (), raw.surface, "scale")), "file"
        nearest = scipy.spatial.cKDTree(points).query(sdf_points)[1]
        sdf_colours = point_colours[nearest]
        points, point_colours = points[: options.surface_points], point_colours[: options.surface_points]
    else:
        sdf_points = sample_space(filling.points_in_voxels(index, options.sdf_points, rng)[0], options.sdf_points, rng)
        sdf = filling.read_distances(filling.signed_distance_grid(index), sdf_points)
        points, chosen = filling.points_in_voxels(index, options.surface_points, rng)
        point_colours = colours[chosen]
        nearest = scipy.spatial.cKDTree((index + 0.5) / frames.VOXELS - 0.5).query(sdf_points)[1]
        sdf_colours = colours[nearest]
        centre, scale, source = np.zeros(3), 1.0, "volume"
    return {
        "sdf_points": sdf_points.astype(np.float32),
        "sdf": sdf.astype(np.float32),
        "sdf_colours": sdf_colours.astype(np.uint8),
        "surface_points": points.astype(np.float32),
        "surface_colours": point_colours.astype(np.uint8),
        "centre": centre,
        "scale": scale,
        "sdf_source": source,
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
    new = (options.image_size, options.image_size)
    return ObjectRecord(
        category=categories.name(raw.category),
        object_id=raw.object_id,
        view_names=names,
        images=np.stack([resize_picture(picture, new) for picture in pictures]),
        trans_mats=np.stack([frames.resize_camera(matrix, old, new) for matrix, old in zip(cameras, sizes, strict=True)]),
        voxels=index.astype(np.uint8),
        voxel_colours=colours,
        reprojection_error=error,
        **_distances(raw, index, colours, options, axes != dlt.IDENTITY),
    )


def try_object(raw, options):
    """read_object for worker processes: the record, or the reason (str) why there is none."""
    try:
        return read_object(raw, options)
    except UserError as error:
        return str(error)
    except Exception as error:  # one strange object must not end the run over all others
        return f"{raw.folder}: {type(error).__name__}: {error}"
