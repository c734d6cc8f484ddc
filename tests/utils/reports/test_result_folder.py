"""The files of a reconstruction: formats, units, and what is left of an earlier one."""

import dataclasses
import errno
import json

import numpy as np
import pytest
import trimesh

from utils.errors import StorageError
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import RaySurface
from utils.reports import result_folder
from utils.reports.mesh_format import MeshFormat
from utils.reports.reconstruction import Reconstruction
from utils.reports.result_folder import write_results
from utils.stages import Stages

FILES = {"input.png", "camera.txt", "overlay.png", "turntable.png", "turntable.gif", "results.json"}


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
    surface = RaySurface(octahedron.vertices, octahedron.faces)
    photo_colours = PhotoColours(rgba, octahedron.photo_camera, surface)
    colours = photo_colours.of_vertices(octahedron.field_colours)
    of_photo = dataclasses.replace(octahedron, photo=rgba[..., :3], photo_colours=photo_colours, colours=colours)
    line = write_results(tmp_path, of_photo, Stages(), mesh_format, {})
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
    for owner, broken in ((result_folder, "write_json"), (result_folder, "turntable"), (Reconstruction, "write")):
        with monkeypatch.context() as patched, pytest.raises(StorageError):
            patched.setattr(owner, broken, full)
            write_results(tmp_path, octahedron, Stages(), MeshFormat("ply"), {"turn": 2})
        assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def full(*_):
    raise OSError(errno.ENOSPC, "full")
