"""What can be wrong with a database: every check gives one line per defect, and names the shard and the object."""

import collections
import hashlib

import h5py
import numpy as np
import scipy.ndimage
import scipy.spatial

from data import shards
from preprocessing.recovery.dlt import MAX_ERROR
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import check_camera, project

OUTSIDE = (
    0.05  # share of the surface points that may fall beside the mask, or of the mask that may have no point near it
)
SLACK = 1.0  # pixels that a point may be beside the mask, over the length of a voxel: masks are antialiased, cameras recovered
COVER = 4.0  # pixels from the nearest surface point within which a pixel of the mask is covered
SOLID = (
    128  # alpha from which a pixel must be covered; thinner ones may be lines and corners of the mesh that points miss
)
POINTS = 2000  # surface points and distances of an object that are looked at


def structure(path):
    """Defects of one shard as a file: format, version, names, datasets, their types, shapes and offsets."""
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
            kind = attributes.get("format"), attributes.get("version")
            if kind != (shards.FORMAT, shards.VERSION):
                return [
                    f"{path.name}: format {kind[0]}, version {kind[1]}; wanted {shards.FORMAT}, version {shards.VERSION}"
                ]
            ((_, category, split),) = [each for each in shards.find_shards(path.parent) if each[0] == path]
            found = []
            for name, wanted in (("category", category), ("split", split)):
                if attributes.get(name) != wanted:
                    found.append(
                        f"{path.name}: its attribute {name} is {attributes.get(name)!r}, its name says {wanted!r}"
                    )
            found += [
                f"{path.name}: has no attribute {name}" for name in ("settings", "left_out") if name not in attributes
            ]
            return found + [f"{path.name}: {defect}" for defect in _datasets(file)]
    except (OSError, RuntimeError) as error:
        return [f"{path.name}: cannot be read, it is truncated or damaged ({error})"]


def _datasets(file):
    """Defects of the datasets of an open shard."""
    groups = sorted({group for group, *_ in shards.RAGGED.values()})
    layout = {
        "object_id": (None, None, ())
    }  # dataset: (group of rows, None = one for each object; dtype, None = text; shape of a row)
    layout |= {name: (None, dtype, shape) for name, (dtype, shape, _) in shards.PER_OBJECT.items()}
    layout |= {name: (group, dtype, shape) for name, (group, dtype, shape, _) in shards.RAGGED.items()}
    missing = [
        name
        for name in (*(f"{group}_offset" for group in groups), *layout)
        if not isinstance(file.get(name), h5py.Dataset)
    ]
    if missing:
        return [f"has no dataset {name}" for name in missing]
    found, rows = [], {None: len(file["object_id"])}
    if not rows[None]:
        found.append("holds no object")
    for group in groups:
        offset = file[f"{group}_offset"][()]
        rows[group] = offset[-1] if len(offset) else 0
        if len(offset) != rows[None] + 1 or offset[0] != 0 or (np.diff(offset) < 1).any():
            found.append(f"{group}_offset does not count the rows of {rows[None]} objects upwards from 0")
    for name, (group, dtype, shape) in layout.items():
        data = file[name]
        size = " x ".join(map(str, data.shape))
        if (data.dtype.kind not in "SO") if dtype is None else data.dtype != dtype:
            found.append(f"{name} is of type {data.dtype}, it should be {'text' if dtype is None else np.dtype(dtype)}")
        if shape is None:  # views, of any size
            if data.ndim != 4 or data.shape[3] != 4:
                found.append(f"{name} is {size}, it should be N x H x W x 4")
        elif data.shape[1:] != shape:
            found.append(f"{name} is {size}, it should be {' x '.join(map(str, ('N', *shape)))}")
        if len(data) != rows[group]:
            found.append(f"{name} has {len(data)} rows, there should be {rows[group]}")
        if "description" not in data.attrs:
            found.append(f"{name} has no description")
    return found


def values(record):
    """Defects of the numbers of one ObjectRecord."""
    found = []
    for name in ("trans_mats", "sdf_points", "sdf", "surface_points", "centre", "scale"):
        bad = np.size(getattr(record, name)) - np.isfinite(getattr(record, name)).sum()
        if bad:
            found.append(f"{name} has {bad} values that are not finite")
    if found:
        return found  # what follows compares numbers
    if record.voxels.max() >= frames.VOXELS:
        found.append(f"voxels reach {record.voxels.max()}, they should be in 0..{frames.VOXELS - 1}")
    if len(np.unique(record.voxels, axis=0)) < len(record.voxels):
        found.append(f"{len(record.voxels) - len(np.unique(record.voxels, axis=0))} voxels are there twice")
    for name in ("surface_points", "sdf_points"):
        reach, limit = np.abs(getattr(record, name)).max(), 0.55 if name == "surface_points" else 1.0
        if reach > limit:
            found.append(f"{name} reach {reach:.3g}, the cube of the object frame ends at 0.5")
    if np.abs(record.sdf).max() > 2 * np.sqrt(3):
        found.append(f"sdf reaches {np.abs(record.sdf).max():.3g}, no distance in the object frame is so large")
    if record.scale <= 0:
        found.append(f"scale is {record.scale:g}, it should be above 0")
    if record.reprojection_error > MAX_ERROR:
        found.append(f"its recovered cameras are off by {record.reprojection_error:.2f} px, more than {MAX_ERROR:g}")
    if record.sdf_source not in ("file", "volume"):
        found.append(f"sdf_source is {record.sdf_source!r}, it should be 'file' or 'volume'")
    if len(set(record.view_names)) < len(record.view_names):
        found.append("two views have the same name")
    return found + _geometry(record)


def _geometry(record):
    """Defects where voxels, surface points and distances of one object contradict each other."""
    found, voxel = [], 1 / frames.VOXELS
    off = scipy.spatial.cKDTree((record.voxels + 0.5) / frames.VOXELS - 0.5).query(record.surface_points[:POINTS])[0]
    if (off > 2 * voxel).mean() > OUTSIDE:
        found.append(
            f"{(off > 2 * voxel).mean():.0%} of the surface points are more than 2 voxels from the surface voxels"
        )
    nearest = scipy.spatial.cKDTree(record.surface_points).query(record.sdf_points[:POINTS])[0]
    wrong = np.abs(np.abs(record.sdf[:POINTS]) - nearest) > 2 * voxel + 2 * _spacing(record)
    if wrong.mean() > OUTSIDE:
        found.append(f"{wrong.mean():.0%} of the distances contradict the surface points")
    return found


def cameras(record):
    """Defects of one object's cameras, against the masks where the views have one: a list of lines."""
    found, spacing = [], _spacing(record)
    for view, (name, image, matrix) in enumerate(zip(record.view_names, record.images, record.trans_mats, strict=True)):
        try:
            check_camera(matrix, f"view {name}")
            if np.linalg.det(matrix[:3]) < 0:
                raise UserError(f"view {name}: the camera is mirrored")
        except UserError as error:
            found.append(str(error))
            continue
        inside, depth = in_mask(record, view)
        if (depth <= 0).any():
            found.append(f"view {name}: part of the object is behind the camera")
        elif not image[..., 3].any():
            found.append(f"view {name}: the picture is empty")
        elif 1 - inside.mean() > OUTSIDE:
            what = "outside of the picture" if (image[..., 3] == 255).all() else "beside the mask"
            found.append(f"view {name}: {1 - inside.mean():.0%} of the surface points fall {what}")
        elif (image[..., 3] < 255).any():
            bare = _bare(record, matrix, image[..., 3] >= SOLID, spacing)
            if bare > OUTSIDE:
                found.append(f"view {name}: {bare:.0%} of the mask has no surface point near it")
    return found


def in_mask(record, view):
    """Which of the first POINTS surface points fall into the mask of a view, up to SLACK pixels and a voxel: (N,) bool; depths (N,)."""
    alpha, matrix = record.images[view, ..., 3], record.trans_mats[view]
    points = record.surface_points[:POINTS].astype(np.float64)
    pixels, depth = project(points, matrix)
    away = (
        scipy.ndimage.distance_transform_edt(np.pad(alpha == 0, 1, constant_values=True))
        if alpha.any()
        else np.full(alpha.shape, np.inf)
    )
    steps = [project(points + step, matrix)[0] - pixels for step in np.eye(3) / frames.VOXELS]
    voxel = np.sqrt(sum((step**2).sum(1) for step in steps).max() / 2)  # its length in pixels, at most
    place = np.clip(np.rint(pixels).astype(np.int64) + 1, 0, np.array(away.shape[::-1]) - 1)
    beyond = np.linalg.norm(pixels - np.clip(pixels, -0.5, np.array(alpha.shape[::-1]) - 0.5), axis=1)
    return (away[place[:, 1], place[:, 0]] + beyond <= SLACK + voxel), depth


def _bare(record, matrix, mask, spacing):
    """Share of the pixels of a mask (H, W) that have no surface point within COVER pixels, or as far as the points lie apart."""
    pixels, depth = project(record.surface_points.astype(np.float64), matrix)
    reach = COVER + spacing * np.linalg.norm(matrix[:3, 0]) / np.median(
        depth
    )  # a length across the view in pixels, roughly
    u, v = np.rint(pixels).astype(np.int64).T
    seen = (u >= 0) & (u < mask.shape[1]) & (v >= 0) & (v < mask.shape[0])
    empty = np.ones(mask.shape, bool)
    empty[v[seen], u[seen]] = False
    return np.mean(scipy.ndimage.distance_transform_edt(empty)[mask] > reach) if mask.any() and not empty.all() else 0.0


def _spacing(record):
    """How far apart the surface points lie: the 95th percentile of the distance to the nearest other one."""
    return np.percentile(
        scipy.spatial.cKDTree(record.surface_points).query(record.surface_points[:POINTS], 2)[0][:, 1], 95
    )


class Duplicates:
    """Finds objects that are in the database twice, and the same content in two splits."""

    def __init__(self):
        self._places = collections.defaultdict(list)  # (what, digest or name) -> [(split, category/object)]

    def add(self, split, record):
        """Note one object of a split."""
        name = f"{record.category}/{record.object_id}"
        order = np.lexsort(record.voxels.T)
        shape = record.voxels[order].tobytes() + record.voxel_colours[order].tobytes()
        self._places["object", name].append((split, name))
        for what, content in (("voxels", shape), ("views", record.images.tobytes())):
            self._places[what, hashlib.sha256(content).digest()].append((split, name))

    def defects(self):
        """One line for each object that is there twice, and for each content that is in more than one split."""
        found = []
        for (what, _), places in self._places.items():
            if what == "object" and len(places) > 1:
                found.append(
                    f"{places[0][1]}: is there {len(places)} times, in {', '.join(split for split, _ in places)}"
                )
            elif what != "object" and len({split for split, _ in places}) > 1 and len({name for _, name in places}) > 1:
                told = ", ".join(f"{name} ({split})" for split, name in places)
                found.append(f"{told}: have identical {what} in different splits")
        return found
