"""An evaluation of a database that is damaged in part."""

import shutil
import types

import numpy as np
import pytest

from data.shards import Database
from models.inference.evaluation import Evaluation, Options
from models.weights.sources import open_model
from tests.helpers import tiny
from utils.rendering import figure


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [[0], [0, 1]])
def test_views_that_cannot_be_read_are_failures_and_do_not_end_it(
    damaged, tiny_database, tmp_path, monkeypatch, eagerly
):
    database = shutil.copytree(tiny_database, tmp_path / "db")
    for view in damaged:
        tiny.damage_view(database / "box_test_000.h5", view)
    known = types.SimpleNamespace(distance=lambda features: np.full(len(features), 0.5))
    monkeypatch.setattr("models.inference.evaluation.known_images", lambda _: known)
    monkeypatch.setattr(figure, "SIZE", 32)
    run, cameras = tiny.field_run(tmp_path / "run", database, True), tiny.camera_run(tmp_path / "cameras")
    options = Options(category="box", views=[0, 1], limit=1, resolution=8, camera_run=str(cameras))
    (tmp_path / "out").mkdir()
    found = Evaluation(open_model(run), Database(database), tmp_path / "out", options).run()
    failed = [view in damaged for view in (0, 1)]
    for method in ("prediction", "estimated camera", "retrieval"):
        rows = found["images"][method]
        assert [bool(row["failed"]) for row in rows] == failed
        assert all(row["psnr"] == 0 for row, fails in zip(rows, failed, strict=True) if fails)
        assert found["results"][method]["images"] == 2 and found["results"][method]["failed"] == len(damaged)
    assert [row.get("distance") for row in found["images"]["prediction"]] == [None if f else 0.5 for f in failed]
    assert len(found.get("camera_images", [])) == 2 - len(damaged)
    assert f"{len(damaged)} of 2 images cannot be read" in found["remarks"][-1]
    assert (tmp_path / "out" / "results.json").exists()
    assert (tmp_path / "out" / "figure.png").exists() == (len(damaged) < 2)
