"""Data sets: shards, raw folders and the files of other projects."""

import pathlib

import numpy as np

from data.raw_layout import RawObject
from data.shard_format import PER_OBJECT, RAGGED, SPLITS, ObjectRecord, write_shard
from data.shards import Database
from preprocessing.database import checks
from preprocessing.readers.reader import DataFolders, Options
from preprocessing.readers.registry import READERS
from tests.fuzz.hdf5_edits import edits
from tests.fuzz.targets.target import Target
from tests.helpers import external_folder, raw_folder, tiny
from utils import hdf5
from utils.errors import UserError

OPTIONS = Options(image_size=32, sdf_points=300, surface_points=200)
SHARD = "box_train_000.h5"


def check(record: ObjectRecord, finite: bool = True) -> None:
    """Assert that the arrays of an object have the types, shapes and lengths of the format.

    finite: whether the reader has to see what is not a number; check_db.py does that for shards.
    """
    lengths: dict[str | None, set[int]] = {}
    for name, column in {**RAGGED, **PER_OBJECT}.items():
        value = getattr(record, name)
        if column.group is not None:
            lengths.setdefault(column.group, set()).add(len(value))
        if column.dtype is None:
            texts = value if isinstance(value, list) else [value]
            assert all(isinstance(text, str) for text in texts), name
            continue
        value = np.asarray(value)
        assert np.can_cast(value.dtype, column.dtype, "same_kind"), (name, value.dtype)
        if column.shape is None:
            assert value.ndim == 4 and value.shape[3] == 4 and 0 not in value.shape, name
        elif column.group is not None:
            assert value.shape[1:] == column.shape, name
        else:
            assert value.shape == column.shape, name
    assert all(len(counts) == 1 and min(counts) > 0 for counts in lengths.values()), lengths
    for name in ("trans_mats", "sdf_points", "sdf", "surface_points", "centre", "scale"):
        assert not finite or np.isfinite(getattr(record, name)).all(), name
    assert not finite or (record.voxels.max() < 64 and record.scale > 0)


def read_database(folder: pathlib.Path) -> None:
    """What training and evaluation read of a database."""
    database = Database(folder)
    found = 0
    for split in SPLITS:
        try:
            entries = database.objects(split)
        except UserError as error:
            if "has no" in str(error):  # the objects of another split remain
                continue
            raise
        for entry in entries:
            record = database.record(entry)
            check(record, finite=False)
            assert entry.sdf_count > 0 and database.image(entry, 0).shape[2] == 4
            points, distances, colours = database.sdf_block(entry, 0, 40)
            assert points.shape == (40, 3) and distances.shape == (40,) and colours.shape == (40, 3)
            assert database.trans_mat(entry, 0).shape == (4, 3)
            found += 1
    assert found
    assert len(database.digest) == 64


def check_database(folder: pathlib.Path) -> None:
    """What check_db.py finds: a defect is a refusal."""
    path = folder / SHARD
    defects = checks.structure(path) or checks.digest(path)
    assert all("\n" not in defect and len(defect) < 1000 for defect in defects), defects
    if defects:
        raise UserError(defects[0])


def write_shards(folder: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    records = [tiny.box("box", f"box{i}", rng, views=2) for i in range(2)]
    for record in records:
        for name in ("voxels", "voxel_colours", "surface_points", "surface_colours"):
            setattr(record, name, getattr(record, name)[:400])
        record.images = record.images[:, ::2, ::2]
    write_shard(folder / SHARD, records, {"made": "by a test"}, {"x": "why"}, {"box0": "00"})


def _read_layout(name: str):
    reader = READERS[name]

    def read(folder: pathlib.Path) -> None:
        meshes = {("chair", "a"): folder / "meshes" / "chair" / "a.ply"} if name == "r2n2" else None
        images = folder / "images" if name == "disn" else None
        sources = reader.find(folder / "root", images, meshes)
        reader.settings(OPTIONS, DataFolders(folder / "root", images, None))
        assert len(sources) == 1
        check(reader.read(sources[0], OPTIONS))

    return read


def _raw(folder: pathlib.Path, whole: bool) -> None:
    raw = RawObject(folder / "root", "chair", "a")
    raw_folder.write_object(raw, 0, cameras=whole)
    if not whole:
        return
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (500, 3)).astype(np.float32)
    with hdf5.create(raw.surface) as file:
        hdf5.put(file, "sdf_points", points)
        hdf5.put(file, "sdf", (np.linalg.norm(points, axis=1) - 0.4).astype(np.float32))
        hdf5.put(file, "points", points)
        hdf5.put(file, "colours", rng.integers(0, 255, (500, 3)).astype(np.uint8))
        file.attrs.update({"centre": np.zeros(3), "scale": 1.0, "inside": 0.3})
    (folder / "root" / "render.json").write_text('{"seed": 0, "views": 2, "sign": "auto"}')


def _write_original(folder: pathlib.Path) -> None:
    external_folder.write_original(folder / "root", "chair", "a", np.random.default_rng(0))


def _write_disn(folder: pathlib.Path, grid: int | None = None) -> None:
    folders = (folder / "root", folder / "images")
    external_folder.write_disn(*folders, "chair", "a", np.random.default_rng(0), 2048, grid)


def _write_r2n2(folder: pathlib.Path) -> None:
    external_folder.write_r2n2(folder / "root", folder / "meshes", "chair", "a")


def _edited(file: str, names: list[str], attributes: list[str] | None = None):
    return edits(names, attributes or []).map(lambda changes: {file: changes})


_DATASETS = [*RAGGED, *PER_OBJECT, "object_id", *(f"{group}_offset" for group in ("view", "voxel", "sdf", "surface"))]
_ATTRIBUTES = ["format", "version", "category", "split", "settings", "left_out", "inputs", "attributes_sha256"]
_VOLUME = "root/chair/a/models/model_normalized_64.h5"
_SURFACE = ["sdf_points", "sdf", "points", "colours"]
_VIEW = "root/chair/a/h5/00.h5"
_SAMPLES = ["pc_sdf_sample", "norm_params", "sdf_params"]
TARGETS = [
    Target("database", "shards", write_shards, read_database, [_edited(SHARD, _DATASETS, _ATTRIBUTES)] * 2),
    Target("check_db", "shards", write_shards, check_database, [_edited(SHARD, _DATASETS, _ATTRIBUTES)]),
    Target(
        "raw folder", "raw volumes", lambda folder: _raw(folder, True), _read_layout("im2avatar"),
        [
            _edited(_VOLUME, ["data"]),
            _edited("root/chair/a/cameras.h5", ["trans_mat"]),
            _edited("root/chair/a/models/surface.h5", _SURFACE, ["centre", "scale"]),
        ],
        ("root/chair/a/models/64_00_coor.h5", "root/chair/a/models/64_01_coor.h5"),
    ),
    Target(
        "flow volumes", "raw volumes", lambda folder: _raw(folder, False), _read_layout("im2avatar"),
        [_edited("root/chair/a/models/64_00_coor.h5", ["data"])],
    ),
    Target(
        "original", "raw volumes", _write_original, _read_layout("original"),
        [
            _edited("root/chair/a/models/voxel.h5", ["voxel_pt", "voxel_val"]),
            _edited(_VIEW, ["img_arr", "trans_mat"]),
        ],
    ),
    Target(
        "disn", "raw volumes", _write_disn, _read_layout("disn"),
        [
            _edited("root/chair/a/ori_sample.h5", _SAMPLES),
            _edited("images/chair/a/00.h5", ["img_arr", "trans_mat"]),
        ],
    ),
    Target(
        "disn grid", "raw volumes", lambda folder: _write_disn(folder, 17), _read_layout("disn"),
        [_edited("root/chair/a/ori_sample.h5", _SAMPLES)],
    ),
    Target("r2n2", "raw volumes", _write_r2n2, _read_layout("r2n2")),
]  # fmt: skip
