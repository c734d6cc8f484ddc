"""Text files: fields, cameras, points, lists, metadata; and .npy arrays."""

import importlib
import io
import pathlib

import numpy as np
from hypothesis import strategies as st

from data.lists import read_list, split_objects
from preprocessing.readers.r2n2 import camera, read_metadata
from tests.fuzz.targets.target import Target
from tests.helpers import tiny
from utils.geometry.cameras import compose, intrinsics, look_at, parse_camera
from utils.surface import dense, field_grid
from utils.surface.txt_format import read_txt, write_txt

RESOLUTION = 5
CONFIG = tiny.config()
query_points = importlib.import_module("eval.query_points")


def field() -> field_grid.FieldGrid:
    grid = field_grid.FieldGrid(RESOLUTION, np.zeros(RESOLUTION**3, np.float32), np.zeros((RESOLUTION**3, 3)))
    points = grid.points(np.arange(RESOLUTION**3))
    inside = np.linalg.norm(points, axis=1) < 0.35
    grid.geometry = np.where(inside, 2, -3).astype(np.float32)
    grid.colours = np.where(inside[:, None], 0.5 + points, -1).astype(np.float32)
    return grid


def read_field(folder: pathlib.Path) -> None:
    """What to_mesh.py does."""
    grid = read_txt(folder / "field.txt")
    assert grid.geometry.shape == (grid.resolution**3,) and np.isfinite(grid.geometry).all()
    colours = grid.colours[grid.coloured()]
    assert np.isfinite(colours).all() and (not len(colours) or colours.max() <= 1)
    if not grid.coloured().any():
        return
    mode = field_grid.infer_mode(grid)
    if mode:
        vertices, faces = dense.extract(
            grid.grid(), mode == "binary", field_grid.infer_iso(grid, mode == "binary"), False, grid.line
        )
        assert np.isfinite(vertices).all() and len(faces)
        assert np.isfinite(field_grid.interpolate_colours(vertices, grid)).all()


def write_numbers(name: str, values: np.ndarray):
    return lambda folder: np.savetxt(folder / name, values, fmt="%.9g")


def read_camera(folder: pathlib.Path) -> None:
    matrix = parse_camera(str(folder / "camera.txt"))
    assert np.shape(matrix) == (4, 3) and np.isfinite(np.asarray(matrix, float)).all()


def read_points(folder: pathlib.Path) -> None:
    values = query_points.read_table(str(folder / "points.txt"), 3, "a point")
    assert values.ndim == 2 and values.shape[1] == 3 and np.isfinite(values).all()


def write_lists(folder: pathlib.Path) -> None:
    for split, ids in {"train": "a\nb # with a comment\n\nc\n", "val": "d\n", "test": "e\nf\n"}.items():
        (folder / f"{split}_list_chair.txt").write_text(ids)


def read_lists(folder: pathlib.Path) -> None:
    read_list(folder / "train_list_chair.txt")
    lists = split_objects("chair", set("abcdef"), folder, folder, {"train": 0.8, "val": 0.1, "test": 0.1})
    assert set(lists.ids) == {"train", "val", "test"} and "\n" not in lists.source


def read_renderings(folder: pathlib.Path) -> None:
    for row in read_metadata(folder / "metadata.txt"):
        matrix = camera(row, (64, 64))
        assert matrix.shape == (4, 3) and np.isfinite(matrix).all()


def array_bytes(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, values, allow_pickle=True)
    return out.getvalue()


def header(text: str, length: int = 200) -> bytes:
    """An .npy file with any header and so many bytes of content."""
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode("latin1") + bytes(length)


def read_array(folder: pathlib.Path) -> None:
    image, pixels = query_points.read_image(str(folder / "image.npy"), CONFIG)
    assert pixels is None and image.shape == (tiny.SIZE, tiny.SIZE, 3) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1


class Hostile:
    def __reduce__(self):
        return (exec, ("open('/tmp/texdisn-owned', 'w')",))


_HEADERS = st.builds(
    "{{'descr': {}, 'fortran_order': {}, 'shape': {}}}".format,
    st.sampled_from(["'<f4'", "'<f8'", "'|O'", "'<f2'", "'<U9'", "'<c8'", "'|V99999999'", "1", "[('a', '<f4')]"]),
    st.sampled_from(["False", "True", "1"]),
    st.sampled_from(
        [
            "(40, 40, 3)", "(100000, 100000, 3)", "(2**40,)", f"({2**40},)", f"({2**63},)", "(-1, 3)", "()",
            "(40, 40, 3, 0)", "(1, 40, 40, 3)", "40", "(True,)", "(99999999999999999999, 3)",
        ]
    ),
).map(header)  # fmt: skip
_ARRAYS = st.sampled_from(
    [
        array_bytes(np.full((40, 40, 3), np.nan)), array_bytes(np.array([Hostile()], object)),
        array_bytes(np.zeros((0, 40, 3))), array_bytes(np.full((40, 40, 3), np.inf)), array_bytes(np.float64(1)),
        array_bytes(np.zeros((40, 40, 3), bool)), array_bytes(np.zeros((40, 40, 3), np.float16)), b"", b"PK\x03\x04",
    ]
)  # fmt: skip
_CAMERA = compose(intrinsics(64), look_at(30, 20, 2))
_METADATA = np.array([[20, 30, 0, 0.7, 25], [110, 25, 0, 0.75, 25]])
_POINTS = np.random.default_rng(0).random((6, 3))
TARGETS = [
    Target("field", "txt and npy", lambda folder: write_txt(folder / "field.txt", field()), read_field),
    Target("camera", "txt and npy", write_numbers("camera.txt", _CAMERA), read_camera),
    Target("points", "txt and npy", write_numbers("points.txt", _POINTS), read_points),
    Target("lists", "txt and npy", write_lists, read_lists),
    Target("metadata", "txt and npy", write_numbers("metadata.txt", _METADATA), read_renderings),
    Target(
        "npy", "txt and npy",
        lambda folder: (folder / "image.npy").write_bytes(array_bytes(np.full((40, 40, 3), 0.5, np.float32))),
        read_array, [st.one_of(_HEADERS, _ARRAYS).map(lambda data: {"image.npy": data})],
    ),
]  # fmt: skip
