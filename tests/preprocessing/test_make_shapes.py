"""The command that writes procedural objects: the same files in any order, stopped runs, flags."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import trimesh

from preprocessing import make_shapes
from utils.errors import UserError

CATEGORIES = ("airplane", "car", "chair", "guitar", "table")


def run(out, *flags):
    make_shapes.main(["--out", str(out), "--jobs", "1", *flags])
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.glob("*/*"))}


def test_files_depend_on_seed_category_and_number_alone(tmp_path):
    few = run(tmp_path / "few", "--per_category", "1", "--seed", "4")
    many = run(
        tmp_path / "many",
        "--per_category",
        "3",
        "--seed",
        "4",
        "--categories",
        "guitar,chair,car,table,airplane",
        "--jobs",
        "2",
    )
    other = run(tmp_path / "other", "--per_category", "1", "--seed", "5", "--categories", "car,chair")
    assert sorted(few) == [f"{name}/{name}_0000.glb" for name in CATEGORIES]
    assert len(many) == 15 and all(many[name] == data for name, data in few.items())
    assert all(few[name] != data for name, data in other.items())
    assert len(set(many.values())) == 15
    for data in many.values():
        assert len(data) < 150_000
        loaded = trimesh.load(io.BytesIO(data), file_type="glb")
        for mesh in loaded.geometry.values():
            image = mesh.visual.material.baseColorTexture
            assert image.mode == "RGB" and image.size[0] >= 64
            assert mesh.visual.uv.min() >= 0 and mesh.visual.uv.max() <= 1
            assert np.isfinite(mesh.vertex_normals).all()


def test_a_stopped_run_resumes_and_keeps_existing_files(tmp_path):
    whole = run(tmp_path / "a", "--per_category", "2", "--categories", "table")
    kept, lost = tmp_path / "a" / "table" / "table_0000.glb", tmp_path / "a" / "table" / "table_0001.glb"
    kept.write_bytes(b"mine")
    lost.unlink()
    assert run(tmp_path / "a", "--per_category", "2", "--categories", "table") == {
        **whole,
        "table/table_0000.glb": b"mine",
    }
    assert json.loads((tmp_path / "a" / "shapes.json").read_text()) == {"seed": 0}


@pytest.mark.parametrize(
    "flags, part",
    [
        (["--categories", "car,boat"], "boat"),
        (["--per_category", "0"], "per_category"),
        (["--jobs", "0"], "jobs"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_wrong_settings_are_named_and_nothing_is_written(tmp_path, flags, part):
    with pytest.raises(UserError, match=part) as error:
        make_shapes.main(["--out", str(tmp_path / "out"), *flags])
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "meshes"):
        with pytest.raises(UserError, match=f"output folder {out}: {tmp_path}/file is a file, not a folder"):
            make_shapes.main(["--out", str(out), "--per_category", "1"])
    make_shapes.main(["--out", str(tmp_path / "out"), "--per_category", "1", "--categories", "table", "--jobs", "1"])
    with pytest.raises(UserError, match="seed 1"):
        make_shapes.main(["--out", str(tmp_path / "out"), "--per_category", "1", "--seed", "1"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["shapes.json", "table"]


def perish(out, seed, job):
    """Ends its process."""
    os._exit(9)


def test_a_process_that_dies_ends_the_run_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(make_shapes, "write", perish)
    with pytest.raises(UserError, match="a process that wrote objects died"):
        make_shapes.main(["--out", str(tmp_path), "--per_category", "1", "--jobs", "2"])


def assert_group_ends(group):
    """All processes of the group end within ten seconds."""
    stop = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < stop:
            os.killpg(group, 0)
            time.sleep(0.05)


@pytest.mark.slow
def test_an_interrupt_ends_all_processes_without_a_traceback(tmp_path):
    command = [sys.executable, make_shapes.__file__, "--out", str(tmp_path), "--per_category", "500", "--jobs", "2"]
    # a test in the background of a shell ignores interrupts, and so would this process
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
    )  # fmt: skip
    while not any(tmp_path.glob("*/*.glb")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to the parent and to its workers
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors and "interrupted" in errors
    assert_group_ends(process.pid)


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed_and_the_next_run_clears_up(tmp_path):
    command = [sys.executable, make_shapes.__file__, "--out", str(tmp_path), "--per_category", "500", "--jobs", "2"]
    command += ["--categories", "car"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while not any(tmp_path.glob("*/*.glb")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert_group_ends(process.pid)
    assert len(list(tmp_path.glob("*/car_*.glb"))) < 500
    stale = tmp_path / "car" / ".car_0001.17.texdisn-tmp.glb"
    stale.touch()
    run(tmp_path, "--per_category", "1", "--categories", "car")
    assert not stale.exists()
