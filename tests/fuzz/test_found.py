"""What changed files have found, by name: each is refused in one line that says why.

The properties that they stand for are tested by the changed files themselves (test_fuzz.py).
"""

import json
import pickle

import h5py
import numpy as np
import pytest

from tests.fuzz.run import TARGETS, write
from tests.fuzz.targets import images, texts, weights
from utils import hdf5, hdf5_limits
from utils.errors import UserError
from utils.files import natural
from utils.images.photo import read_photo

TARGET = {target.name: target for target in TARGETS}
SHARD, VOLUME = "box_train_000.h5", "root/chair/a/models/model_normalized_64.h5"
CHECKPOINT = "last.h5"


def of(name, **values):
    """The valid JSON file of a target, with other values."""
    return lambda valid: json.dumps({**json.loads(valid[name]), **values}).encode()


def without_lengths(valid):
    """A shard whose first text has neither number nor length: HDF5 would never get to the next."""
    heap = valid[SHARD].index(b"GCOL") + 16
    return valid[SHARD][:heap] + bytes(16) + valid[SHARD][heap + 16 :]


FOUND = {
    # files that ask for more than they hold
    "a petabyte in a shard": ("database", {SHARD: [("declare", "voxels", (2**50, 3), "u1", True)]}, "is declared as"),
    "a gigabyte of zeros": ("database", {SHARD: [("bomb", "sdf_points")]}, "is declared as"),
    "a volume of terabytes": ("raw folder", {VOLUME: [("declare", "data", (2**20,) * 3, "f8", True)]}, "is declared"),
    "a chunk of gigabytes": ("raw folder", {VOLUME: [("chunk", "data")]}, "chunks of 2"),
    "weights of terabytes": (
        "keras 3", {"vgg.h5": [("declare", "layers/dense/vars/0", (10**6,) * 2, "f4", 1)]}, "TB|GB",
    ),
    "an array of 112 GB": (
        "npy",
        {"image.npy": texts.header("{'descr': '<f4', 'fortran_order': False, 'shape': (30000000000,)}")},
        "cannot be read as .npy",
    ),
    "a torch storage of exabytes": ("torch", {"weights.pth": weights.torch_file(length=2**60)}, "storage k has"),
    "a torch tensor beyond its storage": (
        "torch", {"weights.pth": weights.torch_file(shape=(10**9,), strides=(0,))}, "larger than",
    ),
    "60,000 x 60,000 pixels": ("photo png", {"image.png": images.png_bomb((60_000, 60_000), 6, 0)}, "pixels"),
    # files that lead elsewhere, or would run code
    "content of another file": ("database", {SHARD: [("outside", "sdf")]}, "lies in another file"),
    "a virtual dataset": ("raw folder", {VOLUME: [("virtual", "data")]}, "lies in another file"),
    "a link to another file": ("raw folder", {VOLUME: [("elsewhere", "data")]}, "link to another file"),
    "a link to itself": ("database", {SHARD: [("loop", "images")]}, "cannot be used"),
    "a torch file that runs a command": ("torch", {"weights.pth": weights.HOSTILE}, "it holds (os|posix).system"),
    "a torch file that runs a command later": (
        "torch", {"weights.pth": weights.torch_pickle(weights.HOSTILE, [])}, "system",
    ),
    "an array of objects": (
        "npy", {"image.npy": texts.array_bytes(np.array([texts.Hostile()], object))}, "cannot be read",
    ),
    "an archive for an array": ("npy", {"image.npy": b"PK\x03\x04"}, "cannot be read as .npy"),
    "an empty array file": ("npy", {"image.npy": b""}, "cannot be read as .npy"),
    "texts without end": ("database", {SHARD: without_lengths}, "its heap of texts is damaged"),
    # shards and raw files whose parts do not fit together
    "objects without views": ("database", {SHARD: [("fill", "view_offset", 0)]}, "view_offset does not count"),
    "fewer offsets than objects": ("database", {SHARD: [("rows", "sdf_offset", 1)]}, "sdf_offset does not count"),
    "numbers for names": ("database", {SHARD: [("declare", "view_names", (), "f8", False)]}, "view_names"),
    "voxels of another type": ("database", {SHARD: [("as", "voxels", "f8")]}, "voxels is of type float64"),
    "one colour too few": ("database", {SHARD: [("rows", "voxel_colours", -1)]}, "voxel_colours has"),
    "distances without samples": (
        "disn", {"root/chair/a/ori_sample.h5": [("rows", "pc_sdf_sample", 0)]}, "reach from nothing",
    ),
    "a camera at the object's centre": ("metadata", {"metadata.txt": b"0 30 0 1 25\n110 25 0 0 25\n"}, "no distance"),
    "a group for a dataset": ("raw folder", {VOLUME: [("group", "data")]}, "data is not a dataset"),
    # weights
    "no progress": ("checkpoint", {CHECKPOINT: [("attribute", "progress", "[]")]}, "counts no steps"),
    "texts for weights": ("keras", {"vgg.h5": [("declare", "fc1/fc1_W_1:0", (3,), "text", False)]}, "not numbers"),
    "a checkpoint of an endless name": (
        "tf1", {"checkpoint": b'model_checkpoint_path: "' + b"a/" * 3000 + b'"\n'}, "which is neither there",
    ),
    "one text for weights": (
        "keras 3", {"vgg.h5": [("declare", "layers/dense/vars/0", (), "text", False)]}, "not numbers",
    ),
    "no layers": ("keras", {"vgg.h5": [("attribute", "layer_names", 0)]}, "cannot be read as Keras weights"),
    "a pickle of something else": ("torch", {"weights.pth": pickle.dumps([1])}, "does not begin like"),
    # settings
    "2^31 convolutions": ("config", {"config.json": of("config.json", encoder_convs=[2**31] * 5)}, "encoder_convs"),
    "1000 sizes": ("config", {"config.json": of("config.json", point_widths=[8] * 1000)}, "point_widths"),
    "a fraction for a size": ("config", {"config.json": of("config.json", encoder_widths=[1.5] * 5)}, "encoder_widths"),
    "texts for sizes": ("config", {"config.json": of("config.json", decoder_widths=["a", "b"])}, "decoder_widths"),
    "true for a size": ("config", {"config.json": of("config.json", img_h=True)}, "img_h must be of type int"),
    "a rate that is none": ("config", {"config.json": of("config.json", learning_rate=float("nan"))}, "learning_rate"),
    "endless points": ("config", {"config.json": of("config.json", num_sample_points=10**30)}, "num_sample_points"),
    "more weights than memory": (
        "config", {"config.json": of("config.json", encoder_widths=[60_000] * 5, encoder_fc=60_000)}, "weights, more",
    ),
    # records
    "an iso value in words": ("iso", {"iso.json": of("iso.json", solid={"iso": "../.."})}, "holds no iso value"),
    "an iso value that is none": ("iso", {"iso.json": of("iso.json", iso=float("nan"))}, "holds no iso value"),
    "a row without its view": (
        "rows", {"rows.jsonl": b'{"category": "a", "object_id": "b"}\n'}, "line 1: view is missing",
    ),
    "a row that is no row": ("rows", {"rows.jsonl": b"[]\n"}, "line 1: it is not a row"),
    "rows in no encoding": ("rows", {"rows.jsonl": b"\xff\xfe\n"}, "is damaged"),
    "results without images": (
        "report", {"results.json": of("results.json", images={"prediction": [1]})}, "is damaged",
    ),
    "an epoch without losses": ("report", {"history.json": b'[{"epoch": 1}]'}, "is damaged"),
    "settings of any length": ("settings", {"settings.json": of("settings.json", weights="a" * 5000)}, r"a \.\.\."),
    "settings that are a list": ("settings", {"settings.json": b"[]"}, "holds no settings.*; delete .* to"),
    "objects that are no names": ("split", {"split.json": b'{"train": [[1]]}'}, "is not a split"),
    "categories that are no names": ("unfinished", {"unfinished.json": b'{"categories": [[1]]}'}, "is damaged"),
    "results that are a list": ("done", {"results.json": b"[]"}, "holds no results.*; delete it to reconstruct again"),
    "a manifest without models": ("manifest", {"manifest.json": b'{"libraries": []}'}, "its models lack"),
    "brackets without end": ("render", {"render.json": b"[" * 100_000}, "cannot be read as JSON"),
    # command lines
    "a line break in a flag": (
        "flags", {"words.json": b'["eval/to_mesh.py", "a", "--out", "b", "--c\\nd"]'}, "unrecognized",
    ),
    "endless words": (
        "flags",
        {"words.json": json.dumps(["eval/to_mesh.py", "--out", "b", *["x" * 99] * 99]).encode()},
        r"\.\.\.; see",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory):
    """The valid files of a target, written once."""
    known = {}

    def files(name):
        if name not in known:
            folder = tmp_path_factory.mktemp("valid")
            TARGET[name].write(folder)
            known[name] = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        return known[name]

    return files


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused_in_one_line(name, valid_files, tmp_path):
    target, changes, words = FOUND[name]
    valid = valid_files(target)
    write(
        {file: change(valid) if callable(change) else change for file, change in changes.items()}, valid, tmp_path / "a"
    )
    with pytest.raises(UserError, match=words) as error:
        TARGET[target].read(tmp_path / "a")
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500


@pytest.mark.parametrize("suffix", ["tif", "gif"])
def test_frames_are_not_counted(suffix, tmp_path, monkeypatch):
    made = images.tiff_frames(3000, False) if suffix == "tif" else images.gif_frames(3000, 16)
    plugin = {"tif": "TiffImagePlugin.TiffImageFile", "gif": "GifImagePlugin.GifImageFile"}[suffix]
    monkeypatch.setattr(f"PIL.{plugin}.n_frames", property(lambda image: pytest.fail("all frames are read")))
    (tmp_path / f"a.{suffix}").write_bytes(made)
    assert "more than one image" in read_photo(tmp_path / f"a.{suffix}").notes[0]


def test_digits_that_are_no_numbers_are_sorted_as_text():
    assert sorted(["10", "²", "2", "x²", "x10", "x9"], key=natural) == ["2", "10", "x9", "x10", "x²", "²"]


def test_compressed_and_chunked_data_of_usual_files_are_read(tmp_path):
    values = np.zeros((70, 512, 512, 4), np.uint8)  # empty images, 73 MB, stored as those of a shard
    with h5py.File(tmp_path / "a.h5", "w") as file:
        storage = {"chunks": (1, 512, 512, 4), "compression": "gzip", "compression_opts": 1}
        hdf5.put(file, "images", values, checksums=True, **storage)
        file.create_dataset("growing", shape=(0, 3), maxshape=(None, 3))
        file["names"], file["one"] = ["a", "b"], 1.5
    with h5py.File(tmp_path / "a.h5") as file:
        assert all(hdf5_limits.dataset(file, name)[()] is not None for name in ("images", "growing", "names", "one"))
