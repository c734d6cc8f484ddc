"""query_points.py: the field at given points, in every frame, against the maths in NumPy."""

import os
import pathlib
import subprocess
import sys
import warnings

import cv2
import numpy as np
import pytest

from eval import query_points
from models.weights.tf1_conventions import DISN
from tests.helpers import tf1_models
from train import convert_checkpoint
from utils import cli, quiet
from utils.errors import UserError
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project, resize_camera

SIZE = tf1_models.IMAGE
ROOT = pathlib.Path(__file__).parents[2]


def camera():
    return compose(intrinsics(SIZE), look_at(30, 20, 2.0))


@pytest.fixture(params=["binary", "sdf"])
def case(request, tmp_path, eagerly):
    """A TF1 checkpoint, an image as the network takes it, object-frame points, and what to expect
    of them.
    """
    binary = request.param == "binary"
    w = tf1_models.values(tf1_models.shapes(binary=binary, colour=binary))
    prefix = tf1_models.save(tmp_path / "tf1" / "model.ckpt", w)
    rng = np.random.default_rng(0)
    image = rng.random((SIZE, SIZE, 3)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    points = rng.uniform(-0.5, 0.5, (20, 3))
    points[0] = [0, 0, 30]  # far behind the camera
    matrix, model_points = frames.cube_frame(binary).camera(camera()), frames.cube_frame(binary).to_model(points)
    uv, geometry, colour = tf1_models.forward(w, image, model_points, matrix, binary, binary)
    g0 = geometry[:, 1] - geometry[:, 0] if binary else (geometry[:, 0] / 10 + DISN["distance_offset"]) / 2
    expected = np.hstack([uv, geometry, g0[:, None]] + ([colour] if binary else []))
    return binary, prefix, tmp_path, points, expected


def query(prefix, folder, points, matrix, *words, image="image.npy"):
    """Run the command -> (names of the columns, table)."""
    np.savetxt(folder / "P.txt", points)
    np.savetxt(folder / "T.txt", matrix)
    files = {
        "--restore_model": prefix,
        "--image": folder / image,
        "--trans_mat": folder / "T.txt",
        "--points": folder / "P.txt",
    }
    files["--out"] = folder / "O.txt"
    exact = ["--precision", "float32"]  # whatever the machine is faster in
    query_points.main([*(str(word) for pair in files.items() for word in pair), *exact, *map(str, words)])
    names = (folder / "O.txt").read_text().splitlines()[0].removeprefix("# ").split()
    return names, np.loadtxt(folder / "O.txt", ndmin=2)


def test_every_frame_gives_the_same_and_what_numpy_gives(case):
    binary, prefix, folder, points, expected = case
    given = {"object": points, "voxel": frames.to_voxel(points), "model": frames.cube_frame(binary).to_model(points)}
    cameras = {"object": camera(), "model": frames.cube_frame(binary).camera(camera())}
    size = ["--img_h", SIZE, "--img_w", SIZE]
    geometry = ["logit0", "logit1"] if binary else ["output"]
    for frame, rows in given.items():
        for camera_frame, matrix in cameras.items():
            names, table = query(prefix, folder, rows, matrix, *size, "--frame", frame, "--camera_frame", camera_frame)
            assert names == [
                "x",
                "y",
                "z",
                "u",
                "v",
                "w",
                "in_image",
                *geometry,
                "g0",
                *(["r", "g", "b"] if binary else []),
            ]
            np.testing.assert_allclose(table[:, :3], rows, rtol=1e-6, atol=1e-6)
            found = np.delete(table, [0, 1, 2, names.index("w"), names.index("in_image")], 1)
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
            w, inside = table[:, names.index("w")], table[:, names.index("in_image")]
            exact, depth = project(points, camera())
            np.testing.assert_allclose(w, depth, rtol=1e-5)
            assert inside[0] == 0 and w[0] < 0
            np.testing.assert_array_equal(inside, ((exact >= 0) & (exact <= SIZE - 1)).all(1) & (depth > 0))
    names, plain = query(prefix, folder, given["model"], cameras["object"], *size)  # the defaults
    np.testing.assert_array_equal(plain, table)


def test_a_picture_is_rgb_and_moves_its_camera_when_it_is_resized(case):
    binary, prefix, folder, points, _ = case
    size = ["--img_h", SIZE, "--img_w", SIZE, "--frame", "object"]
    picture = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    cv2.imwrite(str(folder / "image.png"), picture[..., ::-1])
    own_order = picture if binary else picture[..., ::-1]  # DISN's weights take BGR
    np.save(folder / "same.npy", own_order.astype(np.float32) / 255)
    a, b = (query(prefix, folder, points, camera(), *size, image=image)[1] for image in ("image.png", "same.npy"))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    cv2.imwrite(
        str(folder / "large.png"), cv2.resize(picture[..., ::-1], None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    )
    larger = resize_camera(camera(), (SIZE, SIZE), (2 * SIZE, 2 * SIZE))
    c = query(prefix, folder, points, larger, *size, image="large.png")[1]
    np.testing.assert_allclose(a, c, rtol=1e-4, atol=1e-4)


def test_a_sphere_of_its_own(case):
    """--norm_params: the same model-frame points and camera, other object-frame lengths."""
    binary, prefix, folder, points, _ = case
    size = ["--img_h", SIZE, "--img_w", SIZE]
    if binary:
        with pytest.raises(UserError, match="--norm_params would do nothing"):
            query(prefix, folder, points, camera(), *size, "--norm_params", "0,0,0,1")
        return
    matrix = frames.cube_frame(False).camera(camera())
    names, a = query(prefix, folder, points, matrix, *size, "--camera_frame", "model")
    _, b = query(prefix, folder, points, matrix, *size, "--camera_frame", "model", "--norm_params", "0.1,0,0.05,0.25")
    g0 = names.index("g0")
    np.testing.assert_allclose(np.delete(a, g0, 1), np.delete(b, g0, 1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(a[:, g0], 2 * b[:, g0], rtol=1e-6)
    sphere = ["--camera_frame", "model", "--norm_params", "0.1,0,0.05,0.25", "--frame", "object"]
    _, c = query(prefix, folder, points * 0.25 + [0.1, 0, 0.05], matrix, *size, *sphere)
    np.testing.assert_allclose(b[:, 3:], c[:, 3:], rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="give cx,cy,cz,r"):
        query(prefix, folder, points, matrix, *size, "--norm_params", "1,2,3")


def test_an_empty_table_is_named_in_one_line(tmp_path):
    (tmp_path / "P.txt").write_text("")
    with warnings.catch_warnings(), pytest.raises(UserError, match="P.txt: a point has 3 finite numbers"):
        warnings.simplefilter("error")
        query_points.read_table(str(tmp_path / "P.txt"), 3, "a point")


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_the_line_of_a_point_that_is_not_finite_is_named(value, tmp_path):
    path = tmp_path / "P.txt"
    path.write_text(f"# x y z\n\n0 0 0\n\n1 {value} 0\n0 0 0\n")
    with pytest.raises(UserError, match=r"P\.txt, line 5: a value is not a finite number"):
        query_points.read_table(str(path), 3, "a point")


def test_mistakes_are_named_and_nothing_is_written(case):
    binary, prefix, folder, points, _ = case
    size = ["--img_h", SIZE, "--img_w", SIZE]
    with pytest.raises(
        UserError, match=r"image.npy is float32 \(40, 40, 3\); the network takes float \(138|image.npy.*\(137"
    ):
        query(prefix, folder, points, camera())
    with pytest.raises(UserError, match="T.txt: a camera is a 4x3 trans_mat, this file has 3 rows"):
        query(prefix, folder, points, camera()[:3], *size)
    with pytest.raises(UserError, match="P.txt: a point has 3 finite numbers"):
        query(prefix, folder, points[:, :2], camera(), *size)
    np.save(folder / "bytes.npy", 255 * np.ones((SIZE, SIZE, 3), np.float32))
    with pytest.raises(UserError, match=r"values outside \[0, 1\]"):
        query(prefix, folder, points, camera(), *size, image="bytes.npy")
    (folder / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="text.png is not an image"):
        query(prefix, folder, points, camera(), *size, image="text.png")
    if binary:
        with pytest.raises(UserError, match="pixels wide .*needs --camera_frame model"):
            query(prefix, folder, points, frames.cube_frame(True).camera(camera()), *size)
    assert not (folder / "O.txt").exists()


@pytest.mark.slow
def test_as_a_process_on_a_converted_run(tmp_path, monkeypatch, capsys):
    w = tf1_models.values(tf1_models.shapes())
    prefix = tf1_models.save(tmp_path / "tf1" / "model.ckpt", w)
    np.save(tmp_path / "i.npy", np.full((SIZE, SIZE, 3), 0.5, np.float32))
    np.savetxt(tmp_path / "T.txt", camera())
    np.savetxt(tmp_path / "P.txt", [[1.0, 2.0, 3.0]])
    inputs = [
        f"--{name}={tmp_path / file}"
        for name, file in {"image": "i.npy", "trans_mat": "T.txt", "points": "P.txt"}.items()
    ] + ["--precision=float32"]
    size = ["--img_h", SIZE, "--img_w", SIZE]
    convert_checkpoint.main([str(word) for word in [tmp_path / "tf1", "--out", tmp_path / "run", *size]])
    original = ["--restore_model", prefix, "--out", tmp_path / "a.txt", *inputs, *size]
    query_points.main([str(word) for word in original])
    converted = [str(word) for word in ["--restore_model", tmp_path / "run", "--out", tmp_path / "b.txt", *inputs]]
    command = [sys.executable, "eval/query_points.py", *converted]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    if not any(map(os.path.exists, quiet.DEVICES)):  # without a GPU, TensorFlow's start is silent
        assert result.stderr == ""
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text()
    monkeypatch.setattr(sys, "argv", [*command[1:], "--img_h=7"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as wrong:  # with the exit code 1 of the process
        cli.run(query_points.main)
    (message,) = capsys.readouterr().err.splitlines()
    assert wrong.value.code == 1 and message.startswith("error: ") and "carries its settings" in message
