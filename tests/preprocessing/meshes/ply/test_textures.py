"""Textures of PLY files: which picture each face shows, and where it lies."""

import warnings

import numpy as np
import pytest
from PIL import Image

from preprocessing.meshes.colours import UNCOLOURED
from preprocessing.meshes.load import load_mesh
from tests.preprocessing.meshes.ply.test_read import (
    CORNERS,
    ENCODINGS,
    QUARTERS,
    SQUARE,
    colour_at,
    picture,
    positions,
    square,
    write,
)

TRIANGLES = [[0, 1, 2], [0, 2, 3]]
MIDDLES = [[0.7, 0.3], [0.3, 0.7]]  # a point of each triangle
BLUE = (30, 60, 220)
VERTICES = ["property uchar tx", "property float u", "property float v"]
FACES = ["property uchar tx", "property uint tn", "property list uchar int texture_vertex_indices"]


def two_textures(path, comments=("TextureFile a.png", "TextureFile b.png"), **columns):
    """Two triangles with coordinates of vertices; red and blue pictures."""
    picture(path.parent / "a.png", (200, 10, 20))
    picture(path.parent / "b.png", BLUE)
    st = {"s": SQUARE[:, 0].astype("f4"), "t": SQUARE[:, 1].astype("f4")}
    vertices, of_vertices = np.concatenate([SQUARE[[0, 1, 2]], SQUARE[[0, 2, 3]]]), columns.pop("of_vertices", {})
    st = {name: values[[0, 1, 2, 0, 2, 3]] for name, values in st.items()}
    write(path, {**positions(vertices), **st, **of_vertices}, [[0, 1, 2], [3, 4, 5]], comments, **columns)


@pytest.mark.parametrize("name", ["texnumber", "texture_id", "tex_index"])
@pytest.mark.parametrize("of", ["faces", "vertices"])
def test_numbers_of_textures_belong_to_faces_or_to_vertices(tmp_path, name, of):
    numbers = np.int32([1, 0])
    columns = {name: numbers} if of == "faces" else {"of_vertices": {name: numbers.repeat(3)}}
    two_textures(tmp_path / "a.ply", **columns)
    with warnings.catch_warnings(action="error"):
        found = colour_at(load_mesh(tmp_path / "a.ply"), MIDDLES)
    assert np.abs(found - [BLUE, (200, 10, 20)]).max() < 1e-3


def test_numbers_without_a_texture_are_told(tmp_path):
    two_textures(tmp_path / "a.ply", ["TextureFile a.png"], texnumber=np.int32([0, 1]))
    with pytest.warns(UserWarning, match="a.ply: faces have texture 1, but 1 are named") as caught:
        found = colour_at(load_mesh(tmp_path / "a.ply"), MIDDLES)
    assert len(caught) == 1 and np.abs(found - [(200, 10, 20), [UNCOLOURED * 255] * 3]).max() < 1e-3


def artec(path, comments=(), order=(1, 0), second=0, numbered=True):
    """The square as Artec writes it: faces, and their texture coordinates in elements apart."""
    write(path, square(), TRIANGLES, comments)
    numbers = FACES if numbered else [FACES[0], FACES[2]]
    head = ["element multi_texture_vertex 4", *VERTICES, "element multi_texture_face 2", *numbers, "end_header\n"]
    text = path.read_text().replace("end_header\n", "\n".join(head))
    rows = [f"0 {u:g} {v:g}" for u, v in SQUARE[::-1, :2]]
    for face in order:
        corners = " ".join(str(3 - corner) for corner in TRIANGLES[face])
        rows.append(f"{second if face else 0} {f'{face} ' if numbered else ''}3 {corners}")
    path.write_text(text + "\n".join([*rows, ""]))


@pytest.mark.parametrize("name", ["skin.jpg", "a_0.png", "a.jpg"])
@pytest.mark.parametrize(("order", "numbered"), [((0, 1), True), ((1, 0), True), ((0, 1), False)])
def test_coordinates_in_elements_of_their_own(tmp_path, name, order, numbered):
    """Artec's files name no pictures: they are called as the mesh."""
    picture(tmp_path / "skin.png")
    Image.open(tmp_path / "skin.png").save(tmp_path / name, quality=100, subsampling=0)
    artec(tmp_path / "a.ply", ["TextureFile skin.jpg"] if name == "skin.jpg" else [], order, numbered=numbered)
    with warnings.catch_warnings(action="error"):
        found = colour_at(load_mesh(tmp_path / "a.ply"), QUARTERS)
    assert np.abs(found - CORNERS).max() < 4


def test_several_pictures_beside_the_mesh(tmp_path):
    picture(tmp_path / "a_0.png", (200, 10, 20))
    picture(tmp_path / "a_1.png", BLUE)
    artec(tmp_path / "a.ply", second=1)
    with warnings.catch_warnings(action="error"):
        found = colour_at(load_mesh(tmp_path / "a.ply"), MIDDLES)
    assert np.abs(found - [(200, 10, 20), BLUE]).max() < 1e-3
    (tmp_path / "a_1.png").unlink()
    with pytest.warns(UserWarning, match="a.ply: a_1.png is missing") as caught:
        load_mesh(tmp_path / "a.ply")
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["t", "st", "texcoord"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_coordinates_of_corners_under_short_names(tmp_path, name, encoding):
    picture(tmp_path / "a.png")
    columns = {name: [SQUARE[:, :2].ravel()]}
    write(tmp_path / "a.ply", positions(SQUARE), [[0, 1, 2, 3]], ["TextureFile a.png"], encoding=encoding, **columns)
    with warnings.catch_warnings(action="error"):
        assert np.abs(colour_at(load_mesh(tmp_path / "a.ply"), QUARTERS) - CORNERS).max() < 1e-3
