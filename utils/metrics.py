"""IoU and PSNR between predicted and true surface voxels, and their means.

Voxels here are (N, 3) unique points of the voxel frame with integer coordinates -32..31, colours (N, 3) in [0, 1].
"""

import numpy as np

from utils.frames import VOXELS, to_voxel

PEAK_DB = 100.0  # PSNR of colours that agree exactly (a mean square error below 1e-10)

DEFINITIONS = {
    "predicted voxels": "binary: the occupied cells of the field (g0 > level); SDF: the extracted surface, sampled and voxelised as the"
    " truth is; other resolutions than 64 are first snapped to the 64^3 voxels their points lie in, with the mean colour",
    "iou": "m / (|gt| + |pred| - m); m = true surface voxels that have a predicted voxel closer than 1 voxel",
    "psnr": "10 log10(1 / mse) dB, peak 1; mse = mean square, over true voxels and channels, of the true colour minus the colour of the"
    f" predicted voxel nearest to it; at most {PEAK_DB:g} dB",
    "failures": "a failed or empty prediction has IoU 0 and PSNR 0 dB; it is counted in every mean and listed",
    "mean": "per image, averaged over an object's views, then over a category's objects, then over the categories",
    "views": "per view: averaged over a category's objects, then over the categories",
}


def true_voxels(index, colours):
    """What a shard holds, (M, 3) uint8 0..63 and (M, 3) uint8 -> voxels (M, 3) int, voxel frame, colours (M, 3) in [0, 1]."""
    return index.astype(int) - VOXELS // 2, colours / 255


def iou(predicted, true):
    """IoU of (N, 3) predicted and (M, 3) true voxels: m / (M + N - m), m = true voxels with a prediction closer than 1."""
    if len(true) == 0:
        raise ValueError("an object without true voxels has no IoU")
    if len(predicted) == 0:
        return 0.0
    distances, _ = _tree(predicted).query(true)
    matched = int((distances < 1).sum())
    return matched / (len(true) + len(predicted) - matched)


def psnr(predicted, predicted_colours, true, true_colours):
    """PSNR in dB of the true voxels' colours, each against the nearest predicted voxel's; 0 without a prediction.

    Among predicted voxels at the same distance the one of least z, then y, then x counts: the first in the order of the
    txt file, which an all-pairs argmin over its rows would take.
    """
    if len(true) == 0:
        raise ValueError("an object without true voxels has no PSNR")
    if len(predicted) == 0:
        return 0.0
    # Squared distances of integer points are integers, at least 1 apart where they differ. A shift e of the query changes
    # a squared distance to p by 2 e.p + constant, less than that over the whole volume, and in the order z, y, x.
    shift = 1e-3 * np.array([1 / VOXELS**2, 1 / VOXELS, 1])
    _, nearest = _tree(predicted).query(np.asarray(true, np.float64) - shift)
    error = np.asarray(predicted_colours, np.float64)[nearest] - true_colours
    return float(10 * np.log10(1 / max(np.mean(error**2), 10 ** (-PEAK_DB / 10))))


def _tree(voxels):
    """KD-tree of voxels; ValueError where they are not whole voxels, for which IoU and ties would mean nothing."""
    from scipy.spatial import cKDTree

    voxels = np.asarray(voxels, np.float64)
    if abs(voxels - np.rint(voxels)).max() > 1e-3:
        raise ValueError("predicted points are no voxels of the 64^3 volume: use snap_to_voxels first")
    return cKDTree(np.rint(voxels))


def snap_to_voxels(points, colours):
    """Points (N, 3) in the voxel frame, colours (N, 3) -> unique voxels (K, 3) float they lie in, mean colours (K, 3)."""
    index = np.clip(np.floor(np.asarray(points, np.float64) + 0.5), -VOXELS // 2, VOXELS // 2 - 1)
    voxels, group, count = np.unique(index, axis=0, return_inverse=True, return_counts=True)
    total = np.stack([np.bincount(group, np.asarray(colours)[:, k], len(voxels)) for k in range(3)], 1)
    return voxels, total / count[:, None]


def binary_voxels(field, iso=0.0):
    """Voxels (K, 3) and colours (K, 3) of the occupied cells (g0 > iso) of a binary utils.txt_field.Field.

    Occupied cells that carry no colour (a level below the one the file was written at) get that of their surroundings.
    """
    from utils.surface_mesh import interpolate_colours

    occupied = field.geometry > iso
    if not occupied.any():
        return np.zeros((0, 3)), np.zeros((0, 3))
    points, colours = field.points(occupied), field.colours[occupied].astype(np.float64)
    blank = ~field.coloured()[occupied]
    if blank.any():
        colours[blank] = interpolate_colours(points[blank], field)
    return snap_to_voxels(to_voxel(points), colours)


def sdf_surface_voxels(vertices, faces, colours):
    """Voxels (K, 3) and colours (K, 3) of an extracted surface, found as those of the truth: dense samples, voxelised.

    vertices (V, 3) object frame, faces (F, 3), colours (V, 3) in [0, 1]. The samples are drawn from a fixed seed.
    """
    from preprocessing.mesh import coloured_mesh
    from preprocessing.surface import sample_surface
    from preprocessing.volumes import sample_count, voxelise

    mesh = coloured_mesh(vertices, faces, colours)
    index, mean = voxelise(*sample_surface(mesh, sample_count(mesh), np.random.default_rng(0)))
    return index.astype(np.float64) - VOXELS // 2, mean


def summarise(rows):
    """Means of per-image results, as they go into results.json.

    rows: dicts of category, object_id, view, iou, psnr (dB), failed (a reason, or None). A failed image counts as 0.
    Gives images, objects, failures (list), and for iou and psnr: mean, categories {name: value},
    views {view: {category: value, ..., 'mean': value}}.
    """
    if not rows:
        raise ValueError("no results to summarise")
    failures = [{key: row[key] for key in ("category", "object_id", "view", "failed")} for row in rows if row["failed"]]
    objects = {(row["category"], row["object_id"]) for row in rows}
    result = {"images": len(rows), "objects": len(objects), "failed": len(failures), "failures": failures}
    for name in ("iou", "psnr"):
        values = [(row, 0.0 if row["failed"] else float(row[name])) for row in rows]
        if not np.isfinite([value for _, value in values]).all():
            raise ValueError(f"a result without a failure has no finite {name}")
        per_object = _means(((row["category"], row["object_id"]), value) for row, value in values)
        categories = _means((category, value) for (category, _), value in per_object.items())
        views = {}
        for (view, category), value in _means(((row["view"], row["category"]), value) for row, value in values).items():
            views.setdefault(view, {})[category] = value
        for view in views.values():
            view["mean"] = float(np.mean(list(view.values())))
        result[name] = {"mean": float(np.mean(list(categories.values()))), "categories": categories, "views": views}
    return result


def _means(pairs):
    """(key, value) pairs -> {key: mean of its values}, sorted by key."""
    groups = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: float(np.mean(groups[key])) for key in sorted(groups)}
