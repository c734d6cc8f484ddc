"""check_meshes: what it finds in meshes with each kind of defect, its files and exit code."""

import json
import os

import cv2
import numpy as np
import pytest
import trimesh

from preprocessing import check_meshes
from preprocessing.meshes.find import MeshFile
from preprocessing.survey.measure import Findings, Task, inside_share, measure
from preprocessing.survey.table import write_table
from utils.errors import PartialFailure, UserError
from utils.mesh.mesh import coloured_mesh


def look(path, pictured=False):
    return measure(Task(MeshFile("box", path.stem, path), pictured, 30, 20))


def coloured(mesh):
    mesh.visual.vertex_colors = np.tile(np.array([[200, 30, 20, 255]], np.uint8), (len(mesh.vertices), 1))
    return mesh


def test_whole_and_open_boxes(tmp_path):
    box = coloured(trimesh.creation.box((1, 2, 4)))
    box.export(tmp_path / "whole.ply")
    found, picture = look(tmp_path / "whole.ply", True)
    assert (found.faces, found.parts, found.closed, found.warnings, found.error) == (12, 1, True, [], "")
    assert found.inside > 0.99
    assert np.allclose(found.size, (1, 2, 4))
    red = (picture.astype(int) @ [1, -1, 0]) > 40
    assert 0.05 < red.mean() < 0.9
    box.update_faces(np.arange(12) > 1)
    box.export(tmp_path / "open.ply")
    found, picture = look(tmp_path / "open.ply")
    assert (found.faces, found.closed, picture) == (10, False, None)


def test_parts_and_colours(tmp_path):
    parts = [trimesh.creation.icosphere(radius=0.4).apply_translation([k, 0, 0]) for k in range(3)]
    trimesh.util.concatenate(parts).export(tmp_path / "three.obj", include_normals=False, include_color=False)
    found, _ = look(tmp_path / "three.obj")
    assert found.parts == 3
    assert found.closed
    assert found.warnings == ["it has no colours"]


def test_missing_texture_and_broken_file(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_Kd none.png\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    )
    found, _ = look(tmp_path / "a.obj")
    assert (found.textures, found.missing) == (0, 1)
    assert any("none.png" in warning for warning in found.warnings)
    assert "nothing is inside it" in found.warnings
    (tmp_path / "broken.glb").write_bytes(b"no mesh")
    found, picture = look(tmp_path / "broken.glb", True)
    assert "broken.glb" in found.error
    assert picture is None


def test_inside_share_of_a_ball():
    ball = trimesh.creation.icosphere(subdivisions=4)
    mesh = coloured_mesh(ball.vertices, ball.faces, np.ones((len(ball.vertices), 3)))
    assert inside_share(mesh) == pytest.approx(np.pi / 6, abs=0.01)


def test_the_table_holds_names_that_are_not_utf8(tmp_path):
    write_table(tmp_path, [Findings("box", os.fsdecode(b"st\xfchl"), "a.ply")])
    assert "st\\udcfchl" in (tmp_path / "meshes.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("flag", ["--pictures", "--azimuth", "--elevation"])
def test_a_flag_of_the_pictures_needs_a_folder_for_them(flag, tmp_path):
    with pytest.raises(UserError, match=f"{flag} would do nothing: the pictures need --out"):
        check_meshes.main([str(tmp_path), flag, "3"])


def test_command(tmp_path, capsys, rendered_here):
    folder = tmp_path / "meshes/box"
    folder.mkdir(parents=True)
    for number in range(3):
        coloured(trimesh.creation.box()).export(folder / f"{number}.ply")
    out = tmp_path / "report"
    check_meshes.main([str(tmp_path / "meshes"), "--out", str(out), "--pictures", "2"])
    (folder / "bad.off").write_text("no mesh")
    with pytest.raises(PartialFailure, match="1 of 4"):
        check_meshes.main([str(tmp_path / "meshes"), "--out", str(out), "--pictures", "2"])
    assert sum("bad.off" in line for line in capsys.readouterr().out.splitlines()) == 1
    rows = json.loads((out / "meshes.json").read_text())
    assert [bool(row["error"]) for row in rows] == [False, False, False, True]
    assert len((out / "meshes.csv").read_text().splitlines()) == 5
    assert cv2.imread(str(out / "sheet_box.png")) is not None
