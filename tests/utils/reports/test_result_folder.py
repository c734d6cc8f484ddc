"""The files of a reconstruction: formats, units, and what is left of an earlier one."""

import errno
import json
import types

import numpy as np
import pytest
import trimesh

from tests.helpers.gltf_pixels import Viewer
from utils.errors import StorageError
from utils.geometry.cameras import compose, intrinsics, look_at, project, resize_camera
from utils.rendering import turntable
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import RaySurface
from utils.reports import result_folder
from utils.reports.result_folder import UNWRAPPED, MeshFormat, write_result_mesh, write_results
from utils.stages import Stages

FILES = {"input.png", "camera.txt", "overlay.png", "turntable.png", "turntable.gif", "results.json"}


@pytest.fixture
def octahedron(monkeypatch):
    """A grey octahedron whose longest side is 1, as a Reconstruction."""
    monkeypatch.setattr(turntable, "SIZE", 32)
    hull = trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]) / 2)
    return types.SimpleNamespace(
        size=(48, 64),
        photo=np.zeros((24, 32, 3), np.uint8),
        mask=np.full((24, 32), 255, np.uint8),
        foreground="none",
        notes=["a note"],
        warnings=["a warning"],
        category={"name": "other_vehicle", "probability": 0.95},
        novelty={"distance": 1.25, "overlap": 0.5},
        seen=np.zeros((8, 8, 3), np.float32),
        camera=resize_camera(compose(intrinsics(32), look_at(40, 25, 2)), (24, 32), (48, 64)),
        photo_camera=compose(intrinsics(32), look_at(40, 25, 2)),
        camera_source="estimated",
        camera_choice={"support": 0.5, "other": {"azimuth": 220.0, "elevation": 25.0, "support": 0.4}},
        iso=0.25,
        iso_at_bound=True,
        vertices=hull.vertices,
        faces=hull.faces,
        extracted_faces=1000,
        colours=np.full(hull.vertices.shape, 0.5),
        field_colours=np.full(hull.vertices.shape, 0.5),
        photo_colours=None,
        normals=hull.vertex_normals,
        colour_of=lambda points: np.full((len(points), 3), 0.5),
    )


def test_files_and_results(octahedron, tmp_path):
    stages = Stages()
    line = write_results(tmp_path / "new", octahedron, stages, MeshFormat(), {"resolution": 32})
    assert {path.name for path in (tmp_path / "new").iterdir()} == {*FILES, "mesh.glb"}
    assert line.startswith(f"{tmp_path / 'new' / 'mesh.glb'} (8 faces, merged from 1000, closed, ")
    assert line.endswith("  warning: a warning\n  note: a note")
    assert (
        "mask 100 % of the image (none); camera azimuth 40, elevation 25, distance 2.00 (estimated, support 0.50)"
        in line
    )
    assert "iso value 0.25 (at its bound); category other vehicle (probability 0.95); distance to the known" in line
    assert "distance to the known images 1.25 of the limit; overlap" in line
    results = json.loads((tmp_path / "new" / "results.json").read_text())
    assert results["camera"]["azimuth"] == pytest.approx(40) and results["camera"]["distance"] == pytest.approx(2)
    assert {name: results["camera"][name] for name in ("support", "other")} == octahedron.camera_choice
    surface = {"vertices": 6, "faces": 8, "extracted_faces": 1000, "closed": True, "box": [[-0.5] * 3, [0.5] * 3]}
    assert results["surface"] == surface
    assert results["category"] == octahedron.category and results["novelty"] == octahedron.novelty
    assert results["warnings"] == ["a warning"]
    assert (results["iso"], results["resolution"], results["mesh"]) == (0.25, 32, "mesh.glb")
    assert results["foreground"] == {"source": "none", "share": 1.0} and set(results["seconds"]) == set(stages.seconds)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "new" / "camera.txt"), octahedron.camera, atol=1e-6)


@pytest.mark.parametrize("mesh_format", [MeshFormat(texture="vertex"), MeshFormat(size=64)])
def test_colours_of_the_photo_are_reported_beside_the_fields(mesh_format, octahedron, tmp_path):
    write_results(tmp_path, octahedron, Stages(), mesh_format, {})
    before = json.loads((tmp_path / "results.json").read_text())["colours"]
    rgba = np.dstack([octahedron.photo, octahedron.mask])
    rgba[..., 1] = 200
    octahedron.photo = rgba[..., :3]
    surface = RaySurface(octahedron.vertices, octahedron.faces)
    octahedron.photo_colours = PhotoColours(rgba, octahedron.photo_camera, surface)
    octahedron.colours = octahedron.photo_colours.of_vertices(octahedron.field_colours)
    line = write_results(tmp_path, octahedron, Stages(), mesh_format, {})
    entry = json.loads((tmp_path / "results.json").read_text())["colours"]
    assert before["source"] == "field" and set(before["psnr"]) == {"field"}
    assert entry["source"] == "photo" and set(entry["psnr"]) == {"field", "photo"}
    assert entry["psnr"]["photo"] > entry["psnr"]["field"] + 3
    assert f"like the image by {entry['psnr']['photo']:.1f} dB" in line


def test_an_earlier_result_is_replaced_and_units_are_those_of_the_mesh(octahedron, tmp_path):
    write_results(tmp_path, octahedron, Stages(), MeshFormat("obj", size=64), {})
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "mesh.obj", "mesh.mtl", "mesh_texture.png"}
    write_results(tmp_path, octahedron, Stages(), MeshFormat("ply", centre=(1, 2, 3), scale=0.1), {})
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "mesh.ply"}
    np.testing.assert_allclose(trimesh.load(tmp_path / "mesh.ply").bounds, [[-4, -3, -2], [6, 7, 8]], atol=1e-6)


def test_files_of_others_stay_and_so_does_an_earlier_result_when_writing_fails(octahedron, tmp_path, monkeypatch):
    theirs = {"mesh.blend": b"1", "mesh_notes.txt": b"2", "mesh.obj": b"3"}
    for name, content in theirs.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "mesh_parts").mkdir()
    write_results(tmp_path, octahedron, Stages(), MeshFormat(), {"turn": 1})
    assert all((tmp_path / name).read_bytes() == content for name, content in theirs.items())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for broken in ("write_json", "turntable", "write_result_mesh"):
        with monkeypatch.context() as patched, pytest.raises(StorageError):
            patched.setattr(result_folder, broken, full)
            write_results(tmp_path, octahedron, Stages(), MeshFormat("ply"), {"turn": 2})
        assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def full(*_):
    raise OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize("texture", ["vertex", "atlas"])
def test_a_viewer_shows_the_colours_of_the_photograph(texture, octahedron, tmp_path):
    """A slab from the front: dark, middle and bright colours, in COLOR_0 and in a texture."""
    slab = trimesh.creation.box((1, 0.8, 0.2)).subdivide_to_size(0.04)
    u, v = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 96))
    photo = np.rint(255 * np.stack([u, 0.02 + 0.3 * v, 0.9 - 0.8 * u * v], -1)).astype(np.uint8)
    octahedron.photo, octahedron.mask = photo, np.full(photo.shape[:2], 255, np.uint8)
    octahedron.vertices, octahedron.faces, octahedron.normals = slab.vertices, slab.faces, None
    octahedron.photo_camera = compose(intrinsics(96), look_at(0, 0, 1.6))
    octahedron.field_colours = np.full(slab.vertices.shape, 0.5)
    octahedron.colour_of = lambda points: np.full(points.shape, 0.5)
    surface = RaySurface(slab.vertices, slab.faces)
    octahedron.photo_colours = PhotoColours(np.dstack([photo, octahedron.mask]), octahedron.photo_camera, surface)
    octahedron.colours = octahedron.photo_colours.of_vertices(octahedron.field_colours)
    write_result_mesh(tmp_path / "mesh.glb", octahedron, MeshFormat(texture=texture, size=256))
    viewer = Viewer(tmp_path / "mesh.glb")
    for x in (-0.33, -0.1, 0.12, 0.31):
        for y in (-0.23, 0.02, 0.21):
            column, row = np.rint(project(np.array([[x, y, 0.1]]), octahedron.photo_camera)[0][0]).astype(int)
            assert abs(viewer.pixel(x, y) - photo[row, column]).max() <= 4, (x, y)


def test_textures_are_made_where_the_format_has_them_and_unwrapping_is_quick():
    assert MeshFormat("glb").is_textured(UNWRAPPED) and MeshFormat("obj").is_textured(8)
    assert not MeshFormat("glb").is_textured(UNWRAPPED + 1) and not MeshFormat("ply").is_textured(8)
    assert MeshFormat("glb", "atlas").is_textured(10**6) and not MeshFormat("obj", "vertex").is_textured(8)
