"""Fewer faces: as many as asked, near the surface of before, closed where it was."""

import numpy as np
import pytest
import trimesh

from utils.errors import UserError
from utils.mesh import simplify
from utils.stages import stopped_by


def torus():
    mesh = trimesh.creation.torus(0.35, 0.12, 120, 80)
    return np.array(mesh.vertices), np.array(mesh.faces)


@pytest.mark.parametrize(("count", "lost"), [(2000, 0.03), (400, 0.08)])
def test_a_simplified_surface_is_closed_and_near_the_one_of_before(count, lost):
    vertices, faces = torus()
    points, triangles = simplify.merge_faces(vertices, faces, count)
    small = trimesh.Trimesh(points, triangles, process=False)
    assert len(triangles) <= count and small.is_watertight
    assert small.euler_number == 0  # still a torus
    ring = np.hypot(points[:, 0], points[:, 1]) - 0.35
    assert abs(np.hypot(ring, points[:, 2]) - 0.12).max() < 0.15 * 0.12
    assert small.volume == pytest.approx(2 * np.pi**2 * 0.35 * 0.12**2, rel=lost)


def test_a_mesh_with_no_more_faces_stays_as_it_is():
    vertices, faces = torus()
    points, triangles = simplify.merge_faces(vertices, faces, len(faces))
    assert points is vertices and triangles is faces


@pytest.mark.parametrize(("closed_from", "expected"), [(1000, 1200), (10**9, 19200)])
def test_more_faces_are_left_where_fewer_have_holes(closed_from, expected, monkeypatch):
    plain = simplify._decimate

    def torn(vertices, faces, count):
        points, triangles = plain(vertices, faces, count)
        return points, triangles if count >= closed_from else triangles[1:]

    monkeypatch.setattr(simplify, "_decimate", torn)
    vertices, faces = torus()
    points, triangles = simplify.merge_faces(vertices, faces, 400)
    assert trimesh.Trimesh(points, triangles, process=False).is_watertight
    assert len(triangles) == pytest.approx(expected, rel=0.02)


def test_large_meshes_are_simplified_alike_by_another_process(monkeypatch, capfd):
    vertices, faces = torus()
    here = simplify.merge_faces(vertices, faces, 2000)
    monkeypatch.setattr(simplify, "APART", 10_000)
    apart = simplify.merge_faces(vertices, faces, 2000)
    np.testing.assert_array_equal(apart[0], here[0])
    np.testing.assert_array_equal(apart[1], here[1])
    assert apart[1].dtype == np.int64 and capfd.readouterr() == ("", "")


def test_modules_of_the_working_directory_do_not_stand_before_ours(monkeypatch, tmp_path):
    (tmp_path / "utils.py").write_text("raise RuntimeError")
    (tmp_path / "numpy.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "more"))
    monkeypatch.setattr(simplify, "APART", 10_000)
    assert len(simplify.merge_faces(*torus(), 2000)[1]) <= 2000


def test_the_other_process_ends_where_the_job_is_to_end(monkeypatch):
    started, popen = [], simplify.subprocess.Popen
    monkeypatch.setattr(simplify.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[0])
    monkeypatch.setattr(simplify, "APART", 10_000)

    def stop_once_started():
        if started:
            assert started[0].poll() is None
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), stopped_by(stop_once_started):
        simplify.merge_faces(*torus(), 2000)
    assert started[0].poll() == -9


def test_the_death_of_the_other_process_is_an_error(monkeypatch):
    monkeypatch.setattr(simplify, "APART", 10_000)
    monkeypatch.setattr(simplify.sys, "executable", "false")
    with pytest.raises(UserError, match="merging 19200 faces ended with code 1"):
        simplify.merge_faces(*torus(), 2000)


def test_open_surfaces_are_simplified_too():
    vertices, faces = torus()
    assert len(simplify.merge_faces(vertices, faces[faces.max(1) < 6000], 500)[1]) <= 500


@pytest.mark.parametrize("turned", [1, -1])
def test_doubled_faces_that_cannot_be_merged_are_left(turned):
    vertices, faces = torus()
    doubled = np.concatenate([faces, faces[:, ::turned]])
    assert 400 < len(simplify.merge_faces(vertices, doubled, 400)[1]) <= len(doubled)


def test_counts_that_leave_no_shape_are_refused():
    simplify.check_count("faces", 0)
    simplify.check_count("faces", 100)
    with pytest.raises(UserError, match="faces 99: give 0"):
        simplify.check_count("faces", 99)
