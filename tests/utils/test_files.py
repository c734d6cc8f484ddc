"""Files that are complete or absent, settings that differ, output folders that cannot be used."""

import hashlib
import os
import subprocess
import sys

import pytest

from utils import files
from utils.errors import UserError


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a" / "x.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ZeroDivisionError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert files.read_json(path) == {"a": 1} and list(path.parent.iterdir()) == [path]
    with files.replacing(path) as temporary:
        assert temporary.suffix == ".json"
        temporary.write_text("[]")
    assert files.read_json(path) == [] and list(path.parent.iterdir()) == [path]


def test_the_digest_of_a_file_follows_its_content(tmp_path):
    one, same, other = (tmp_path / name for name in ("one.h5", "same.h5", "other.h5"))
    for path, content in ((one, b"weights"), (same, b"weights"), (other, b"weightz")):
        path.write_bytes(content)
    assert files.file_digest(one) == files.file_digest(same) == hashlib.sha256(b"weights").hexdigest()
    assert files.file_digest(one) != files.file_digest(other)


def test_a_failed_folder_is_removed(tmp_path):
    folder = tmp_path / "a" / "result"
    with pytest.raises(ZeroDivisionError), files.replacing_folder(folder) as temporary:
        (temporary / "x").touch()
        raise ZeroDivisionError
    assert list(folder.parent.iterdir()) == []
    with files.replacing_folder(folder) as temporary:
        (temporary / "x").touch()
    assert list(folder.parent.iterdir()) == [folder] and (folder / "x").exists()


@pytest.mark.parametrize("write", [files.replacing, files.replacing_folder])
@pytest.mark.parametrize("inner", ["x.json", "new/x.json", "new/newer/x.json"])
def test_a_file_where_a_folder_should_be_is_named(write, inner, tmp_path):
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(UserError) as error, write(file / inner):
        raise AssertionError
    assert str(error.value) == f"{file / inner} cannot be written: {file} is a file, not a folder"
    assert file.read_text() == "kept" and list(tmp_path.iterdir()) == [file]


def test_a_folder_where_a_file_should_be_is_named_before_the_work(tmp_path):
    folder = tmp_path / "mesh.ply"
    folder.mkdir()
    with pytest.raises(UserError, match=r"mesh\.ply cannot be written: it is a folder"), files.replacing(folder):
        raise AssertionError
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(("write", "suffix"), [(files.replacing, ".json"), (files.replacing_folder, "")])
def test_what_killed_processes_left_of_the_same_result_is_removed(write, suffix, tmp_path):
    """Of other results, and of processes that live, nothing is."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "abandoned": f".a.{dead.pid}.texdisn-tmp{suffix}",
        "of the same id before a restart": f".a.{os.getpid()}.texdisn-tmp{suffix}",
        "of no process": f".a.{10**20}.texdisn-tmp{suffix}",
        "at work": f".a.{os.getppid()}.texdisn-tmp{suffix}",
        "of another result": f".b.{dead.pid}.texdisn-tmp{suffix}",
        "of another suffix": f".a.{dead.pid}.texdisn-tmp.obj",
    }
    for name in names.values():
        (tmp_path / name).mkdir() if write is files.replacing_folder else (tmp_path / name).touch()
    with write(tmp_path / f"a{suffix}") as temporary:
        (temporary / "x" if write is files.replacing_folder else temporary).touch()
    kept = ["at work", "of another result", "of another suffix"]
    assert {path.name for path in tmp_path.iterdir()} == {f"a{suffix}", *(names[name] for name in kept)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_json_in_any_encoding(encoding, tmp_path):
    (tmp_path / "x.json").write_bytes('{"stühle": ["chair/*"]}'.encode(encoding))
    assert files.read_json(tmp_path / "x.json") == {"stühle": ["chair/*"]}


def test_json_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match="x.json is missing"):
        files.read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UserError, match="x.json cannot be read as JSON"):
        files.read_json(tmp_path / "x.json")
    for content in ("{", "[]"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(UserError, match=r"x\.json .*; delete it$"):
            files.read_json_object(tmp_path / "x.json", "settings", "; delete it")


def test_differing_settings():
    assert files.differing_settings({"seed": 0, "views": 3}, {"views": 3, "seed": 0}) == []
    stored, wanted = {"seed": 0, "views": 3, "old": 1}, {"seed": 5, "views": 3, "new": [1, 2]}
    assert files.differing_settings(stored, wanted) == ["new None (now [1, 2])", "old 1 (now None)", "seed 0 (now 5)"]


def test_output_folders(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "a" / "b"):
        files.check_out(folder)
    for folder in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(UserError, match=f"output folder {folder}: {tmp_path}/file is a file, not a folder"):
            files.check_out(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("target", ["none", "link", "other/none"])
def test_a_folder_that_is_a_broken_link_is_named(target, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(target)
    message = f"{link} is a link to {target}, which is not there"
    for folder in (link, link / "a"):
        with pytest.raises(UserError, match=f"output folder {folder}: {message}"):
            files.check_out(folder)
        for write in (files.replacing, files.replacing_folder):
            with pytest.raises(UserError, match=f"{folder}/x cannot be written: {message}"), write(folder / "x"):
                pass
    assert list(tmp_path.iterdir()) == [link]
    (tmp_path / "there").mkdir()
    link.unlink()
    link.symlink_to("there")
    files.write_json(link / "a" / "x.json", 1)  # a link that leads somewhere is like its folder
    files.check_out(link)
    assert (tmp_path / "there" / "a" / "x.json").is_file() and link.is_symlink()
