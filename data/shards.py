"""The database: HDF5 shards, each holding many objects of one category and split.

File <database>/<category>_<split>_<nnn>.h5, split one of train, val, test. Attributes of the file: format, version,
category, split, settings (JSON: how it was made), left_out (JSON: object id -> why it is not in here). Every dataset
carries a `description`. Objects differ in their numbers of views, voxels and points, so those are stored end to end and
rows offset[i] .. offset[i + 1] belong to object i. One view is one HDF5 chunk and a block of points is one contiguous
run of bytes, so that a training sample costs a few small reads.
"""

import collections
import dataclasses
import json
import os
import pathlib
import re
import threading

import h5py
import numpy as np

from data import categories
from utils.errors import UserError
from utils.files import replacing

FORMAT, VERSION = "texdisn-shard", 1
SPLITS = ("train", "val", "test")
UNFINISHED = "unfinished.json"  # stands in the folder while a database is being built
AGAIN = "delete it and rebuild the database (preprocessing/gen_db.py)"  # gen_db.py makes the missing shards alone
OPEN_FILES = 256  # shards kept open per process; the usual limit of a process is 1024 files
_NAME = re.compile(r"(?P<category>.+)_(?P<split>train|val|test)_(?P<number>\d{3,})\.h5")

# dataset: (offsets that cut it into objects, dtype, shape of a row, description)
RAGGED = {
    "view_names": ("view", None, (), "names of the views"),
    "images": ("view", np.uint8, None, "views, RGBA, straight alpha; one view is one chunk"),
    "trans_mats": (
        "view",
        np.float64,
        (4, 3),
        "cameras: [x y z 1] @ trans_mat = (u w, v w, w), object frame to pixels",
    ),
    "voxels": (
        "voxel",
        np.uint8,
        (3,),
        "surface voxels (i, j, k) = (x, y, z) in 0..63; centre (index + 0.5) / 64 - 0.5, object frame",
    ),
    "voxel_colours": ("voxel", np.uint8, (3,), "RGB of the surface voxels"),
    "sdf_points": (
        "sdf",
        np.float32,
        (3,),
        "points in random order, object frame (y up, longest side of the object 1)",
    ),
    "sdf": ("sdf", np.float32, (), "signed distance at sdf_points, object-frame length, negative inside"),
    "sdf_colours": ("sdf", np.uint8, (3,), "RGB of the surface point nearest to each of sdf_points"),
    "surface_points": ("surface", np.float32, (3,), "points on the surface, object frame"),
    "surface_colours": ("surface", np.uint8, (3,), "RGB at surface_points"),
}
PER_OBJECT = {
    "centre": (np.float64, (3,), "object frame p = (x - centre) * scale, x in the units of the source mesh"),
    "scale": (np.float64, (), "object frame p = (x - centre) * scale, x in the units of the source mesh"),
    "reprojection_error": (
        np.float64,
        (),
        "pixels, RMS over the inliers of recovered cameras; NaN if the cameras came from a file",
    ),
    "sdf_source": (
        None,
        (),
        "source of the distances: 'file' (the mesh) or 'volume' (filled 64^3 volume, voxel accuracy)",
    ),
}


@dataclasses.dataclass
class ObjectRecord:
    """Everything the database holds of one object; see the descriptions above for frames and units."""

    category: str  # as data.categories.name gives it
    object_id: str
    view_names: list
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


@dataclasses.dataclass(frozen=True)
class ObjectEntry:
    """Where one object of the database is."""

    category: str
    object_id: str
    view_names: tuple
    shard: pathlib.Path
    index: int  # within the shard
    sdf_count: int  # number of its sdf_points


def shard_name(category, split, number):
    return f"{category}_{split}_{number:03d}.h5"


def find_shards(folder):
    """[(path, category, split)] of the shards in a folder, sorted by category, split and number."""
    matches = [(path, _NAME.fullmatch(path.name)) for path in pathlib.Path(folder).glob("*.h5")]
    found = [(match["category"], match["split"], int(match["number"]), path) for path, match in matches if match]
    return [(path, category, split) for category, split, _, path in sorted(found)]


def _encode(strings):
    """list of str -> fixed-length UTF-8: read in one go, unlike variable-length strings."""
    encoded = [text.encode() for text in strings]
    longest = max([1, *map(len, encoded)])
    return np.array(encoded, f"S{longest}").astype(h5py.string_dtype("utf-8", longest))


def write_shard(path, records, settings, left_out=None):
    """Write a list of ObjectRecord of one category, whole or not at all; the name of the file gives category and split.

    settings: how the records were made, anything JSON holds. left_out: {object id: why it is missing}.
    """
    path = pathlib.Path(path)
    match = _NAME.fullmatch(path.name)
    if not match or {record.category for record in records} != {match["category"]}:
        raise ValueError(f"{path.name} is no shard name for {sorted({record.category for record in records})}")
    if len({record.images.shape[1:] for record in records}) > 1:
        raise ValueError("the images of a shard have one size")
    with replacing(path) as temporary, h5py.File(temporary, "w", libver=("v110", "v110")) as file:
        file.attrs.update(format=FORMAT, version=VERSION, category=match["category"], split=match["split"])
        file.attrs.update(settings=json.dumps(settings), left_out=json.dumps(left_out or {}))

        def put(name, values, description, **layout):
            file.create_dataset(name, data=values, **layout).attrs["description"] = description

        put("object_id", _encode([record.object_id for record in records]), "ids of the objects")
        for name, (dtype, shape, description) in PER_OBJECT.items():
            values = [getattr(record, name) for record in records]
            put(name, _encode(values) if dtype is None else np.array(values, dtype).reshape(-1, *shape), description)
        counts = {}
        for name, (group, dtype, shape, description) in RAGGED.items():
            values = [getattr(record, name) for record in records]
            sizes = [len(value) for value in values]
            if counts.setdefault(group, sizes) != sizes:
                raise ValueError(f"{name}: an object has {group} arrays of different lengths")
            if dtype is None:
                put(name, _encode([text for value in values for text in value]), description)
            elif name == "images":
                layout = {"chunks": (1, *values[0].shape[1:]), "compression": "gzip", "compression_opts": 1}
                put(name, np.concatenate(values).astype(dtype, casting="safe"), description, **layout)
            else:
                put(
                    name,
                    np.concatenate([np.asarray(value, dtype).reshape(-1, *shape) for value in values]),
                    description,
                )
        for group, sizes in counts.items():
            put(
                f"{group}_offset",
                np.cumsum([0, *sizes]),
                f"rows offset[i] .. offset[i + 1] of the {group} arrays are object i",
            )


class Shard:
    """One open shard: its small arrays in memory, its datasets at hand."""

    def __init__(self, path):
        self.path = path
        try:
            self.file = h5py.File(path, "r")
        except OSError as error:
            raise UserError(
                f"{path} cannot be read, it is missing, truncated or no HDF5 file ({error}); {AGAIN}"
            ) from None
        try:
            self._load()
        except (KeyError, OSError, RuntimeError, ValueError) as error:  # h5py's errors where the file is damaged
            self.file.close()
            raise UserError(f"{path} cannot be used: {error.args[0]}; {AGAIN}") from None

    def _load(self):
        attributes = dict(self.file.attrs)
        if (attributes.get("format"), attributes.get("version")) != (FORMAT, VERSION):
            raise KeyError(
                f"it is {attributes.get('format')}, version {attributes.get('version')}, not {FORMAT}, version {VERSION}"
            )
        self.category, self.split = attributes["category"], attributes["split"]
        self.settings_text, self.settings = attributes["settings"], json.loads(attributes["settings"])
        self.left_out = json.loads(attributes["left_out"])
        self.data = {name: self.file[name] for name in (*RAGGED, *PER_OBJECT)}
        self.object_ids = self.file["object_id"].asstr()[:].tolist()
        self.view_names = self.data["view_names"].asstr()[:].tolist()
        self.offsets = {
            group: self.file[f"{group}_offset"][:].tolist() for group in ("view", "voxel", "sdf", "surface")
        }
        self.image_size = self.data["images"].shape[1:3]

    def read(self, name, rows, index):
        """Rows (a number or a slice) of a dataset, all of object `index`; UserError where the file is damaged."""
        try:
            return self.data[name][rows]
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"{self.path}: {name} of {self.object_ids[index]} cannot be read: {error}; {AGAIN}"
            ) from None

    def rows(self, name, index):
        """The rows of a ragged dataset that belong to object `index`."""
        offset = self.offsets[RAGGED[name][0]]
        return self.read(name, slice(offset[index], offset[index + 1]), index)

    def entries(self, path):
        """One ObjectEntry per object, in the order of the shard."""
        view, sdf = self.offsets["view"], self.offsets["sdf"]
        return [
            ObjectEntry(
                self.category, object_id, tuple(self.view_names[view[i] : view[i + 1]]), path, i, sdf[i + 1] - sdf[i]
            )
            for i, object_id in enumerate(self.object_ids)
        ]

    def record(self, index):
        """Everything of object `index`: an ObjectRecord."""
        ragged = {name: self.rows(name, index) for name in RAGGED if name != "view_names"}
        single = {name: self.read(name, index, index) for name in PER_OBJECT}
        single["sdf_source"] = single["sdf_source"].decode()
        names = self.view_names[self.offsets["view"][index] : self.offsets["view"][index + 1]]
        return ObjectRecord(self.category, self.object_ids[index], names, **ragged, **single)


class Database:
    """A folder of shards, for reading; may be used by threads, after a fork, and pickled."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if not self.path.is_dir():
            raise UserError(f"{path} is not a folder; build the database with preprocessing/gen_db.py")
        if (self.path / UNFINISHED).exists():
            raise UserError(
                f"{path} is not finished; start preprocessing/gen_db.py again with the same flags, it goes on where it stopped"
            )
        self._shards = find_shards(self.path)
        if not self._shards:
            raise UserError(
                f"{path} holds no shard (<category>_<split>_<nnn>.h5); build it with preprocessing/gen_db.py"
            )
        self._cache = (None, None, None)
        first = self._open(self._shards[0][0])
        self.settings, self._settings_text = first.settings, first.settings_text
        self.image_size = first.image_size  # (height, width)
        self.categories = sorted({category for _, category, _ in self._shards})

    def __getstate__(self):
        return {**self.__dict__, "_cache": (None, None, None)}  # open files stay in their process

    def _open(self, path):
        """The open shard; the newest OPEN_FILES of this process stay open."""
        process, lock, shards = self._cache
        if process != os.getpid():
            for shard in (shards or {}).values():  # inherited by fork: HDF5 would share the parent's file position
                shard.file.close()
            self._cache = process, lock, shards = os.getpid(), threading.Lock(), collections.OrderedDict()
        with lock:
            if path not in shards:
                shards[path] = Shard(path)
                if len(shards) > OPEN_FILES:
                    shards.popitem(last=False)  # not closed here: another thread may be reading it
            shards.move_to_end(path)
            return shards[path]

    def objects(self, split, category="all"):
        """The objects of a split, sorted by category, then id; category: a name, a synset id, or 'all'."""
        if split not in SPLITS:
            raise UserError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
        wanted = self.categories if category == "all" else [categories.name(category)]
        if not set(wanted) <= set(self.categories):
            raise UserError(f"{self.path} has no category {category!r}; known: all, {', '.join(self.categories)}")
        entries = []
        for path, shard_category, shard_split in self._shards:
            if shard_split != split or shard_category not in wanted:
                continue
            shard = self._open(path)
            if (shard.settings_text, shard.image_size) != (self._settings_text, self.image_size):
                raise UserError(
                    f"{path} was made with other settings than {self._shards[0][0].name}; rebuild it in an empty folder"
                )
            entries += shard.entries(path)
        if not entries:
            raise UserError(f"{self.path} has no {split} objects of category {category!r}")
        return sorted(entries, key=lambda entry: (entry.category, entry.object_id))

    def record(self, entry):
        """Everything of one object: an ObjectRecord."""
        return self._open(entry.shard).record(entry.index)

    def image(self, entry, view):
        """(H, W, 4) uint8 RGBA; view: its place in entry.view_names."""
        return self._view("images", entry, view)

    def trans_mat(self, entry, view):
        """(4, 3) float64 camera of a view: object frame to pixels."""
        return self._view("trans_mats", entry, view)

    def _view(self, name, entry, view):
        if not 0 <= view < len(entry.view_names):
            raise IndexError(f"{entry.object_id} has {len(entry.view_names)} views, not a view {view}")
        shard = self._open(entry.shard)
        return shard.read(name, shard.offsets["view"][entry.index] + view, entry.index)

    def voxels(self, entry):
        """(M, 3) uint8 surface voxels (i, j, k) = (x, y, z) in 0..63, (M, 3) uint8 RGB."""
        shard = self._open(entry.shard)
        return shard.rows("voxels", entry.index), shard.rows("voxel_colours", entry.index)

    def surface(self, entry):
        """(S, 3) float32 surface points in the object frame, (S, 3) uint8 RGB."""
        shard = self._open(entry.shard)
        return shard.rows("surface_points", entry.index), shard.rows("surface_colours", entry.index)

    def sdf_block(self, entry, start, count):
        """`count` consecutive points from `start` < entry.sdf_count on; the first point follows the last.

        points (count, 3) float32 object frame, sdf (count,) float32, colours (count, 3) uint8"""
        if not 0 <= start < entry.sdf_count:
            raise IndexError(f"{entry.object_id} has {entry.sdf_count} points, none at {start}")
        shard = self._open(entry.shard)
        begin, end = shard.offsets["sdf"][entry.index : entry.index + 2]

        def read(name):
            parts, at, missing = [], begin + start, count
            while missing:
                parts.append(shard.read(name, slice(at, min(at + missing, end)), entry.index))
                missing, at = missing - len(parts[-1]), begin
            return parts[0] if len(parts) == 1 else np.concatenate(parts)

        return read("sdf_points"), read("sdf"), read("sdf_colours")
