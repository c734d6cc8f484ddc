"""The meshes of a folder: both layouts, and two meshes of one object."""

import pytest

from preprocessing.meshes.find import find_meshes
from preprocessing.meshes.load import load_mesh
from utils.errors import UserError


def test_meshes_are_found_in_both_layouts(tmp_path):
    for place in (
        "chair/a.glb",
        "03001627/1a2b/models/model_normalized.obj",
        "03001627/1a2b/models/other.obj",
        "car/old/model.obj",
        "car/notes.txt",
        "car/b.PLY",
        "car/.c.17.tmp.glb",
        "car/old/.model.obj",
        ".trash/d.glb",
        "car/.old/model.obj",
        "car/new/models/._a.obj",
    ):
        (tmp_path / "m" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / place).touch()
    meshes = find_meshes(tmp_path / "m")
    assert [(*key, path.relative_to(tmp_path / "m").as_posix()) for *key, path in meshes] == [
        ("03001627", "1a2b", "03001627/1a2b/models/model_normalized.obj"),
        ("car", "b", "car/b.PLY"),
        ("car", "old", "car/old/model.obj"),
        ("chair", "a", "chair/a.glb"),
    ]
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"<category>/<object>"):
            find_meshes(folder)


def test_links_are_followed_and_those_to_nothing_are_no_less_meshes(tmp_path):
    (tmp_path / "stored").mkdir()
    (tmp_path / "stored" / "x").touch()
    (tmp_path / "m" / "chair").mkdir(parents=True)
    for name, target in (("a.glb", "x"), ("b.glb", "gone"), ("c.txt", "gone")):
        (tmp_path / "m" / "chair" / name).symlink_to(tmp_path / "stored" / target)
    (tmp_path / "m" / "linked").symlink_to(tmp_path / "m" / "chair")
    names = [(category, name) for category, name, _ in find_meshes(tmp_path / "m")]
    assert names == [("chair", "a"), ("chair", "b"), ("linked", "a"), ("linked", "b")]
    with pytest.raises(UserError, match=r"b.glb is missing"):
        load_mesh(tmp_path / "m" / "chair" / "b.glb")


def test_meshes_of_one_name_are_all_kept(tmp_path, capsys):
    """Also where a file system may take two names for one, and where the number is a name."""
    places = ["chair/a.glb", "chair/a.obj", "chair/A.ply", "chair/a_2.glb", "table/a.glb", "chair/b/model.obj"]
    for place in [*places, "chair/b.stl"]:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    found = {
        path.relative_to(tmp_path).as_posix(): f"{category}/{name}" for category, name, path in find_meshes(tmp_path)
    }
    assert sorted(found) == sorted([*places, "chair/b.stl"])
    assert len({name.lower() for name in found.values()}) == len(found)
    assert found["chair/a_2.glb"] == "chair/a_2" and found["table/a.glb"] == "table/a"
    said = capsys.readouterr().out.splitlines()
    renamed = [place for place, name in found.items() if name != place.split(".")[0].removesuffix("/model")]
    assert len(said) == len(renamed) == 3 and all(any(place in line for line in said) for place in renamed)
