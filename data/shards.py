"""Reading the database: the objects of its shards, and their arrays (data/shard_format.py)."""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import threading
from typing import Any

import numpy as np

from data import categories, shard_structure
from data.shard_format import (
    ATTRIBUTES_DIGEST,
    FORMAT,
    GROUPS,
    PER_OBJECT,
    RAGGED,
    SPLITS,
    UNFINISHED,
    VERSION,
    Inputs,
    ObjectRecord,
    attributes_digest,
    find_shards,
)
from utils import hdf5, hdf5_limits
from utils.errors import UserError, first_of

AGAIN = "delete it and rebuild the database (preprocessing/gen_db.py)"  # which makes only missing shards
OPEN_FILES = 256  # shards kept open per process; a process may usually open 1024 files
# bytes, for each dataset of each open shard: HDF5's own 1 MB would add up to gigabytes
CHUNK_CACHE = 4 * hdf5.CHUNK


@dataclasses.dataclass(frozen=True)
class ObjectEntry:
    """The place of one object in the database."""

    category: str
    object_id: str
    view_names: tuple[str, ...]
    shard: pathlib.Path
    index: int  # within the shard
    sdf_count: int  # number of its sdf_points

    @property
    def name(self) -> str:
        """What lists and messages call the object: its id is unique in its category alone."""
        return f"{self.category}/{self.object_id}"


class Shard:
    """One open shard: its small arrays in memory, its datasets ready to be read.

    UserError where the file is missing, damaged or of another format.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        try:
            hdf5.stored_digest(path)  # raises an error where its first bytes are damaged
            self.file = hdf5_limits.opened(path, rdcc_nbytes=CHUNK_CACHE)
        except OSError as error:
            reason = f"it is missing, truncated or not an HDF5 file ({error})"
            raise UserError(f"{path} cannot be read, {reason}; {AGAIN}") from None
        try:
            self._load()
        except hdf5_limits.DAMAGED as error:
            self.file.close()
            reason = error.args[0] if isinstance(error, KeyError) else str(error)
            raise UserError(f"{path} cannot be used: {reason}; {AGAIN}") from None

    def _load(self) -> None:
        attributes = dict(self.file.attrs)
        kind, version = attributes.get("format"), attributes.get("version")
        if (kind, version) != (FORMAT, VERSION):
            raise KeyError(f"it is {kind}, version {version}, not {FORMAT}, version {VERSION}")
        if ATTRIBUTES_DIGEST in attributes and attributes[ATTRIBUTES_DIGEST] != attributes_digest(attributes):
            raise ValueError("its attributes do not have their checksum, it is damaged")
        self.category: str = _text(attributes, "category")
        self.split: str = _text(attributes, "split")
        self.settings_text: str = _text(attributes, "settings")
        self.settings: dict[str, Any] = _json_object(attributes, "settings")
        self.left_out: dict[str, str] = _json_object(attributes, "left_out")
        # older shards have none
        self.inputs: dict[str, Inputs] = _json_object({"inputs": "{}", **attributes}, "inputs")
        if problems := shard_structure.defects(self.file):
            raise ValueError(first_of(problems, 3))
        self.data = {name: self.file[name] for name in (*RAGGED, *PER_OBJECT)}
        self.object_ids: list[str] = self.file["object_id"].asstr()[:].tolist()
        self.view_names: list[str] = self.data["view_names"].asstr()[:].tolist()
        self.offsets: dict[str, list[int]] = {group: self.file[f"{group}_offset"][:].tolist() for group in GROUPS}
        self.image_size: tuple[int, int] = self.data["images"].shape[1:3]  # (height, width)

    def read(self, name: str, rows: int | slice, index: int) -> Any:
        """Some rows of a dataset, all of object `index`; UserError where the file is damaged."""
        try:
            return self.data[name][rows]
        except hdf5_limits.DAMAGED as error:
            what = f"{name} of {self.object_ids[index]}"
            raise UserError(f"{self.path}: {what} cannot be read: {error}; {AGAIN}") from None

    def rows(self, name: str, index: int) -> np.ndarray:
        """The rows of a ragged dataset that belong to object `index`."""
        offset = self.offsets[str(RAGGED[name].group)]
        return self.read(name, slice(offset[index], offset[index + 1]), index)

    def entries(self) -> list[ObjectEntry]:
        """One ObjectEntry for each object, in the order of the shard."""
        sdf = self.offsets["sdf"]
        return [
            ObjectEntry(self.category, object_id, tuple(self._view_names(i)), self.path, i, sdf[i + 1] - sdf[i])
            for i, object_id in enumerate(self.object_ids)
        ]

    def record(self, index: int) -> ObjectRecord:
        """All data of object `index`."""
        ragged: dict[str, Any] = {name: self.rows(name, index) for name in RAGGED if name != "view_names"}
        single: dict[str, Any] = {name: self.read(name, index, index) for name in PER_OBJECT}
        single["sdf_source"] = single["sdf_source"].decode(errors="replace")
        return ObjectRecord(self.category, self.object_ids[index], self._view_names(index), **ragged, **single)

    def _view_names(self, index: int) -> list[str]:
        return self.view_names[self.offsets["view"][index] : self.offsets["view"][index + 1]]


def _text(attributes: dict[str, Any], name: str) -> str:
    """An attribute that is a text."""
    if not isinstance(attributes.get(name), str):
        raise ValueError(f"its attribute {name} is {'not a text' if name in attributes else 'missing'}")
    return attributes[name]


def _json_object(attributes: dict[str, Any], name: str) -> dict[str, Any]:
    """An attribute that holds a JSON object."""
    try:
        value = json.loads(_text(attributes, name))
    except json.JSONDecodeError as error:
        raise ValueError(f"its attribute {name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"its attribute {name} is not a JSON object")
    return value


def _has_no_digest(path: pathlib.Path) -> bool:
    """Whether a shard is of an earlier version, without checksums."""
    with contextlib.suppress(OSError):  # reported where the shard is opened
        return hdf5.stored_digest(path) is None
    return False


class Database:
    """A folder of shards, for reading. Threads and forked processes may share it; it pickles."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)
        if not self.path.is_dir():
            raise UserError(f"{path} is not a folder; build the database with preprocessing/gen_db.py")
        if (self.path / UNFINISHED).exists():
            again = "start preprocessing/gen_db.py again with the same flags, it resumes where it stopped"
            raise UserError(f"{path} is not finished; {again}")
        self._shards = find_shards(self.path)
        if not self._shards:
            again = "build it with preprocessing/gen_db.py"
            raise UserError(f"{path} holds no shard (<category>_<split>_<nnn>.h5); {again}")
        self._cache: tuple[Any, Any, Any] = (None, None, None)
        first = self._open(self._shards[0][0])
        self.settings, self._settings_text = first.settings, first.settings_text
        self.image_size = first.image_size  # (height, width)
        self.categories = sorted({category for _, category, _ in self._shards})
        self._report_without_checksums()

    def _report_without_checksums(self) -> None:
        """Print one line if there are shards of earlier versions, in which damage goes unseen."""
        older = [path for path, _, _ in self._shards if _has_no_digest(path)]
        if older:
            print(f"{self.path}: {len(older)} of {len(self._shards)} shards are older and have no checksums")

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the names and contents of all shards: the same wherever they are."""
        contents = []
        for path, _, _ in self._shards:
            try:
                contents.append(f"{path.name} {hdf5.content_digest(path)}\n")
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error}; {AGAIN}") from None
        return hashlib.sha256("".join(contents).encode()).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": (None, None, None)}  # open files stay in their process

    def _open(self, path: pathlib.Path) -> Shard:
        """The open shard. The OPEN_FILES most recently used shards of this process stay open."""
        process, lock, shards = self._cache
        if process != os.getpid():
            for shard in (shards or {}).values():  # inherited by fork: HDF5 would share the file position
                shard.file.close()
            self._cache = process, lock, shards = os.getpid(), threading.Lock(), collections.OrderedDict()
        with lock:
            if path not in shards:
                shards[path] = Shard(path)
                if len(shards) > OPEN_FILES:
                    shards.popitem(last=False)  # not closed here: another thread may be reading it
            shards.move_to_end(path)
            return shards[path]

    def objects(self, split: str, category: str = "all", needed: bool = True) -> list[ObjectEntry]:
        """The objects of a split, sorted by category and id.

        Args:
            split: one of SPLITS.
            category: a name, a synset id, or 'all'.
            needed: whether there have to be some.

        Raises:
            UserError: the split or category is unknown, or empty though objects are needed, or a
                shard is damaged, renamed, or was made with other settings than the rest.
        """
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
            if (shard.category, shard.split) != (shard_category, shard_split):
                theirs = f"{shard.category}, {shard.split}"
                raise UserError(f"{path} holds other objects than its name says ({theirs}): give it back its name")
            if (shard.settings_text, shard.image_size) != (self._settings_text, self.image_size):
                first = self._shards[0][0].name
                raise UserError(f"{path} was made with other settings than {first}; rebuild it in an empty folder")
            entries += shard.entries()
        if needed and not entries:
            raise UserError(f"{self.path} has no {split} objects of category {category!r}")
        return sorted(entries, key=lambda entry: (entry.category, entry.object_id))

    def record(self, entry: ObjectEntry) -> ObjectRecord:
        """All data of one object."""
        return self._open(entry.shard).record(entry.index)

    def image(self, entry: ObjectEntry, view: int) -> np.ndarray:
        """(H, W, 4) uint8 RGBA of a view; view: its index in entry.view_names."""
        return self._view("images", entry, view)

    def trans_mat(self, entry: ObjectEntry, view: int) -> np.ndarray:
        """(4, 3) float64 camera of a view: object frame to pixels."""
        return self._view("trans_mats", entry, view)

    def _view(self, name: str, entry: ObjectEntry, view: int) -> np.ndarray:
        if not 0 <= view < len(entry.view_names):
            raise IndexError(f"{entry.object_id} has {len(entry.view_names)} views, not a view {view}")
        shard = self._open(entry.shard)
        return shard.read(name, shard.offsets["view"][entry.index] + view, entry.index)

    def voxels(self, entry: ObjectEntry) -> tuple[np.ndarray, np.ndarray]:
        """(M, 3) uint8 surface voxels (i, j, k) = (x, y, z) in 0..63; (M, 3) uint8 RGB."""
        shard = self._open(entry.shard)
        return shard.rows("voxels", entry.index), shard.rows("voxel_colours", entry.index)

    def surface(self, entry: ObjectEntry) -> tuple[np.ndarray, np.ndarray]:
        """(S, 3) float32 surface points in the object frame, and their (S, 3) uint8 RGB."""
        shard = self._open(entry.shard)
        return shard.rows("surface_points", entry.index), shard.rows("surface_colours", entry.index)

    def sdf_block(self, entry: ObjectEntry, start: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consecutive points with distances; after the last point of the object comes its first.

        Args:
            entry: the object.
            start: the first point, 0 <= start < entry.sdf_count.
            count: the number of points.

        Returns:
            Points (count, 3) float32 in the object frame, signed distances (count,) float32 in
            object-frame lengths, colours (count, 3) uint8.
        """
        if not 0 <= start < entry.sdf_count:
            raise IndexError(f"{entry.object_id} has {entry.sdf_count} points, none at {start}")
        shard = self._open(entry.shard)
        begin, end = shard.offsets["sdf"][entry.index : entry.index + 2]

        def read(name: str) -> np.ndarray:
            parts, at, missing = [], begin + start, count
            while missing:
                parts.append(shard.read(name, slice(at, min(at + missing, end)), entry.index))
                missing, at = missing - len(parts[-1]), begin
            return parts[0] if len(parts) == 1 else np.concatenate(parts)

        return read("sdf_points"), read("sdf"), read("sdf_colours")
