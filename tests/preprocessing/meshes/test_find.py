"""The meshes of a folder: both layouts, and two meshes of one object."""

import pytest

from preprocessing.meshes.find import find_meshes
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
    (tmp_path / "m/chair/a.obj").touch()
    with pytest.raises(UserError, match="a.glb and .*a.obj would both become chair/a"):
        find_meshes(tmp_path / "m")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"<category>/<object>"):
            find_meshes(folder)
