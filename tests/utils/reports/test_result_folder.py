"""The files of a reconstruction: formats, units, and what is left of an earlier one."""

import json
import types

import numpy as np
import pytest
import trimesh

from utils.geometry.cameras import compose, intrinsics, look_at
from utils.rendering import turntable
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import RaySurface
from utils.reports.result_folder import MeshFormat, write_results
from utils.stages import Stages

FILES = {"input.png", "camera.txt", "overlay.png", "turntable.png", "turntable.gif", "results.json"}


@pytest.fixture
def octahedron(monkeypatch):
    """A grey octahedron whose longest side is 1, as a Reconstruction."""
    monkeypatch.setattr(turntable, "SIZE", 32)
    hull = trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]) / 2)
    return types.SimpleNamespace(
        photo=np.zeros((24, 32, 3), np.uint8),
        mask=np.full((24, 32), 255, np.uint8),
        foreground="none",
        notes=["a note"],
        seen=np.zeros((8, 8, 3), np.float32),
        camera=compose(intrinsics(32), look_at(40, 25, 2)),
        camera_source="estimated",
        iso=0.25,
        vertices=hull.vertices,
        faces=hull.faces,
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
    assert line.startswith(f"{tmp_path / 'new' / 'mesh.glb'} (8 faces, closed, ") and line.endswith("  note: a note")
    results = json.loads((tmp_path / "new" / "results.json").read_text())
    assert results["camera"]["azimuth"] == pytest.approx(40) and results["camera"]["distance"] == pytest.approx(2)
    assert results["surface"] == {"vertices": 6, "faces": 8, "closed": True, "box": [[-0.5] * 3, [0.5] * 3]}
    assert (results["iso"], results["resolution"], results["mesh"]) == (0.25, 32, "mesh.glb")
    assert results["foreground"] == {"source": "none", "share": 1.0} and set(results["seconds"]) == set(stages.seconds)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "new" / "camera.txt"), octahedron.camera, atol=1e-6)


@pytest.mark.parametrize("mesh_format", [MeshFormat(), MeshFormat(texture_size=64)])
def test_colours_of_the_photo_are_reported_beside_the_fields(mesh_format, octahedron, tmp_path):
    write_results(tmp_path, octahedron, Stages(), mesh_format, {})
    before = json.loads((tmp_path / "results.json").read_text())["colours"]
    rgba = np.dstack([octahedron.photo, octahedron.mask])
    rgba[..., 1] = 200
    octahedron.photo = rgba[..., :3]
    octahedron.photo_colours = PhotoColours(rgba, octahedron.camera, RaySurface(octahedron.vertices, octahedron.faces))
    octahedron.colours = octahedron.photo_colours.of_vertices(octahedron.field_colours)
    line = write_results(tmp_path, octahedron, Stages(), mesh_format, {})
    entry = json.loads((tmp_path / "results.json").read_text())["colours"]
    assert before["source"] == "field" and set(before["psnr"]) == {"field"}
    assert entry["source"] == "photo" and set(entry["psnr"]) == {"field", "photo"}
    assert entry["psnr"]["photo"] > entry["psnr"]["field"] + 3
    assert f"like the image by {entry['psnr']['photo']:.1f} dB" in line


def test_an_earlier_result_is_replaced_and_units_are_those_of_the_mesh(octahedron, tmp_path):
    write_results(tmp_path, octahedron, Stages(), MeshFormat("obj", texture_size=64), {})
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "mesh.obj", "mesh.mtl", "mesh_texture.png"}
    write_results(tmp_path, octahedron, Stages(), MeshFormat("ply", centre=(1, 2, 3), scale=0.1), {})
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "mesh.ply"}
    np.testing.assert_allclose(trimesh.load(tmp_path / "mesh.ply").bounds, [[-4, -3, -2], [6, 7, 8]], atol=1e-6)
