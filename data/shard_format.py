"""The format of the database's shards: their names, their datasets, and how they are written.

A database is a folder of HDF5 files <category>_<split>_<nnn>.h5 (split: train, val or test). Each
file holds many objects of one category and split. Its attributes are: format, version, category,
split, settings (JSON: how it was made), left_out (JSON: object id -> why it is not in the file),
inputs (JSON: object id -> SHA-256 of the files that it was made of; [SHA-256, {name: SHA-256}] with
those that its mesh names, null for missing ones) and attributes_sha256, a digest of the others.
Every dataset carries a `description`. Objects differ in their numbers of views, voxels and points.
Their arrays are therefore stored end to end, and rows offset[i] .. offset[i + 1] belong to object
i. One view is one HDF5 chunk and a block of points lies in a few short ones, so that a training
sample costs a few small reads. Every chunk has a checksum, and the file a digest of all its bytes
(utils/hdf5.py); files of earlier versions have neither.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import h5py
import numpy as np

from utils import hdf5

FORMAT, VERSION = "texdisn-shard", 1
SPLITS = ("train", "val", "test")
ATTRIBUTES_DIGEST = "attributes_sha256"  # HDF5 has no checksums for the texts of attributes
UNFINISHED = "unfinished.json"  # this file is in the folder while the database is being built
_NAME = re.compile(r"(?P<category>[^.].*)_(?P<split>train|val|test)_(?P<number>\d{3,})\.h5", re.DOTALL)

Inputs: TypeAlias = "str | list[Any]"  # digests of an object's files, see above


class Column(NamedTuple):
    """One dataset of a shard."""

    group: str | None  # the offsets that cut it into objects; None: one row for each object
    dtype: type | None  # None: text (UTF-8)
    shape: tuple[int, ...] | None  # of a row; None: (height, width, 4), equal for all views of a shard
    description: str


RAGGED = {
    "view_names": Column("view", None, (), "names of the views"),
    "images": Column("view", np.uint8, None, "views, RGBA, straight alpha; one view is one chunk"),
    "trans_mats": Column(
        "view", np.float64, (4, 3), "cameras: [x y z 1] @ trans_mat = (u w, v w, w), object frame to pixels"
    ),
    "voxels": Column(
        "voxel",
        np.uint8,
        (3,),
        "surface voxels (i, j, k) = (x, y, z) in 0..63; centre (index + 0.5) / 64 - 0.5, object frame",
    ),
    "voxel_colours": Column("voxel", np.uint8, (3,), "RGB of the surface voxels"),
    "sdf_points": Column(
        "sdf", np.float32, (3,), "points in random order, object frame (y up, longest side of the object 1)"
    ),
    "sdf": Column("sdf", np.float32, (), "signed distance at sdf_points, object-frame length, negative inside"),
    "sdf_colours": Column("sdf", np.uint8, (3,), "RGB of the surface point nearest to each of sdf_points"),
    "surface_points": Column("surface", np.float32, (3,), "points on the surface, object frame"),
    "surface_colours": Column("surface", np.uint8, (3,), "RGB at surface_points"),
}
_NORMALISATION = "object frame p = (x - centre) * scale, x in the units of the source mesh"
PER_OBJECT = {
    "centre": Column(None, np.float64, (3,), _NORMALISATION),
    "scale": Column(None, np.float64, (), _NORMALISATION),
    "reprojection_error": Column(
        None, np.float64, (), "pixels, RMS over the inliers of recovered cameras; NaN if the cameras came from a file"
    ),
    "sdf_source": Column(
        None,
        None,
        (),
        "source of the distances: 'file' (the mesh) or 'volume' (filled 64^3 volume, voxel accuracy)",
    ),
}
GROUPS = tuple(dict.fromkeys(str(column.group) for column in RAGGED.values()))  # view, voxel, sdf, surface


@dataclasses.dataclass
class ObjectRecord:
    """All data of one object; the descriptions of the datasets give frames and units."""

    category: str  # as data.categories.name gives it
    object_id: str
    view_names: list[str]
    images: np.ndarray  # (V, H, W, 4) uint8
    trans_mats: np.ndarray  # (V, 4, 3) float64
    voxels: np.ndarray  # (M, 3) uint8
    voxel_colours: np.ndarray  # (M, 3) uint8
    sdf_points: np.ndarray  # (P, 3) float32
    sdf: np.ndarray  # (P,) float32
    sdf_colours: np.ndarray  # (P, 3) uint8
    surface_points: np.ndarray  # (S, 3) float32
    surface_colours: np.ndarray  # (S, 3) uint8
    centre: np.ndarray  # (3,) float64
    scale: float
    reprojection_error: float
    sdf_source: str


def shard_name(category: str, split: str, number: int) -> str:
    """The file name of a shard."""
    return f"{category}_{split}_{number:03d}.h5"


def find_shards(folder: str | os.PathLike[str]) -> list[tuple[pathlib.Path, str, str]]:
    """(path, category, split) of every shard in a folder, sorted by category, split and number.

    Hidden files are none: macOS puts a file ._<name> beside each that it copies to other disks.
    """
    matches = [(path, _NAME.fullmatch(path.name)) for path in pathlib.Path(folder).glob("*.h5")]
    shards = sorted((match["category"], match["split"], int(match["number"]), path) for path, match in matches if match)
    return [(path, category, split) for category, split, _, path in shards]


def attributes_digest(attributes: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the attributes of a shard except the one that holds it."""
    values = {name: str(value) for name, value in sorted(attributes.items()) if name != ATTRIBUTES_DIGEST}
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def write_shard(
    path: str | os.PathLike[str],
    records: Sequence[ObjectRecord],
    settings: Mapping[str, Any],
    left_out: Mapping[str, str] | None = None,
    inputs: Mapping[str, Inputs] | None = None,
) -> None:
    """Write one shard, whole or not at all.

    Args:
        path: the file; its name gives category and split.
        records: the objects, all of the category of the file name, their views of one size.
        settings: how the records were made, in values that JSON can hold.
        left_out: object id -> why the object is not in the shard.
        inputs: object id -> digests, in hex, of the files that the object was made of.

    Raises:
        ValueError: file name, view sizes or array lengths do not fit together.
    """
    path = pathlib.Path(path)
    match = _NAME.fullmatch(path.name)
    categories = sorted({record.category for record in records})
    if not match or categories != [match["category"]]:
        raise ValueError(f"{path.name} is not a shard name for {categories}")
    if len({record.images.shape[1:] for record in records}) > 1:
        raise ValueError("the images of a shard have one size")
    with hdf5.create(path) as file:
        file.attrs.update(format=FORMAT, version=VERSION, category=match["category"], split=match["split"])
        file.attrs.update(settings=json.dumps(settings), left_out=json.dumps(left_out or {}))
        file.attrs["inputs"] = json.dumps(dict(sorted((inputs or {}).items())))
        file.attrs[ATTRIBUTES_DIGEST] = attributes_digest(file.attrs)
        _put(file, "object_id", _encode(record.object_id for record in records), "ids of the objects")
        for name, column in PER_OBJECT.items():
            values = [getattr(record, name) for record in records]
            array = _encode(values) if column.dtype is None else np.array(values, column.dtype)
            _put(file, name, array, column.description)
        lengths: dict[str | None, list[int]] = {}
        for name, column in RAGGED.items():
            values = [getattr(record, name) for record in records]
            sizes = [len(value) for value in values]
            if lengths.setdefault(column.group, sizes) != sizes:
                raise ValueError(f"{name}: an object has {column.group} arrays of different lengths")
            _put_ragged(file, name, values, column)
        for group, sizes in lengths.items():
            text = f"rows offset[i] .. offset[i + 1] of the {group} arrays are object i"
            _put(file, f"{group}_offset", np.cumsum([0, *sizes]), text)


def _put(file: h5py.File, name: str, values: np.ndarray, description: str, **storage: Any) -> None:
    """Write one dataset with its description."""
    hdf5.put(file, name, values, checksums=True, **storage).attrs["description"] = description


def _put_ragged(file: h5py.File, name: str, values: list[Any], column: Column) -> None:
    """Write the arrays (or lists of strings) of all objects end to end."""
    if column.dtype is None:
        _put(file, name, _encode(text for value in values for text in value), column.description)
    elif column.shape is None:
        storage = {"chunks": (1, *values[0].shape[1:]), "compression": "gzip", "compression_opts": 1}
        images: np.ndarray = np.concatenate(values).astype(column.dtype, casting="safe")
        _put(file, name, images, column.description, **storage)
    else:
        arrays: list[np.ndarray] = [np.asarray(value, column.dtype).reshape(-1, *column.shape) for value in values]
        _put(file, name, np.concatenate(arrays), column.description)


def _encode(strings: Iterable[str]) -> np.ndarray:
    """Fixed-length UTF-8: it is read in one go, unlike variable-length strings."""
    encoded = [text.encode() for text in strings]
    longest = max([1, *map(len, encoded)])
    return np.array(encoded, f"S{longest}").astype(h5py.string_dtype("utf-8", longest))
