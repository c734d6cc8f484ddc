"""Surfaces of known solids: place, axes, orientation, volume, walls, colours; their files."""

import json
import struct

import igl
import numpy as np
import pytest
import trimesh

from eval import to_mesh
from preprocessing.meshes.load import load_mesh
from utils.errors import UserError
from utils.geometry import frames
from utils.mesh import writers
from utils.mesh.light import linear_light
from utils.surface import dense, field_grid
from utils.surface.field_grid import FieldGrid
from utils.surface.txt_format import write_txt

R = 48
ARMS = np.array([[-0.1, -0.06, -0.06], [0.4, 0.06, 0.06]]), np.array([[-0.06, -0.1, -0.06], [0.06, 0.3, 0.06]]), \
    np.array([[-0.06, -0.06, -0.1], [0.06, 0.06, 0.2]])  # fmt: skip


def arms(points):
    """Signed distance (exact outside) to a solid with a long +x, a medium +y and a short +z arm.

    It has no symmetry, and differs from its mirror image.
    """
    distances = []
    for low, high in ARMS:
        q = abs(points - (low + high) / 2) - (high - low) / 2
        distances.append(np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0))
    return np.min(distances, 0)


def arms_volume():
    boxes = [np.prod(high - low) for low, high in ARMS]
    return sum(boxes) - 2 * 0.12**3  # the middle cube is in all three


def sdf_field(resolution=R, distance=arms):
    points = frames.voxel_centres(resolution)
    values = distance(points)
    colours = np.where((values < 0)[:, None], np.clip(points + 0.5, 0, 1), -1)
    return FieldGrid(resolution, values.astype(np.float32), colours.astype(np.float32))


def mesh_of(vertices, faces):
    return trimesh.Trimesh(vertices, faces, process=False)


def test_asymmetric_solid_is_in_place_unmirrored_and_outward():
    vertices, faces = dense.extract(sdf_field().grid(), False, 0)
    mesh = mesh_of(vertices, faces)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    np.testing.assert_allclose(mesh.bounds, [[-0.1, -0.1, -0.1], [0.4, 0.3, 0.2]], atol=0.3 / R)
    assert abs(arms(vertices)).max() < 0.6 / R  # corners are rounded, flat sides are exact
    assert np.median(abs(arms(vertices))) < 0.01 / R
    assert mesh.volume == pytest.approx(arms_volume(), rel=0.02)  # positive: faces look outward
    step = 0.5 / R  # along the normals the distance rises, away from edges by just the step
    rise = arms(mesh.triangles_center + step * mesh.face_normals) - arms(mesh.triangles_center)
    assert rise.min() > 0
    assert np.median(rise) == pytest.approx(step, rel=0.05)


def test_logits_give_the_surface_of_distances():
    field = sdf_field()
    a, b = dense.extract(field.grid(), False, 0.01), dense.extract(-7 * field.grid(), True, -0.07)
    np.testing.assert_allclose(a[0], b[0], atol=1e-5)
    np.testing.assert_array_equal(a[1], b[1])
    # a larger iso value, a larger solid
    assert mesh_of(*a).volume > mesh_of(*dense.extract(field.grid(), False, 0)).volume


@pytest.mark.parametrize("resolution", [16, 33, 64])
def test_frame_does_not_depend_on_resolution(resolution):
    """A slanted ellipsoid's surface lies where it is at any R, to second order in the cell."""
    centre = np.array([0.1, -0.07, 0.03])

    def distance(points):
        return np.linalg.norm((points - centre) * [1, 1.4, 2], axis=1) - 0.3

    vertices, faces = dense.extract(sdf_field(resolution, distance).grid(), False, 0)
    assert abs(distance(vertices)).max() < 2 / resolution**2
    assert mesh_of(vertices, faces).volume == pytest.approx(4 / 3 * np.pi * 0.3**3 / 2.8, rel=20 / resolution**2)


def test_cells_of_another_grid():
    """linspace(-32, 31, R): the same solid at its own coordinates."""
    line = frames.from_voxel(np.linspace(-32, 31, 80))
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    grid = arms(np.stack([x, y, z], -1).reshape(-1, 3)).reshape(80, 80, 80).transpose(2, 1, 0)
    vertices, _ = dense.extract(grid, False, 0, line=line)
    np.testing.assert_allclose([vertices.min(0), vertices.max(0)], [[-0.1] * 3, [0.4, 0.3, 0.2]], atol=0.004)


def test_surfaces_close_at_the_border():
    """A half space: its surface is closed by the faces of the cube."""
    field = sdf_field(10, lambda points: points[:, 0])
    mesh = mesh_of(*dense.extract(field.grid(), False, 0))
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.bounds, [[-0.5] * 3, [0, 0.5, 0.5]], atol=1e-5)
    assert mesh.volume == pytest.approx(0.5, rel=0.03)  # the edges of the cube are bevelled


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("values", ["normal", "0 and 1", "-1 and 1", "whole numbers", "one outlier"])
def test_any_field_gives_a_closed_surface(fill, values):
    """Noise has every ambiguous case of marching cubes: closed, consistent, between the cells."""
    noise = np.random.default_rng(3).normal(size=(14, 14, 14))
    grid = {
        "normal": noise,
        "0 and 1": (noise > 0.5) * 1.0,  # the empty cells are exactly at the iso value
        "-1 and 1": np.sign(noise),  # every ambiguous face is a tie
        "whole numbers": np.round(noise),
        "one outlier": np.where(np.arange(14) == 7, 1e3, noise),
    }[values]
    vertices, faces = dense.extract(grid, True, 0, fill)
    mesh = mesh_of(vertices, faces)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert mesh.area_faces.min() > 0
    line = (np.arange(14) + 0.5) / 14 - 0.5
    centres = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    inside = igl.fast_winding_number(vertices, faces, centres).reshape(grid.shape) > 0.5
    assert inside[grid > 0].all()
    if not fill:
        assert not inside[grid <= 0].any()


def test_fill_leaves_one_outer_wall_where_it_was():
    """A thick shell around the arms, with a second body afloat in its cavity."""
    field = sdf_field()
    shell = 0.03 - abs(field.grid())
    shell[R // 2 - 1, R // 2 - 1, R // 2 - 1] = 0.01  # an island in the middle
    hollow = dense.extract(shell, True, 0)
    filled = dense.extract(shell, True, 0, fill=True)
    assert mesh_of(*hollow).body_count == 3
    assert mesh_of(*filled).body_count == 1
    outer, _ = dense.extract(field.grid(), False, 0.03)
    np.testing.assert_allclose(filled[0], outer, atol=1e-5)
    with_hole = shell.copy()
    with_hole[R // 2, R // 2, R // 2 :] = -1  # a duct to the outside: no cavity any more
    np.testing.assert_array_equal(dense.extract(with_hole, True, 0, fill=True)[0], dense.extract(with_hole, True, 0)[0])


@pytest.mark.parametrize("grid, positive, word", [
    (np.full((4, 4, 4), -1.5), True, "field is empty: min -1.5, max -1.5, iso value 0"),
    (np.full((4, 4, 4), 2.0), False, "field is empty: min 2, max 2, iso value 0"),
    (np.full((4, 4, 4), 2.0), True, "field is full"),
    (np.full((4, 4, 4), np.nan), True, "finite"),
])  # fmt: skip
def test_fields_without_surface_are_named(grid, positive, word):
    with pytest.raises(UserError, match=word):
        dense.extract(grid, positive, 0)


def test_colours_reproduce_a_linear_ramp():
    field = sdf_field()
    vertices, _ = dense.extract(field.grid(), False, 0)
    colours = field_grid.interpolate_colours(vertices, field)
    assert abs(colours - (vertices + 0.5)).max() < 1.5 / R  # coloured cells lie on one side of the surface only
    cells = field.points(field.coloured())
    np.testing.assert_allclose(field_grid.interpolate_colours(cells, field), cells + 0.5, atol=1e-4)


def test_colours_come_from_coloured_cells_only():
    field = sdf_field()
    field.colours[field.coloured()] = [0.25, 0.5, 1]
    far = np.array([[-0.5, -0.5, -0.5], [0.3, 0.01, 0.02], [3, 3, 3]])
    np.testing.assert_allclose(field_grid.interpolate_colours(far, field), [[0.25, 0.5, 1]] * 3, atol=1e-6)
    field.colours[:] = -1
    with pytest.raises(UserError, match="no coloured points"):
        field_grid.interpolate_colours(far, field)
    field.colours[5] = 0.5  # fewer coloured cells than neighbours
    np.testing.assert_allclose(field_grid.interpolate_colours(far, field), 0.5)


def reload(path):
    (mesh,) = trimesh.load_scene(path, process=False).geometry.values()
    if path.suffix == ".glb":
        return mesh, mesh.visual.vertex_attributes["color"][:, :3]
    return mesh, mesh.visual.vertex_colors[:, :3] / 255


@pytest.mark.parametrize("suffix", [".ply", ".glb", ".obj"])
def test_mesh_files_come_back(tmp_path, suffix):
    vertices, faces = dense.extract(sdf_field(24).grid(), False, 0)
    colours = np.random.default_rng(0).random((len(vertices), 3))
    path = tmp_path / f"mesh{suffix}"
    writers.write_mesh(path, vertices, faces, colours)
    mesh, written = reload(path)
    np.testing.assert_allclose(mesh.vertices, vertices, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, faces)
    assert mesh.volume > 0
    np.testing.assert_allclose(written, linear_light(colours) if suffix == ".glb" else colours, atol=0.51 / 255)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_glb_has_what_viewers_need(tmp_path):
    """COLOR_0 in linear light as glTF defines it, normals, a white material that is no metal."""
    vertices, faces = dense.extract(sdf_field(16).grid(), False, 0)
    colours = np.random.default_rng(0).random((len(vertices), 3))
    writers.write_mesh(tmp_path / "m.glb", vertices, faces, colours)
    data = (tmp_path / "m.glb").read_bytes()
    header = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    primitive = header["meshes"][0]["primitives"][0]
    assert {"POSITION", "NORMAL", "COLOR_0"} == set(primitive["attributes"])
    accessor = header["accessors"][primitive["attributes"]["COLOR_0"]]
    assert (accessor["componentType"], accessor["type"]) == (5126, "VEC3")
    pbr = header["materials"][primitive["material"]]["pbrMetallicRoughness"]
    assert pbr["baseColorFactor"] == [1, 1, 1, 1]
    assert pbr["metallicFactor"] == 0
    np.testing.assert_allclose(load_mesh(tmp_path / "m.glb").colours[:, :3], colours, atol=1e-5)


def test_linear_light_known_values():
    np.testing.assert_allclose(linear_light(np.array([0, 0.04045, 0.5, 1])), [0, 0.0031308, 0.2140411, 1], atol=1e-6)


def test_points_file(tmp_path):
    rng = np.random.default_rng(0)
    points, colours = rng.normal(size=(50, 3)), rng.random((50, 3))
    writers.write_points(tmp_path / "p.obj", points, colours)
    rows = [line.split() for line in (tmp_path / "p.obj").read_text().splitlines()]
    assert {row[0] for row in rows} == {"v"}
    np.testing.assert_allclose(
        np.array([row[1:] for row in rows], float), np.column_stack([points, colours]), atol=1e-4
    )


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UserError, match=".ply .glb .obj"):
        writers.write_mesh(tmp_path / "m.stl", np.zeros((3, 3)), np.array([[0, 1, 2]]), np.zeros((3, 3)))
    with pytest.raises(UserError, match=".obj"):
        writers.write_points(tmp_path / "m.ply", np.zeros((3, 3)), np.zeros((3, 3)))


@pytest.mark.parametrize("mode", ["sdf", "binary"])
def test_to_mesh_command(tmp_path, capsys, mode):
    """The mode is inferred from the file; the mesh has the place and the colours of the solid."""
    field = sdf_field(32)
    if mode == "binary":
        field.geometry = -20 * field.geometry
    write_txt(tmp_path / "00_pred.txt", field)
    to_mesh.main([str(tmp_path / "00_pred.txt"), "--out", str(tmp_path / "m.ply")])
    output = capsys.readouterr().out
    assert f"mode {mode}, iso value 0" in output
    assert ", watertight" in output
    mesh, colours = reload(tmp_path / "m.ply")
    np.testing.assert_allclose(mesh.bounds, [[-0.1] * 3, [0.4, 0.3, 0.2]], atol=0.3 / 32)
    assert abs(colours - (mesh.vertices + 0.5)).max() < 1.6 / 32
    assert mesh.volume > 0
    to_mesh.main([str(tmp_path / "00_pred.txt"), "--out", str(tmp_path / "v.obj"), "--frame", "voxel"])
    np.testing.assert_allclose(reload(tmp_path / "v.obj")[0].vertices, frames.to_voxel(mesh.vertices), atol=1e-4)


def test_to_mesh_errors_name_file_and_remedy(tmp_path):
    field = sdf_field(16)
    path = str(tmp_path / "00_pred.txt")
    write_txt(path, field)
    with pytest.raises(UserError, match="00_pred.txt: field is empty: min .*, max .*, iso value -9"):
        to_mesh.main([path, "--out", str(tmp_path / "m.ply"), "--iso", "-9"])
    with pytest.raises(UserError, match="--iso"):
        to_mesh.main([path, "--out", str(tmp_path / "m.ply"), "--iso", "nan"])
    field.geometry = np.random.default_rng(0).normal(size=16**3).astype(np.float32)
    write_txt(path, field)
    with pytest.raises(UserError, match="--mode"):
        to_mesh.main([path, "--out", str(tmp_path / "m.ply")])
    assert not (tmp_path / "m.ply").exists()
    to_mesh.main([path, "--out", str(tmp_path / "m.ply"), "--mode", "binary"])
    assert (tmp_path / "m.ply").exists()
    field.colours[:] = -1
    write_txt(path, field)
    low, high = field.geometry.min(), field.geometry.max()
    with pytest.raises(UserError, match=f"field is empty: min {low:.6g}, max {high:.6g}, iso value 0"):
        to_mesh.main([path, "--out", str(tmp_path / "n.ply")])


def test_a_solid_contains_what_its_surface_encloses():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 3))
    distances = arms(points)
    clear = abs(distances) > 0.6 / R
    field = sdf_field()
    np.testing.assert_array_equal(dense.solid(field.grid(), False, 0).contains(points)[clear], (distances < 0)[clear])
    moved = dense.solid(field.grid(), False, 0.02).contains(points)
    clear = abs(distances - 0.02) > 0.6 / R
    np.testing.assert_array_equal(moved[clear], (distances < 0.02)[clear])
    stretched = dense.solid(field.grid(), False, 0, line=2 * field.line)  # the same field over a cube of twice the side
    np.testing.assert_array_equal(stretched.contains(2 * points), dense.solid(field.grid(), False, 0).contains(points))
    # a shell encloses its cavity when it is filled, and only then
    radius = np.linalg.norm(points, axis=1)
    shell = sdf_field(distance=lambda p: abs(np.linalg.norm(p, axis=1) - 0.35) - 0.05).grid()
    clear = (abs(radius - 0.3) > 0.6 / R) & (abs(radius - 0.4) > 0.6 / R)
    filled, hollow = (dense.solid(shell, False, 0, fill).contains(points) for fill in (True, False))
    np.testing.assert_array_equal(filled[clear], (radius < 0.4)[clear])
    np.testing.assert_array_equal(hollow[clear], ((radius < 0.4) & (radius > 0.3))[clear])
    assert not dense.solid(field.grid(), False, 0).contains([[0.6, 0, 0], [-2, 0, 0]]).any()  # outside of the grid
