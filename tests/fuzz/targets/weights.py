"""Weights: runs and checkpoints of this project, of TF1, of Keras and of PyTorch."""

import pathlib
import pickle
from types import SimpleNamespace

import h5py
import numpy as np
from hypothesis import strategies as st

from models.weights.encoder_sources import open_encoder, read_keras
from models.weights.run import load_checkpoint, save_checkpoint
from models.weights.sources import open_model
from models.weights.torch_file import MAGIC, read_torch_file
from tests.fuzz.hdf5_edits import edits
from tests.fuzz.targets.target import Target
from tests.helpers import tf1_models

NAME = "model.ckpt-7"
DATA, INDEX = f"{NAME}.data-00000-of-00001", f"{NAME}.index"


class Variable:
    """Like a Keras variable, without TensorFlow."""

    def __init__(self, path: str, shape: tuple[int, ...], kind: str = "f4") -> None:
        self.path, self.shape = path, shape
        self.value = SimpleNamespace(values=None)  # as on several devices: assigned as a whole
        self.stored = np.linspace(-1, 1, int(np.prod(shape)), dtype=kind).reshape(shape)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.stored

    def assign(self, value: np.ndarray) -> None:
        assert np.shape(value) == self.shape and np.isfinite(np.asarray(value, np.float64)).all()
        self.stored = np.asarray(value)


def variables() -> dict[str, list[Variable]]:
    network = [Variable("texdisn/a/kernel", (3, 4)), Variable("texdisn/a/bias", (4,)), Variable("texdisn/b", (2, 2, 3))]
    return {"network": network, "optimizer": [Variable("adam/iteration", (), "i8")]}


PROGRESS = {"step": 7, "steps": 7, "sums": {"loss": 0.5}, "best": 0.25, "minutes": 3.5}


def write_checkpoint(folder: pathlib.Path) -> None:
    save_checkpoint(folder / "last.h5", variables(), PROGRESS)


def read_checkpoint(folder: pathlib.Path) -> None:
    progress = load_checkpoint(folder / "last.h5", variables())
    assert isinstance(progress["step"], int) and progress["step"] >= 0


def write_tf1(folder: pathlib.Path, version: int = 2) -> None:
    tf1_models.save(folder / NAME, tf1_models.values(tf1_models.shapes()), version)


def read_tf1(folder: pathlib.Path) -> None:
    model = open_model(folder if (folder / "checkpoint").exists() else folder / NAME)
    assert model.step is not None and model.step >= 0 and "\n" not in model.describe()
    model.config.check()
    values = [model.checkpoint.read(name) for name in model.checkpoint.shapes]
    assert all(value.shape == shape for value, shape in zip(values, model.checkpoint.shapes.values(), strict=True))
    open_encoder(str(folder))


def write_keras(folder: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(folder / "vgg.h5", "w") as file:
        layers = {"block1_conv1": ((3, 3, 3, 4), (4,)), "input": (), "fc1": ((16, 8), (8,))}
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, shapes in layers.items():
            group = file.create_group(layer)
            names = [f"{layer}_{kind}_1:0" for kind in ("W", "b")[: len(shapes)]]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, shape in zip(names, shapes, strict=True):
                group[name] = rng.random(shape).astype(np.float32)


def write_keras3(folder: pathlib.Path) -> None:
    with h5py.File(folder / "vgg.h5", "w") as file:
        for layer, shape in {"conv2d": (3, 3, 3, 4), "dense": (16, 4)}.items():
            file[f"layers/{layer}/vars/0"] = np.ones(shape, np.float32)
            file[f"layers/{layer}/vars/1"] = np.ones(shape[-1], np.float32)


def read_keras_file(folder: pathlib.Path) -> None:
    layers = read_keras(folder / "vgg.h5")
    assert layers and all(isinstance(value, np.ndarray) for pair in layers.values() for value in pair)
    assert all(value.dtype.kind == "f" for pair in layers.values() for value in pair)


def torch_pickle(tensors: bytes, keys: list[str], *contents: bytes) -> bytes:
    """The file of torch.save() before 1.6: the pickled object, and the storages by their keys."""
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, {"little_endian": True}))
    storages = b"".join(contents)
    return head + tensors + pickle.dumps(keys, 2) + storages


def tensor_pickle(shape: tuple[int, ...], offset: int = 0, length: int = 6, strides: tuple[int, ...] = (3, 1)) -> bytes:
    """The opcodes of {"w": _rebuild_tensor_v2(storage, offset, shape, strides)}."""

    def number(value: int) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    reference = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0kX\x03\0\0\0cpu" + number(length) + b"NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + number(offset) + numbers(shape) + numbers(strides)
    return b"\x80\x02}X\x01\0\0\0w" + tensor + b"\x89ccollections\nOrderedDict\n)RtRs."


def torch_file(*, length: int = 6, **tensor: object) -> bytes:
    content = (6).to_bytes(8, "little") + np.arange(6, dtype=np.float32).tobytes()
    return torch_pickle(tensor_pickle(**{"shape": (2, 3), "length": length, **tensor}), ["k"], content)


HOSTILE = b"cos\nsystem\n(X\x18\0\0\0touch /tmp/texdisn-ownedtR."


def read_torch(folder: pathlib.Path) -> None:
    tensors = read_torch_file(folder / "weights.pth")
    assert all(isinstance(value, np.ndarray) and value.nbytes < 1 << 20 for value in tensors.values())
    assert not pathlib.Path("/tmp/texdisn-owned").exists()


_STATES = st.sampled_from(
    [
        b"", b"\xff\xfe", b"model_checkpoint_path: ", b'model_checkpoint_path: ""', b"x" * 5000,
        b'model_checkpoint_path: "."', b'model_checkpoint_path: "/"', b'model_checkpoint_path: ".."',
        b'model_checkpoint_path: "/elsewhere/model.ckpt-7"', b'model_checkpoint_path: "C:\\\\runs\\\\model.ckpt-7"',
        b'model_checkpoint_path: "model.ckpt-7"\nmodel_checkpoint_path: "b"', b'model_checkpoint_path: "\\001"',
        b'model_checkpoint_path: "' + b"a/" * 3000 + b'"', b'model_checkpoint_path: "checkpoint"', b"{}", b"\0" * 100,
        'model_checkpoint_path: "é"'.encode(), b'all_model_checkpoint_paths: "model.ckpt-7"',
    ]
)  # fmt: skip
_TORCH = st.one_of(
    st.builds(
        torch_file,
        shape=st.sampled_from([(2, 3), (3, 2), (), (6,), (2**31, 2**31), (-1, 3), (10**9,)]),
        offset=st.sampled_from([0, 1, -1, 5, 6, 2**40]),
        strides=st.sampled_from([(3, 1), (1, 2), (), (0, 0), (-1, 1), (2**40, 1), (100, 1)]),
        length=st.sampled_from([6, 0, -1, 2**31, 2**60]),
    ),
    st.sampled_from([HOSTILE, pickle.dumps(MAGIC, 2) + HOSTILE, pickle.dumps(MAGIC, 2) + pickle.dumps(1) + HOSTILE]),
    st.just(torch_pickle(HOSTILE, [])),
)
_FILES = {f"network/{variable.path}": 0 for variable in variables()["network"]}
TARGETS = [
    Target(
        "checkpoint", "weights", write_checkpoint, read_checkpoint,
        [edits([*_FILES, "optimizer/adam/iteration"], ["progress"]).map(lambda changes: {"last.h5": changes})] * 2,
    ),
    Target(
        "tf1", "weights", write_tf1, read_tf1,
        [_STATES.map(lambda data: {"checkpoint": data}), st.sampled_from([DATA, INDEX]).map(lambda name: {name: None})],
    ),
    Target("tf1 v1", "weights", lambda folder: write_tf1(folder, 1), read_tf1),
    Target(
        "keras", "weights", write_keras, read_keras_file,
        [edits(["fc1/fc1_W_1:0", "block1_conv1/block1_conv1_b_1:0"], ["layer_names"]).map(lambda c: {"vgg.h5": c})],
    ),
    Target(
        "keras 3", "weights", write_keras3, read_keras_file,
        [edits(["layers/dense/vars/0", "layers/conv2d/vars/1"], []).map(lambda changes: {"vgg.h5": changes})],
    ),
    Target(
        "torch", "weights", lambda folder: (folder / "weights.pth").write_bytes(torch_file()), read_torch,
        [_TORCH.map(lambda data: {"weights.pth": data})],
    ),
]  # fmt: skip
