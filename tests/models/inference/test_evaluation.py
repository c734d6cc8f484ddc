"""Evaluations of databases that are damaged in part or tiny, and with other settings."""

import dataclasses
import shutil
import types

import numpy as np
import pytest

from data.shards import Database
from models.inference import evaluation, iso_search
from models.inference.evaluated_views import ViewEvaluator
from models.inference.evaluation import Evaluation, Options
from models.inference.evaluation_folder import EvaluationFolder
from models.training.field_trainer import FieldTrainer
from models.weights.sources import open_model
from tests.helpers import tiny
from utils import files
from utils.errors import UserError
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


@pytest.mark.slow
def test_the_figure_shows_the_objects_that_are_named(tiny_database, tmp_path, monkeypatch, eagerly, built_once):
    """In the order of their names; or so many of every category; another object is refused at
    once.
    """
    drawn: list[list[str]] = []
    monkeypatch.setattr(evaluation, "figure_row", lambda query, database, entry, view, *_: f"{entry.name} {view}")
    monkeypatch.setattr(evaluation, "write_figure", lambda rows, path: drawn.append(list(rows)))
    model, database = open_model(tiny.field_run(tmp_path / "run", tiny_database, True)), Database(tiny_database)
    (tmp_path / "out").mkdir()
    names = [entry.name for entry in database.objects("test", "all")]
    one_box, one_crate = (next(name for name in names if name.startswith(kind)) for kind in ("box/", "crate/"))
    options = Options(views=[2, 1], resolution=8, figure_objects=(one_crate, one_box))
    Evaluation(model, database, tmp_path / "out", options).run()
    Evaluation(model, database, tmp_path / "out", dataclasses.replace(options, figure_objects=1)).run()
    assert drawn == [[f"{one_crate} 2", f"{one_box} 2"], [f"{one_box} 2", f"{one_crate} 2"]]
    elsewhere = dataclasses.replace(options, category="box")
    with pytest.raises(UserError, match=f"cannot show {one_crate}, which is not among the evaluated objects"):
        Evaluation(model, database, tmp_path / "out", elsewhere)


@pytest.mark.slow
def test_a_database_of_one_object_can_be_evaluated(tmp_path, monkeypatch, eagerly, built_once):
    """It has neither validation nor other training objects: the baselines fail, the network does
    not.
    """
    database = tiny.write_database(tmp_path / "db", (1, 1, 1), ("box",))
    for split in ("val", "test"):
        (database / f"box_{split}_000.h5").unlink()
    (tmp_path / "out").mkdir()
    options = Options(split="train", views=[0], resolution=8, figure_objects=0)
    model = open_model(tiny.field_run(tmp_path / "run", database, True))
    found = Evaluation(model, Database(database), tmp_path / "out", options).run()
    assert {method: summary["failed"] for method, summary in found["results"].items()} == {
        "prediction": 0, "mean shape": 1, "retrieval": 1,
    }  # fmt: skip
    assert found["objects"] == {"training": 1, "validation": 0, "evaluated": 1}
    with pytest.raises(UserError, match="no validation objects"):
        Evaluation(model, Database(database), tmp_path / "out", dataclasses.replace(options, iso=None)).run()


@pytest.mark.slow
def test_a_refused_evaluation_leaves_the_iso_value(tiny_database, tmp_path, monkeypatch, eagerly, built_once):
    """It belongs to the results that are there, and reconstruction takes it."""
    values = iter((0.5, 0.25))
    monkeypatch.setattr(
        iso_search, "search_iso", lambda *_: {"iso": next(values), "iou": 0.3, "images": 2, "iou_by_iso": {"0": 0.3}}
    )
    model, out = open_model(tiny.field_run(tmp_path / "run", tiny_database, True)), tmp_path / "run" / "eval_test"
    out.mkdir()
    options = Options(category="box", views=[0], limit=1, resolution=8, figure_objects=0, iso=None)
    Evaluation(model, Database(tiny_database), out, options).run()
    assert iso_search.solid_iso(model) == 0.5
    with pytest.raises(UserError, match=r"other settings \(iso 0.5 \(now 0.25\)\)"):
        Evaluation(model, Database(tiny_database), out, dataclasses.replace(options, category="all")).run()
    assert iso_search.solid_iso(model) == 0.5


@pytest.mark.slow
def test_another_camera_network_is_refused_before_the_images_are_predicted(
    tiny_database, tmp_path, monkeypatch, eagerly, built_once
):
    model, out = open_model(tiny.field_run(tmp_path / "run", tiny_database, True)), tmp_path / "out"
    cameras = EvaluationFolder(out).with_estimated_cameras()
    files.write_json(cameras.settings, {"cam_est": {"file": "best.h5", "sha256": "of other weights"}})
    monkeypatch.setattr(ViewEvaluator, "rows", None)  # the prediction of all images
    for run, reason in (
        (tiny.camera_run(tmp_path / "cameras"), "cam_est holds an evaluation with other settings"),
        (tmp_path / "run", "is not a configuration of a camera network"),
    ):
        options = Options(views=[0], limit=1, resolution=8, figure_objects=0, camera_run=str(run))
        with pytest.raises(UserError, match=reason):
            Evaluation(model, Database(tiny_database), out, options).run()


@pytest.mark.parametrize("given", [{"alpha": True}, {"crop": 0.85}])
def test_networks_that_see_masks_refuse_views_without_any(given, tiny_database, tmp_path, monkeypatch, built_once):
    """Of the evaluated network and of the one that estimates cameras; in training with cameras of
    such a network too. What only changed the training is no matter.
    """
    database, read = Database(tiny_database), Database.image
    opaque = np.array([0, 0, 0, 255], np.uint8)
    monkeypatch.setattr(Database, "image", lambda *view: read(*view) | opaque)
    cameras = tiny.camera_run(tmp_path / "cameras", **given)
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    model, options = open_model(run), Options(views=[0], figure_objects=0, camera_run=str(cameras))
    (name,) = given
    with pytest.raises(UserError, match=f"no transparent background: {name} would"):
        Evaluation(model, database, tmp_path / "out", options).run()
    with pytest.raises(UserError, match=f"no transparent background: {name} would"):
        config = tiny.config(cam_est=str(cameras))
        FieldTrainer.source_database(config, database.objects("train"), database)
    model.config = dataclasses.replace(model.config, augcolorback=True)
    Evaluation(model, database, tmp_path / "other", options)
    model.config = dataclasses.replace(model.config, **given)
    with pytest.raises(UserError, match=f"no transparent background: {name} would"):
        Evaluation(model, database, tmp_path / "other", options)
