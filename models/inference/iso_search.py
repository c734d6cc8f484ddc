"""The iso value that is best on the validation split: searching, keeping and finding it.

Training draws half of its points from surfaces, which fill 3 % of space, so a field taken at 0
grows thick shells.
"""

import glob
import hashlib
import json
import math
import pathlib
import typing

import numpy as np
from scipy.ndimage import label
from tqdm import tqdm

from data.shards import Database, ObjectEntry
from models.inference.evaluation_folder import EvaluationFolder, default_name
from models.inference.field_query import FieldQuery
from models.inference.predict import predict_view
from models.weights.run import ISO, LEVEL
from models.weights.sources import ModelSource
from models.weights.tf1_conventions import record, recorded
from utils.errors import UserError
from utils.files import file_digest, is_number, read_json
from utils.geometry import frames
from utils.metrics.surface_metrics import f_score, nearest, sample_mesh
from utils.metrics.voxel_metrics import iou, true_voxels
from utils.surface import dense, field_voxels
from utils.surface.field_grid import FieldGrid

BINARY_VALUES = np.arange(-1, 8.01, 0.25)  # logits
SDF_VALUES = np.arange(-1.5, 1.51, 0.25) / frames.VOXELS  # object-frame length
IMAGES = {True: 96, False: 24}  # at most; an SDF needs a surface extraction per value
NEAR, SAMPLES = 0.01, 8192  # of the F-score: a distance in the object frame, points of each surface


def stored_iso(model: ModelSource) -> dict[str, typing.Any] | None:
    """The iso value that was exported with the weights, or that an evaluation of these weights
    found.

    An exported run carries it as iso.json (older ones as level.json, which named file and time
    instead of the weights' content and is trusted). Evaluations keep theirs in their own folders.
    """
    exported = [path for path in (model.beside(ISO), model.beside(LEVEL)) if path.exists()]
    every = EvaluationFolder(model.beside(default_name("")))
    evaluated = sorted(every.path.parent.glob(f"{glob.escape(every.path.name)}*/{every.iso.name}"))
    digest = file_digest(model.weights)
    for path in [*exported, *evaluated]:
        known = _read_iso(path)
        if path in exported and not isinstance(known.get("weights"), str):
            return known
        conventions = known.get("conventions")
        if known.get("weights") == digest and (conventions is None or recorded(conventions) == record(model.config)):
            return known
    return None


def _read_iso(path: pathlib.Path) -> dict[str, typing.Any]:
    """The file of an iso value; UserError where it holds none."""
    known = read_json(path)
    solid = known.get("solid", known) if isinstance(known, dict) else None
    if not isinstance(solid, dict) or not (is_number(known.get("iso")) and is_number(solid.get("iso"))):
        raise UserError(f"{path} holds no iso value; delete it")
    return known


def solid_iso(model: ModelSource) -> float:
    """The stored iso value that is best for solids, else the best for surface voxels, else 0."""
    known = stored_iso(model)
    return float(known.get("solid", known)["iso"]) if known else 0.0


def find_iso(
    path: pathlib.Path, model: ModelSource, query: FieldQuery, database: Database, entries: list[ObjectEntry]
) -> dict[str, typing.Any]:
    """The best iso value on validation objects: from a file, or searched.

    Args:
        path: the file, which need not exist; it is not written here.
        model: the weights.
        query: the network that has them.
        database: of the objects.
        entries: the validation objects.

    Returns:
        The content of the file: what search_iso returns, and the weights and the objects by their
        content, so that copies of a run or of a database find it again.

    Raises:
        UserError: there are no validation objects, or none of their views can be read.
    """
    if not entries:
        raise UserError(f"{database.path} has no validation objects to find an iso value with: give a number")
    objects = [(entry.category, entry.object_id, entry.view_names) for entry in entries]
    key = {
        "weights": file_digest(model.weights),
        "conventions": record(query.config),
        "validation": hashlib.sha256(json.dumps(objects).encode()).hexdigest(),
    }
    if path.exists():
        known = _read_iso(path)
        if isinstance(known.get("conventions"), dict):
            known["conventions"] = recorded(known["conventions"])
        if all(known.get(name) == value for name, value in key.items()):
            print(f"iso value {known['iso']:.4g} (best on validation, from {path})")
            return known
    best = search_iso(query, database, entries)
    print(f"iso value {best['iso']:.4g}: mean IoU {best['iou']:.3f} over {best['images']} validation images")
    return {**key, **best}


def remarks(best: dict[str, typing.Any]) -> list[str]:
    """Lines about a found iso value (of search_iso).

    One tells how many images could not be read, one that the value is an end of the range that was
    tried: the best one may lie beyond, though not that of a network that has learned its field.
    """
    tried = sorted(map(float, best.get("iou_by_iso", ())))
    parts = []
    for words, value in (("surface voxels", best["iso"]), ("solids", best.get("solid", best)["iso"])):
        if len(tried) > 1 and not tried[0] < value < tried[-1]:
            end = "smallest" if value <= tried[0] else "largest"
            parts.append(f"the best iso value for {words}, {value:.4g}, is the {end} of the {len(tried)} tried")
    lines = [f"{'; '.join(parts)}: the best one may lie beyond"] if parts else []
    if unread := best.get("unread"):
        total = best["images"] + unread
        lines.append(f"{unread} of {total} validation images cannot be read and had no part in the iso value")
    return lines


def search_iso(query: FieldQuery, database: Database, entries: list[ObjectEntry]) -> dict[str, typing.Any]:
    """Try iso values on validation objects.

    Returns:
        iso, iou (mean over categories), images, unread (their number, where some cannot be read),
        iou_by_iso {iso value: iou}; and solid, the better value for a mesh to look at. Binary:
        {iso, iou}, where the filled voxels agree best with the true ones, filled; the IoU of
        surface voxels prefers holes to a wall one voxel too thick. SDF: {iso, f_score}, where the
        F-score of the surface at NEAR is highest; the IoU of surface voxels prefers a surface half
        a voxel too far out.

    Raises:
        UserError: none of the views can be read.
    """
    binary = query.config.binary
    values = BINARY_VALUES if binary else SDF_VALUES
    chosen = entries[:: math.ceil(len(entries) / IMAGES[binary])]
    scores: dict[str, list] = {}
    solids: dict[str, list] = {}
    unread: list[str] = []
    for number, entry in enumerate(tqdm(chosen, desc="iso value", unit="image", mininterval=2)):
        view = number % len(entry.view_names)
        nowhere = np.inf if binary else -np.inf  # no point is inside, so no colour is computed
        try:
            field = predict_view(query, database, entry, view, frames.VOXELS, nowhere)
            voxels, points = database.voxels(entry), database.surface(entry)[0][:SAMPLES]
        except UserError as error:
            unread.append(str(error))
            continue
        field.colours[:] = 0  # they play no part
        true, _ = true_voxels(*voxels)
        if binary:
            truth = _filled(voxels[0])
            pairs = [(_iou(field, iso, true), _solid_iou(field, iso, truth)) for iso in values]
        else:
            pairs = [_of_surface(field, iso, true, points) for iso in values]
        for kept, column in zip((scores, solids), zip(*pairs, strict=True), strict=True):
            kept.setdefault(entry.category, []).append(column)
    if not scores:
        raise UserError(f"none of the {len(chosen)} validation images can be read; the first: {unread[0]}")
    iso, best, means = _best(values, scores)
    table = {f"{value:.6g}": float(mean) for value, mean in zip(values, means, strict=True)}
    result = {"iso": iso, "iou": best, "images": len(chosen) - len(unread), "iou_by_iso": table}
    result |= {"unread": len(unread)} if unread else {}
    result["solid"] = dict(zip(("iso", "iou" if binary else "f_score"), _best(values, solids)[:2], strict=True))
    return result


def _best(values: np.ndarray, scores: dict[str, list]) -> tuple[float, float, np.ndarray]:
    """Iso values (L,), {category: [scores (L,) of an image]} -> best value, its mean, all means."""
    means = np.mean([np.mean(rows, 0) for rows in scores.values()], 0)
    best = int(means.argmax())
    return float(values[best]), float(means[best]), means


def _filled(index: np.ndarray) -> np.ndarray:
    """(M, 3) voxels -> (64, 64, 64) bool: they and what they enclose."""
    volume = np.zeros((frames.VOXELS,) * 3, bool)
    volume[tuple(np.asarray(index, int).T)] = True
    return fill_holes(volume)


def fill_holes(volume: np.ndarray) -> np.ndarray:
    """(n, n, n) bool, with the cells that are not connected, through faces, to the outside.

    The same as SciPy's binary_fill_holes, in a third of the time.
    """
    labels, _ = label(~np.pad(volume, 1))
    return (labels != labels[0, 0, 0])[1:-1, 1:-1, 1:-1]


def _solid_iou(field: FieldGrid, iso: float, truth: np.ndarray) -> float:
    filled = fill_holes(field.grid() > iso)
    return (filled & truth).sum() / (filled | truth).sum()


def _iou(field: FieldGrid, iso: float, true: np.ndarray) -> float:
    """IoU of the voxels of a binary field."""
    return iou(field_voxels.binary_voxels(field, iso)[0], true)


def _of_surface(field: FieldGrid, iso: float, true: np.ndarray, true_points: np.ndarray) -> tuple[float, float]:
    """The surface of an SDF: IoU with true voxels, F-score at NEAR with true points (S, 3)."""
    try:
        vertices, faces = dense.extract(field.grid(), False, iso, False, field.line)
        points, _ = sample_mesh(vertices, faces, SAMPLES)
    except UserError:  # no surface at this value
        return 0.0, 0.0
    voxels, _ = field_voxels.sdf_surface_voxels(vertices, faces, np.zeros((len(vertices), 3)))
    distances = nearest(points, true_points)[0], nearest(true_points, points)[0]
    return iou(voxels, true), f_score(*distances, NEAR)
