"""`--iso auto`: the level of the field that is best on the validation split.

Training draws half of its points from surfaces that fill 3 % of space, so a field taken at 0 grows thick shells.
"""

import math

import numpy as np
from scipy.ndimage import label
from tqdm import tqdm

from models.inference.predict import predict_view, surface_voxels
from utils.errors import UserError
from utils.geometry import frames
from utils.metrics.voxel_metrics import iou, true_voxels

BINARY_LEVELS = np.arange(-1, 8.01, 0.25)  # logits
SDF_LEVELS = np.arange(-1.5, 1.51, 0.25) / frames.VOXELS  # object-frame length
IMAGES = {True: 96, False: 12}  # at most; an SDF needs a surface extraction per level


def find_best_iso(query, database, entries):
    """FieldQuery, Database, validation objects -> dict: iso, iou (mean over categories), images, levels {level: iou}.

    Binary: also solid, {iso, iou}: where the filled voxels agree best with the true ones, filled. A mesh that is looked at is better taken
    there: the IoU of surface voxels would rather have holes than a wall that is a voxel too thick.
    """
    binary = query.config.binary
    levels = BINARY_LEVELS if binary else SDF_LEVELS
    wanted = IMAGES[binary]
    step = math.ceil(len(entries) / wanted)
    chosen = entries[::step]
    scores, solids = {}, {}
    for number, entry in enumerate(tqdm(chosen, desc="level", unit="image", mininterval=2)):
        view = number % len(entry.view_names)
        nothing = np.inf if binary else -np.inf  # a level at which no colour is asked for
        field = predict_view(query, database, entry, view, frames.VOXELS, nothing)
        true, _ = true_voxels(*database.voxels(entry))
        scores.setdefault(entry.category, []).append([_iou(field, binary, level, true) for level in levels])
        if binary:
            truth = _filled(database.voxels(entry)[0])
            solids.setdefault(entry.category, []).append([_solid_iou(field, level, truth) for level in levels])
    iso, iou_of_iso, means = _best(levels, scores)
    table = {f"{level:.6g}": float(value) for level, value in zip(levels, means, strict=True)}
    result = {"iso": iso, "iou": iou_of_iso, "images": len(chosen), "levels": table}
    if binary:
        result["solid"] = dict(zip(("iso", "iou"), _best(levels, solids)[:2], strict=True))
    return result


def _best(levels, scores):
    """Levels (L,), {category: [values of the levels of an image]} -> best level, its mean over categories, the means (L,)."""
    means = np.mean([np.mean(of_one, 0) for of_one in scores.values()], 0)
    best = int(means.argmax())
    return float(levels[best]), float(means[best]), means


def _filled(index):
    """(M, 3) voxels -> (64, 64, 64) bool: they and what they enclose."""
    volume = np.zeros((frames.VOXELS,) * 3, bool)
    volume[tuple(np.asarray(index, int).T)] = True
    return fill_holes(volume)


def fill_holes(volume):
    """(n, n, n) bool -> it and the cells that are not connected, through faces, to the outside: scipy's binary_fill_holes, faster."""
    labels, _ = label(~np.pad(volume, 1))
    return (labels != labels[0, 0, 0])[1:-1, 1:-1, 1:-1]


def _solid_iou(field, level, truth):
    filled = fill_holes(field.grid() > level)
    return (filled & truth).sum() / (filled | truth).sum()


def _iou(field, binary, level, true):
    """IoU at a level; colours play no part, so that they are not asked for."""
    field.colours[:] = 0
    try:
        return iou(surface_voxels(field, binary, level)[0], true)
    except UserError:  # no surface at this level
        return 0.0
