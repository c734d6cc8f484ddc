"""What an evaluation keeps of every view: which rows count, and what is tried again."""

import json
import shutil

import pytest

from data.shards import Database
from models.inference.evaluated_views import ViewEvaluator, _finished_rows
from models.inference.evaluation_folder import EvaluationFolder
from models.inference.field_query import FieldQuery
from tests.helpers import tiny
from utils.engines import HERE
from utils.errors import UserError
from utils.metrics.summary import summarise

ROW = {"category": "box", "object_id": "a", "view": "00", "iou": 0.5, "failed": None, "no_mesh": None}


@pytest.fixture
def query(eagerly):
    network = tiny.field_network(True)
    tiny.make_octahedron(network, 0.5)
    return FieldQuery(network)


def evaluate(query, database, folder, names, mesh_resolution=None):
    """Rows of two views of an object."""
    database = Database(database)
    evaluator = ViewEvaluator(None, query, database, EvaluationFolder(folder), names, 0.0, 16, mesh_resolution)
    entry = database.objects("test", "box")[0]
    return evaluator.rows([(entry, 0), (entry, 1)], HERE)


def test_a_view_that_could_not_be_read_is_tried_again(query, tiny_database, tmp_path):
    database = shutil.copytree(tiny_database, tmp_path / "db")
    shard = database / "box_test_000.h5"
    tiny.damage_view(shard, 1)
    first = evaluate(query, database, tmp_path, ["psnr"])
    assert [bool(row["failed"]) for row in first] == [False, True] and first[1]["psnr"] == 0
    with open(tmp_path / "rows.jsonl", "a") as log:  # as an earlier version kept it
        log.write(json.dumps(first[1]) + "\n")
    assert evaluate(query, database, tmp_path, ["psnr"]) == first
    shutil.copy(tiny_database / shard.name, shard)
    again = evaluate(query, database, tmp_path, ["psnr"])
    assert again[0] == first[0] and again[1]["failed"] is None and again[1]["psnr"] > 0
    assert len(_finished_rows(tmp_path / "rows.jsonl")) == 2


def test_another_mesh_resolution_is_another_mesh(query, tiny_database, tmp_path):
    """A mesh that is too coarse says nothing of finer ones, nor of the surface that is measured."""
    meshes = tmp_path / "predictions" / "box" / "box_test0"
    coarse = evaluate(query, tiny_database, tmp_path, ["volume_iou"], 2)
    assert all(row["mesh_failed"] and row["volume_iou"] > 0 for row in coarse)
    assert summarise(coarse, ["volume_iou"])["without_surface"] == 0
    assert evaluate(query, tiny_database, tmp_path, ["volume_iou"], 2) == coarse and not list(meshes.glob("*_mesh.obj"))
    fine = evaluate(query, tiny_database, tmp_path, ["volume_iou"], 16)
    assert all(row["mesh_failed"] is None for row in fine) and len(list(meshes.glob("*_mesh.obj"))) == 2


@pytest.mark.parametrize("cut", ["", '{"category": "bo'])
def test_finished_rows_are_never_written_over(cut, tmp_path):
    """Not even for a moment: a kill or a full disk would lose them."""
    path = tmp_path / "rows.jsonl"
    rows = "".join(json.dumps({**ROW, "view": f"{view:02d}"}) + "\n" for view in range(3))
    path.write_text(rows + cut)
    written = path.stat().st_mtime_ns
    with open(path) as before:
        assert len(_finished_rows(path)) == 3
        assert before.read() == rows + cut and path.read_text() == rows
        assert cut or path.stat().st_mtime_ns == written


def test_an_image_with_several_rows_is_done_once(tmp_path, capsys):
    """Metrics that were added later have left a row of their own."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({**ROW, "psnr": value}) + "\n" for value in (1.0, 2.0)))
    assert [row["psnr"] for row in _finished_rows(path).values()] == [2.0]
    assert capsys.readouterr().out == "1 images are done already\n"


@pytest.mark.parametrize("value", ["NaN", "1e999", "-Infinity", "true", '"x"'])
def test_values_that_are_no_finite_numbers_are_named(value, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW).replace("0.5", value) + "\n")
    with pytest.raises(UserError, match=r"rows.jsonl is damaged \(line 1: iou is not a finite number"):
        _finished_rows(path)
