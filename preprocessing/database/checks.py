"""Checks of a database. Every check returns one line for each defect it finds."""

import collections
import hashlib
import pathlib

import numpy as np
import scipy.ndimage
import scipy.spatial

from data import shard_structure
from data.shard_format import FORMAT, VERSION, ObjectRecord, find_shards
from preprocessing.recovery.dlt import MAX_ERROR
from utils import hdf5, hdf5_limits
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import check_camera, project
from utils.images.mask_parts import OBJECT

# share of the surface points that may fall beside the mask, and of the mask without a point near it
OUTSIDE = 0.05
# A point may be beside the mask by the length of a voxel and this many pixels more, since masks are
# antialiased and cameras recovered.
SLACK = 1.0
COVER = 4.0  # a pixel of the mask is covered within this many pixels of a surface point
POINTS = 2000  # surface points and distances of an object that are checked


def structure(path: pathlib.Path) -> list[str]:
    """Defects of a shard as a file: format, version, names, and its datasets."""
    try:
        hdf5.stored_digest(path)  # raises an error where its first bytes are damaged
        with hdf5_limits.opened(path) as file:
            attributes = dict(file.attrs)
            kind, version = attributes.get("format"), attributes.get("version")
            if (kind, version) != (FORMAT, VERSION):
                wanted = f"wanted {FORMAT}, version {VERSION}"
                return [f"{path.name}: format {kind}, version {version}; {wanted}"]
            ((_, category, split),) = [shard for shard in find_shards(path.parent) if shard[0] == path]
            defects = [
                f"its attribute {name} is {attributes.get(name)!r}, its name says {wanted!r}"
                for name, wanted in (("category", category), ("split", split))
                if attributes.get(name) != wanted
            ]
            defects += [f"has no attribute {name}" for name in ("settings", "left_out") if name not in attributes]
            problems = shard_structure.defects(file)
            if not problems:
                texts = [name for name in shard_structure.COLUMNS if "description" not in file[name].attrs]
                problems = [f"{name} has no description" for name in texts]
            return [f"{path.name}: {defect}" for defect in defects + problems]
    except hdf5_limits.DAMAGED as error:
        return [f"{path.name}: cannot be read, it is truncated or damaged ({error})"]


def digest(path: pathlib.Path) -> list[str]:
    """A defect where a shard is not what was written, to the byte; older shards cannot tell."""
    try:
        hdf5.check(path)
    except OSError as error:
        return [f"{path.name}: {error}"]
    return []


def values(record: ObjectRecord) -> list[str]:
    """Defects of the numbers of one object."""
    defects = []
    for name in ("trans_mats", "sdf_points", "sdf", "surface_points", "centre", "scale"):
        bad = np.size(getattr(record, name)) - np.isfinite(getattr(record, name)).sum()
        if bad:
            defects.append(f"{name} has {bad} values that are not finite")
    if defects:
        return defects  # the other checks compare numbers
    if record.voxels.max() >= frames.VOXELS:
        defects.append(f"voxels reach {record.voxels.max()}, they should be in 0..{frames.VOXELS - 1}")
    repeated = len(record.voxels) - len(np.unique(record.voxels, axis=0))
    if repeated:
        defects.append(f"{repeated} voxels are there twice")
    for name, limit in (("surface_points", 0.55), ("sdf_points", 1.0)):
        reach = np.abs(getattr(record, name)).max()
        if reach > limit:
            defects.append(f"{name} reach {reach:.3g}, the cube of the object frame ends at 0.5")
    reach = np.abs(record.sdf).max()
    if reach > 2 * np.sqrt(3):
        defects.append(f"sdf reaches {reach:.3g}, no distance in the object frame is so large")
    if record.scale <= 0:
        defects.append(f"scale is {record.scale:g}, it should be above 0")
    if record.reprojection_error > MAX_ERROR:
        error = f"{record.reprojection_error:.2f} px, more than {MAX_ERROR:g}"
        defects.append(f"its recovered cameras are off by {error}")
    if record.sdf_source not in ("file", "volume"):
        defects.append(f"sdf_source is {record.sdf_source!r}, it should be 'file' or 'volume'")
    if len(set(record.view_names)) < len(record.view_names):
        defects.append("two views have the same name")
    return defects + _contradictions(record)


def _contradictions(record: ObjectRecord) -> list[str]:
    """Defects where voxels, surface points and distances of an object contradict each other."""
    defects, voxel = [], 1 / frames.VOXELS
    far = scipy.spatial.cKDTree(frames.centres_of(record.voxels)).query(record.surface_points[:POINTS])[0] > 2 * voxel
    if far.mean() > OUTSIDE:
        defects.append(f"{far.mean():.0%} of the surface points are more than 2 voxels from the surface voxels")
    nearest = scipy.spatial.cKDTree(record.surface_points).query(record.sdf_points[:POINTS])[0]
    wrong = np.abs(np.abs(record.sdf[:POINTS]) - nearest) > 2 * voxel + 2 * _spacing(record)
    if wrong.mean() > OUTSIDE:
        defects.append(f"{wrong.mean():.0%} of the distances contradict the surface points")
    return defects


def cameras(record: ObjectRecord) -> list[str]:
    """Defects of the cameras of an object, against the masks of its views where they have one."""
    defects, spacing = [], _spacing(record)
    for view, (name, image, matrix) in enumerate(zip(record.view_names, record.images, record.trans_mats, strict=True)):
        try:
            check_camera(matrix, f"view {name}")
            if np.linalg.det(matrix[:3]) < 0:
                raise UserError(f"view {name}: the camera is mirrored")
        except UserError as error:
            defects.append(str(error))
            continue
        inside, depth = in_mask(record, view)
        alpha = image[..., 3]
        if (depth <= 0).any():
            defects.append(f"view {name}: part of the object is behind the camera")
        elif not alpha.any():
            defects.append(f"view {name}: the image is empty")
        elif 1 - inside.mean() > OUTSIDE:
            place = "outside of the image" if (alpha == 255).all() else "beside the mask"
            defects.append(f"view {name}: {1 - inside.mean():.0%} of the surface points fall {place}")
        elif (alpha < 255).any():
            # fainter pixels than the object's may be thin parts of the mesh that the points miss
            uncovered = _uncovered(record, matrix, alpha >= OBJECT, spacing)
            if uncovered > OUTSIDE:
                defects.append(f"view {name}: {uncovered:.0%} of the mask has no surface point near it")
    return defects


def in_mask(record: ObjectRecord, view: int) -> tuple[np.ndarray, np.ndarray]:
    """Which surface points fall into the mask of a view, up to SLACK pixels and a voxel.

    Returns (N,) bool and depths (N,) of the first POINTS surface points.
    """
    alpha, matrix = record.images[view, ..., 3], record.trans_mats[view]
    points = record.surface_points[:POINTS].astype(np.float64)
    pixels, depth = project(points, matrix)
    away = np.full(alpha.shape, np.inf)  # pixels to the mask
    if alpha.any():
        away = scipy.ndimage.distance_transform_edt(np.pad(alpha == 0, 1, constant_values=True))
    steps = [project(points + step, matrix)[0] - pixels for step in np.eye(3) / frames.VOXELS]
    voxel = np.sqrt(sum((step**2).sum(1) for step in steps).max() / 2)  # its length in pixels, at most
    place = np.clip(np.rint(pixels).astype(np.int64) + 1, 0, np.array(away.shape[::-1]) - 1)
    beyond = np.linalg.norm(pixels - np.clip(pixels, -0.5, np.array(alpha.shape[::-1]) - 0.5), axis=1)
    return (away[place[:, 1], place[:, 0]] + beyond <= SLACK + voxel), depth


def _uncovered(record: ObjectRecord, matrix: np.ndarray, mask: np.ndarray, spacing: float) -> float:
    """The share of the pixels of a mask that have no surface point near them.

    Near is within COVER pixels, or as far as the points are apart.

    Args:
        record: the object.
        matrix: (4, 3) camera of the view.
        mask: (H, W) bool.
        spacing: of _spacing.
    """
    pixels, depth = project(record.surface_points.astype(np.float64), matrix)
    pixels_per_length = np.linalg.norm(matrix[:3, 0]) / np.median(depth)  # roughly, across the view
    u, v = np.rint(pixels).astype(np.int64).T
    seen = (u >= 0) & (u < mask.shape[1]) & (v >= 0) & (v < mask.shape[0])
    empty = np.ones(mask.shape, bool)
    empty[v[seen], u[seen]] = False
    if not mask.any() or empty.all():
        return 0.0
    far = scipy.ndimage.distance_transform_edt(empty)[mask] > COVER + spacing * pixels_per_length
    return float(np.mean(far))


def _spacing(record: ObjectRecord) -> float:
    """How far surface points are apart: 95th percentile of the distance to the nearest other."""
    points = record.surface_points
    return float(np.percentile(scipy.spatial.cKDTree(points).query(points[:POINTS], 2)[0][:, 1], 95))


class Duplicates:
    """Finds objects that are in the database twice, and the same content in two splits."""

    def __init__(self) -> None:
        # (kind, digest or name) -> [(split, category/object)]
        self._places: dict[tuple[str, object], list[tuple[str, str]]] = collections.defaultdict(list)

    def add(self, split: str, record: ObjectRecord) -> None:
        """Note one object of a split."""
        name = f"{record.category}/{record.object_id}"
        order = np.lexsort(record.voxels.T)
        shape = record.voxels[order].tobytes() + record.voxel_colours[order].tobytes()
        self._places["object", name].append((split, name))
        for kind, content in (("voxels", shape), ("views", record.images.tobytes())):
            self._places[kind, hashlib.sha256(content).digest()].append((split, name))

    def defects(self) -> list[str]:
        """One line for each repeated object, and for each content in more than one split."""
        defects = []
        for (kind, _), places in self._places.items():
            splits, names = [split for split, _ in places], {name for _, name in places}
            if kind == "object" and len(places) > 1:
                defects.append(f"{places[0][1]}: is there {len(places)} times, in {', '.join(splits)}")
            elif kind != "object" and len(set(splits)) > 1 and len(names) > 1:
                objects = ", ".join(f"{name} ({split})" for split, name in places)
                defects.append(f"{objects}: have identical {kind} in different splits")
        return defects
