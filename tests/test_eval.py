"""Evaluation end to end on a tiny run, and what it refuses."""

import importlib
import json

import cv2
import numpy as np
import pytest
import trimesh

from models.network import build
from models.pictures import validation_picture
from tests import tiny
from utils.cli import UserError
from utils.run import Run, save_checkpoint
from utils.txt_field import read_txt

evaluation = importlib.import_module("eval.eval")


def make_octahedron(network, radius):
    """Weights that make the geometry that of the octahedron |x| + |y| + |z| < radius of the cube [-1, 1], whatever the image."""

    def put(layer, block):
        kernel = np.zeros(layer.kernel.shape, np.float32)
        kernel[: len(block), : len(block[0])] = block
        layer.kernel.assign(kernel)
        if layer.use_bias:
            layer.bias.assign(np.zeros(layer.bias.shape))

    stream, identity = network.global_stream, np.eye(6)
    (first, _), (second, _) = stream.fold1
    put(first, np.hstack([np.eye(3), -np.eye(3)]))  # the ReLU leaves |x|, |y|, |z| in two parts each
    for layer in (second, stream.geometry_point, stream.geometry_hidden):
        put(layer, identity)
    put(stream.geometry_features[0], [[0]])
    for layer in (stream.geometry_out, network.local_stream.geometry_out):
        put(layer, [[0]])
    sign = np.array([1, -1]) if network.config.binary else np.array([1])  # outside: class 0, positive distance
    stream.geometry_out.kernel.assign(
        np.vstack([np.repeat(sign[None], 6, 0), np.zeros((stream.geometry_out.kernel.shape[0] - 6, len(sign)))])
    )
    stream.geometry_out.bias.assign(-radius * sign)


def make_run(folder, database, binary, radius=1.0):
    config = tiny.config(binary, db=str(database))
    network = build(config)
    make_octahedron(network, radius)
    run = Run(folder)
    config.save(run.config)
    save_checkpoint(run.best, {"network": network.variables}, {"step": 7})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_evaluation_writes_what_it_says_and_goes_on_where_it_stopped(binary, tiny_database, tmp_path, capsys):
    run = make_run(tmp_path / "run", tiny_database, binary)
    command = ["--restore_model", str(run), "--views", "0,2", "--limit", "1", "--sdf_res", "16", "--create_obj", "--iso", "auto"]
    command += ["--figure_objects", "1"]
    evaluation.main(command)
    out = run / "eval_test"
    result = json.loads((out / "results.json").read_text())
    level = json.loads((run / "level.json").read_text())
    assert result["iso"] == level["iso"] and max(level["levels"].values()) == level["iou"] and result["step"] == 7
    assert set(result["results"]) == {"prediction", "mean shape", "retrieval"}
    rows = result["images"]["prediction"]
    assert [(row["category"], row["view"]) for row in rows] == [("box", "00"), ("box", "02"), ("crate", "00"), ("crate", "02")]
    for name in ("iou", "psnr"):
        expected = np.mean([row[name] for row in rows])
        assert np.isclose(result["results"]["prediction"][name]["mean"], expected) and name in result["definitions"]
    for row in rows:
        folder = out / "predictions" / row["category"] / row["object_id"]
        field = read_txt(folder / f"{row['view']}_pred.txt")
        assert field.resolution == 16 and len(field.geometry) == 16**3
        inside = field.geometry > level["iso"] if binary else field.geometry < level["iso"]
        np.testing.assert_array_equal(inside, field.coloured())
        assert (folder / f"{row['view']}_pred.obj").exists()
        assert row["failed"] is None and row["no_mesh"] is None
        vertices = trimesh.load(folder / f"{row['view']}_mesh.obj").vertices
        vertices = vertices[np.abs(vertices).max(1) < 0.46]  # the rest is where the cube cuts the octahedron off
        radius = (1.0 - level["iso"] / 2) / 2 if binary else (1.0 + 2 * 10 * level["iso"]) / 2
        np.testing.assert_allclose(np.abs(vertices).sum(1), radius, atol=0.03)
    assert cv2.imread(str(out / "figure.png")).std() > 5
    assert "retrieval" in capsys.readouterr().out

    lines = (out / "rows.jsonl").read_text().splitlines(keepends=True)
    (out / "rows.jsonl").write_text("".join(lines[:2]) + lines[2][:20])  # killed while writing the third
    stamp = (out / "predictions" / "box" / rows[0]["object_id"] / "00_pred.txt").stat().st_mtime_ns
    evaluation.main(command)
    assert "2 images are done already" in capsys.readouterr().out
    again = json.loads((out / "results.json").read_text())["images"]["prediction"]
    for old, new in zip(rows, again, strict=True):  # two of them were evaluated again, which is equal up to rounding
        assert new == {**old, "iou": pytest.approx(old["iou"]), "psnr": pytest.approx(old["psnr"], abs=1e-3)}
    assert (out / "predictions" / "box" / rows[0]["object_id"] / "00_pred.txt").stat().st_mtime_ns == stamp
    (out / "predictions" / "box" / rows[0]["object_id"] / "00_pred.txt").unlink()  # what is missing is made again
    evaluation.main(command)
    assert (out / "predictions" / "box" / rows[0]["object_id"] / "00_pred.txt").exists()
    with pytest.raises(UserError, match="other settings .*sdf_res"):
        evaluation.main([*command, "--sdf_res", "17"])


@pytest.mark.slow
def test_a_field_without_an_empty_cell_has_voxels_and_no_mesh(tiny_database, tmp_path, capsys):
    run = make_run(tmp_path / "run", tiny_database, True, 100.0)
    command = ["--restore_model", str(run), "--views", "0", "--limit", "1", "--sdf_res", "8", "--create_obj", "--figure_objects", "0"]
    evaluation.main(command)
    rows = json.loads((run / "eval_test" / "results.json").read_text())["images"]["prediction"]
    assert len(rows) == 2 and all(row["failed"] is None and row["no_mesh"] for row in rows)
    evaluation.main(command)
    assert "2 images are done already" in capsys.readouterr().out
    assert json.loads((run / "eval_test" / "results.json").read_text())["images"]["prediction"] == rows  # none evaluated again


@pytest.mark.slow
def test_an_empty_field_counts_as_a_failure(tiny_database, tmp_path):
    run = make_run(tmp_path / "run", tiny_database, True, -100.0)
    evaluation.main(["--restore_model", str(run), "--views", "0", "--limit", "1", "--sdf_res", "8", "--log_dir", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "results.json").read_text())["results"]["prediction"]
    assert result["failed"] == result["images"] == 2 and result["iou"]["mean"] == result["psnr"]["mean"] == 0
    assert "field is empty: min" in result["failures"][0]["failed"] and "level 0" in result["failures"][0]["failed"]


def test_a_picture_of_the_validation(tiny_database):
    from data.shards import Database

    database = Database(tiny_database)
    picture = validation_picture(build(tiny.config()), database, database.objects("val"))
    assert picture.shape == (4 * tiny.SIZE, 3 * tiny.SIZE, 3) and picture.min() >= 0 and picture.max() <= 1
    truth = picture[: tiny.SIZE, 2 * tiny.SIZE :]
    assert 0.02 < (truth.min(-1) < 1).mean() < 0.9  # an object on a white ground


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--views", "0,x"], "--views 0,x"),
        (["--views", "0,0"], "each index once"),
        (["--iso", "high"], "--iso high"),
        (["--sdf_res", "1"], "--sdf_res 1"),
        (["--limit", "0"], "--limit 0"),
        ([], "no such folder"),
    ],
)
def test_wrong_flags_are_named(flags, message, tmp_path):
    with pytest.raises(UserError, match=message):
        evaluation.main(["--restore_model", str(tmp_path / "none"), *flags])


def test_views_and_categories_that_are_not_there(tiny_database, tmp_path):
    run = make_run(tmp_path / "run", tiny_database, True)
    with pytest.raises(UserError, match="has 3 views, there is no view 5"):
        evaluation.main(["--restore_model", str(run), "--views", "5"])
    with pytest.raises(UserError, match="no category 'boat'; known: all, box, crate"):
        evaluation.main(["--restore_model", str(run), "--category", "boat"])
    Run(run).best.unlink()
    with pytest.raises(UserError, match="no checkpoint yet"):
        evaluation.main(["--restore_model", str(run)])
