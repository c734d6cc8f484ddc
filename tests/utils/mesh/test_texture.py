"""Atlases of small meshes, colours painted on them, and their files, read back and rendered."""

import json
import struct

import numpy as np
import pytest
import trimesh

from preprocessing.meshes.load import load_mesh
from utils.errors import UserError
from utils.geometry.cameras import compose, intrinsics, look_at
from utils.mesh import writers
from utils.mesh.mesh import albedo, sample_texture
from utils.mesh.texture import bake, rasterise, texel_width, unwrap
from utils.rendering.raycast import Scene

SIZE = 256


def smooth_colours(points, normals=None):
    return 0.5 + 0.4 * np.sin(3 * points + [0, 1, 2])


def shape(name):
    mesh = {
        "sphere": lambda: trimesh.creation.icosphere(3, 0.5),
        "box": lambda: trimesh.creation.box((1, 0.6, 0.3)),
        "torus": lambda: trimesh.creation.torus(0.35, 0.12, 32, 24),
        "two": lambda: trimesh.util.concatenate(
            [trimesh.creation.icosphere(2, 0.2).apply_translation((x, 0, 0)) for x in (-0.25, 0.25)]
        ),
    }[name]()
    return np.array(mesh.vertices), np.array(mesh.faces)


def unwrapped(name, size=SIZE):
    vertices, faces = shape(name)
    index, new_faces, uv = unwrap(vertices, faces, size)
    return vertices[index], new_faces, uv, faces, index


@pytest.mark.parametrize("name", ["sphere", "box", "torus", "two"])
def test_atlas_keeps_the_mesh_and_gives_every_face_its_own_place(name):
    vertices, faces, uv, old_faces, index = unwrapped(name)
    np.testing.assert_array_equal(index[faces], old_faces)  # the same faces, in their order
    assert uv.min() >= 0
    assert uv.max() <= 1
    a, b, c = (uv[faces[:, k]] for k in range(3))
    area = abs(np.cross(b - a, c - a)) / 2
    assert area.min() > 0
    true_area = trimesh.Trimesh(vertices, faces, process=False).area_faces
    ratio = area / true_area * true_area.sum() / area.sum()
    assert ratio.min() > 0.5  # all surfaces get texels about alike
    assert ratio.max() < 2
    assert area.sum() > 0.3  # the texture is used


@pytest.mark.parametrize("name", ["sphere", "box", "torus"])
def test_charts_do_not_overlap(name):
    """No texel centre lies inside two faces: a face alone gets the texels it has among all."""
    _, faces, uv, _, _ = unwrapped(name)
    claims = np.zeros(SIZE**2, int)
    x, y = uv[:, 0] * SIZE - 0.5, (1 - uv[:, 1]) * SIZE - 0.5
    for face in faces:
        columns = np.arange(np.ceil(x[face].min()), np.floor(x[face].max()) + 1)
        rows = np.arange(np.ceil(y[face].min()), np.floor(y[face].max()) + 1)
        column, row = (values.ravel() for values in np.meshgrid(columns, rows))
        side = []
        for k in range(3):
            p, q = face[k], face[(k + 1) % 3]
            side.append(
                ((x[q] - x[p]) * (row - y[p]) - (y[q] - y[p]) * (column - x[p])) / np.hypot(x[q] - x[p], y[q] - y[p])
            )
        inside = np.min(side, 0) > 0.01
        inside |= np.max(side, 0) < -0.01
        claims[(row * SIZE + column).astype(int)[inside]] += 1
    assert claims.max() == 1
    rasterised = np.zeros(SIZE**2, int)
    for texels, _, _ in rasterise(faces, uv, SIZE):
        rasterised[texels] += 1
    assert rasterised.max() == 1
    assert rasterised[claims > 0].all()


@pytest.mark.parametrize("name", ["sphere", "box", "torus", "two"])
def test_baked_colours_are_those_of_the_field(name):
    vertices, faces, uv, _, _ = unwrapped(name)
    texture = bake(vertices, faces, uv, SIZE, smooth_colours)
    assert texture.shape == (SIZE, SIZE, 3)
    assert texture.dtype == np.uint8
    rgba = np.concatenate([texture, np.full((SIZE, SIZE, 1), 255, np.uint8)], -1)
    rng = np.random.default_rng(0)
    for weights in (
        np.full((len(faces), 3), 1 / 3),
        rng.dirichlet([0.3] * 3, len(faces)),
    ):  # middles, and points near edges and corners
        points = np.einsum("fk,fkc->fc", weights, vertices[faces])
        read = sample_texture(rgba, np.einsum("fk,fkc->fc", weights, uv[faces]))[:, :3]
        error = abs(read - smooth_colours(points))
        assert np.quantile(error, 0.99) < 0.012
        assert error.max() < 0.03


def test_field_is_queried_on_the_surface_alone_and_all_texels_are_filled():
    vertices, faces, uv, _, _ = unwrapped("sphere")
    queried = []

    def colour_of(points, normals):
        queried.append(points)
        return np.full(points.shape, 0.7)

    assert (bake(vertices, faces, uv, SIZE, colour_of) == 178).all()  # the margins too: mipmaps must not bleed
    radius = np.linalg.norm(np.concatenate(queried), axis=1)
    assert radius.min() > 0.49
    assert radius.max() < 0.501
    assert len(radius) < SIZE**2
    # no centre of a texel lies on any face
    assert (bake(1e-6 * vertices, faces, 0.1 / SIZE * uv, SIZE, colour_of) == 178).all()


@pytest.mark.parametrize("smooth", [False, True])
def test_points_have_the_normals_of_the_surface(smooth):
    vertices, faces, uv, _, _ = unwrapped("sphere")
    errors = []

    def colour_of(points, normals):
        errors.append(np.linalg.norm(normals - points / np.linalg.norm(points, axis=1, keepdims=True), axis=1))
        return points

    bake(vertices, faces, uv, SIZE, colour_of, vertices / 0.5 if smooth else None)
    assert max(error.max() for error in errors) < (0.003 if smooth else 0.12)  # 0.12: the size of a face


def test_width_of_a_texel():
    """A square of side 2 on half of the side of a texture."""
    vertices, uv = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0.0]]), np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    assert texel_width(vertices, np.array([[0, 1, 2], [0, 2, 3]]), uv / 2, 100) == pytest.approx(2 / 50)


def test_large_textures_are_baked_in_pieces(monkeypatch):
    vertices, faces, uv, _, _ = unwrapped("torus")
    whole = bake(vertices, faces, uv, SIZE, smooth_colours)
    monkeypatch.setattr("utils.mesh.texture.BATCH", 5000)
    np.testing.assert_array_equal(bake(vertices, faces, uv, SIZE, smooth_colours), whole)


def test_meshes_without_area_are_refused():
    with pytest.raises(UserError, match="faces"):
        unwrap(np.zeros((0, 3)), np.zeros((0, 3), int))
    with pytest.raises(UserError, match="no area"):
        unwrap(np.zeros((3, 3)), np.arange(3)[None])


def sides(points, normals=None):
    """Sharp colours without symmetry: x < 0 red, else green, brighter upwards, blue in front."""
    x, y, z = points.T
    return np.stack([np.where(x < 0, 0.9, 0.1), np.where(x < 0, 0.1, 0.8) * (0.5 + y), np.where(z > 0, 0.8, 0.2)], 1)


def textured(path, name="box", colour_of=sides, **options):
    vertices, faces, uv, _, _ = unwrapped(name)
    texture = bake(vertices, faces, uv, SIZE, colour_of)
    writers.write_textured(path, vertices, faces, uv, texture, **options)
    return vertices, faces, uv, texture


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_this_project_reads_and_renders_the_right_colours(tmp_path, suffix):
    path = tmp_path / f"a mesh{suffix}"
    textured(path)
    mesh = load_mesh(path)
    assert (mesh.colours == 1).all()
    rng = np.random.default_rng(0)
    face, weights = rng.integers(len(mesh.faces), size=2000), rng.dirichlet([1, 1, 1], 2000)
    points = np.einsum("nk,nkc->nc", weights, mesh.vertices[mesh.faces[face]])
    away = (abs(points[:, [0, 2]]) > 0.02).all(1)  # not where colours jump
    error = abs(albedo(mesh, face, weights)[0][:, :3] - sides(points))[away]
    assert error.max() < 0.03
    # seen from the front, above and right: red left, green right, blue on the front
    image = Scene(mesh).render(compose(intrinsics(64), look_at(20, 20, 1.7)), 64)
    seen = image[..., 3] == 255
    left, right = image[:, :22][seen[:, :22]], image[:, 42:][seen[:, 42:]]
    assert left[:, 0].mean() > 2 * left[:, 1].mean()
    assert right[:, 1].mean() > 2 * right[:, 0].mean()


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_trimesh_reads_the_right_colours(tmp_path, suffix):
    path = tmp_path / f"mesh{suffix}"
    _, faces, _, _ = textured(path, "torus", smooth_colours)
    mesh = trimesh.load(path, force="mesh", process=False)
    assert len(mesh.faces) == len(faces)
    material = mesh.visual.material
    image = material.baseColorTexture if suffix == ".glb" else material.image
    rgba = np.asarray(image.convert("RGBA"))
    read = sample_texture(rgba, mesh.visual.uv[mesh.faces].mean(1))[:, :3]
    assert abs(read - smooth_colours(mesh.triangles_center)).max() < 0.03


def header(path):
    data = path.read_bytes()
    return json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])


def test_glb_has_a_matt_material_with_the_texture_inside(tmp_path):
    textured(tmp_path / "a.glb")
    tree = header(tmp_path / "a.glb")
    (primitive,) = tree["meshes"][0]["primitives"]
    assert {"POSITION", "NORMAL", "TEXCOORD_0"} == set(primitive["attributes"])
    material = tree["materials"][primitive["material"]]["pbrMetallicRoughness"]
    assert material["metallicFactor"] == 0
    assert material["roughnessFactor"] == 1
    assert material["baseColorTexture"]["index"] == 0
    assert material.get("baseColorFactor", [1, 1, 1, 1]) == [1, 1, 1, 1]
    assert tree["images"][0]["mimeType"] == "image/png"
    assert "uri" not in tree["images"][0]


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_normals_are_smooth_over_seams(tmp_path, suffix):
    textured(tmp_path / f"made{suffix}", "sphere")
    vertices = shape("sphere")[0][unwrapped("sphere")[4]]
    textured(tmp_path / f"given{suffix}", "sphere", normals=2 * vertices)
    for name in ("made", "given"):
        mesh = load_mesh(tmp_path / f"{name}{suffix}")
        assert np.einsum("vc,vc->v", mesh.normals, 2 * mesh.vertices).min() > 0.99


def test_obj_comes_with_its_material_and_texture_and_leaves_other_images_alone(tmp_path):
    (tmp_path / "chair.png").write_text("the photograph")
    textured(tmp_path / "chair.obj")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chair.mtl", "chair.obj", "chair.png", "chair_texture.png"]
    assert (tmp_path / "chair.png").read_text() == "the photograph"


@pytest.mark.parametrize("stem", ["a chair", "-s 1", "-clamp on", " lead", "Stühle", "a.b", "a#b", "%20"])
def test_an_obj_of_any_name_is_read_with_its_texture(stem, tmp_path):
    textured(tmp_path / f"{stem}.obj")
    ours = [material.image for material in load_mesh(tmp_path / f"{stem}.obj").materials if material.image is not None]
    theirs = trimesh.load(tmp_path / f"{stem}.obj", process=False).visual.material.image
    assert len(ours) == 1 and ours[0].shape[:2] == theirs.size[::-1] and theirs.size[0] > 2
    before = sorted(tmp_path.iterdir())
    for wrong in ("\n", "\\", "\udce9"):  # readers take a backslash for a folder; the last one is a byte of Latin-1
        with pytest.raises(UserError, match="without line breaks and backslashes"):
            textured(tmp_path / f"{stem}{wrong}.obj")
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_left_of_files_that_cannot_be_written(tmp_path):
    vertices, faces, uv, _, _ = unwrapped("box")
    for suffix in (".obj", ".glb"):
        with pytest.raises((AttributeError, TypeError)):
            writers.write_textured(tmp_path / f"a{suffix}", vertices, faces, uv, "no texture")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "word"), [("a.ply", "PLY files have no textures"), ("a.stl", "is written as one of")])
def test_formats_without_textures_are_refused(tmp_path, name, word):
    vertices, faces, uv, _, _ = unwrapped("box")
    with pytest.raises(UserError, match=word) as error:
        writers.write_textured(tmp_path / name, vertices, faces, uv, np.zeros((8, 8, 3), np.uint8))
    assert "\n" not in str(error.value)


def test_vertex_colours_stay_as_they_were(tmp_path):
    vertices, faces = shape("box")
    writers.write_mesh(tmp_path / "a.glb", vertices, faces, sides(vertices))
    tree = header(tmp_path / "a.glb")
    (primitive,) = tree["meshes"][0]["primitives"]
    assert {"POSITION", "NORMAL", "COLOR_0"} <= set(primitive["attributes"])
    assert "material" in primitive
    np.testing.assert_allclose(load_mesh(tmp_path / "a.glb").colours[:, :3], np.clip(sides(vertices), 0, 1), atol=1e-3)
