"""Evaluation end to end on a tiny run, and what it refuses."""

import dataclasses
import importlib
import json
import pickle
import types

import cv2
import keras
import numpy as np
import pytest
import trimesh

from data.shards import Database
from models.inference import iso_search
from models.inference.evaluated_views import ViewEvaluator, choose_views
from models.inference.evaluation import Evaluation, Options
from models.inference.field_query import FieldQuery
from models.networks.texdisn import build_field_network
from models.training.preview import validation_preview
from models.weights.run import Run
from models.weights.sources import open_model
from tests.helpers import tf1_models, tiny
from utils.engines import HERE
from utils.errors import UserError
from utils.metrics import registry
from utils.metrics.surface_metrics import nearest, sample_mesh
from utils.processes import DIED
from utils.surface.txt_format import read_txt

evaluation = importlib.import_module("eval.eval")


@pytest.fixture(autouse=True)
def few_points(monkeypatch, built_once):
    """The best assignment of DISN's 2048 points takes a second each time, 37 iso values on four
    objects twenty; finding neighbours is most of the time of the metrics of surfaces.
    """
    monkeypatch.setattr("utils.metrics.comparison.PREDICTED_POINTS", 20_000)
    monkeypatch.setattr("utils.metrics.surface_metrics.DISN_POINTS", 256)
    for name in ("BINARY_VALUES", "SDF_VALUES"):
        monkeypatch.setattr(iso_search, name, getattr(iso_search, name)[::5])
    monkeypatch.setattr(iso_search, "IMAGES", {True: 2, False: 2})


def words_of(run, views, resolution):
    """A command line that evaluates one object of every category, and draws no figure."""
    words = ["--restore_model", str(run), "--views", views, "--limit", "1", "--sdf_res", str(resolution)]
    return [*words, "--figure_objects", "0"]  # drawing one takes as long as the rest


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_evaluation_writes_what_it_says_and_resumes(binary, tiny_database, tmp_path, capsys, request):
    if not binary:  # compiled queries in the one mode are enough
        request.getfixturevalue("eagerly")
    run = tiny.field_run(tmp_path / "run", tiny_database, binary)
    command = [*words_of(run, "0,2", 16), "--create_obj", "--iso", "auto"]
    command += ["--figure_objects", "1"] if binary else []
    evaluation.main(command)
    out = run / "eval_test"
    result = json.loads((out / "results.json").read_text())
    found = json.loads((out / "iso.json").read_text())
    assert not (run / "iso.json").exists()  # an evaluation writes into its own folder alone
    assert result["iso"] == found["iso"] and max(found["iou_by_iso"].values()) == found["iou"] and result["step"] == 7
    assert set(result["results"]) == {"prediction", "mean shape", "retrieval"}
    rows = result["images"]["prediction"]
    assert [(row["category"], row["view"]) for row in rows] == [
        ("box", "00"),
        ("box", "02"),
        ("crate", "00"),
        ("crate", "02"),
    ]
    for name in ("iou", "psnr"):
        expected = np.mean([row[name] for row in rows])
        assert np.isclose(result["results"]["prediction"][name]["mean"], expected) and name in result["definitions"]
    for row in rows:
        folder = out / "predictions" / row["category"] / row["object_id"]
        field = read_txt(folder / f"{row['view']}_pred.txt")
        assert field.resolution == 16 and len(field.geometry) == 16**3
        inside = field.geometry > found["iso"] if binary else field.geometry < found["iso"]
        np.testing.assert_array_equal(inside, field.coloured())
        assert (folder / f"{row['view']}_pred.obj").exists()
        assert row["failed"] is None and row["no_mesh"] is None
        vertices = trimesh.load(folder / f"{row['view']}_mesh.obj").vertices
        vertices = vertices[np.abs(vertices).max(1) < 0.46]  # the rest is where the cube cuts the octahedron off
        radius = (1.0 - found["iso"] / 2) / 2 if binary else (1.0 + 2 * 10 * found["iso"]) / 2
        np.testing.assert_allclose(np.abs(vertices).sum(1), radius, atol=0.03)
    assert "retrieval" in capsys.readouterr().out
    if not binary:  # the rest is the same in both modes
        return
    assert cv2.imread(str(out / "figure.png")).std() > 5

    lines = (out / "rows.jsonl").read_text().splitlines(keepends=True)
    (out / "rows.jsonl").write_text("".join(lines[:2]) + lines[2][:20])  # killed while writing the third
    stamp = (out / "predictions" / "box" / rows[0]["object_id"] / "00_pred.txt").stat().st_mtime_ns
    command += ["--figure_objects", "0"]
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


def results_of(out):
    return json.loads((out / "results.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_all_metrics_of_a_known_solid(binary, tiny_database, tmp_path, capsys, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, binary)
    command = words_of(run, "0,2", 32)
    evaluation.main([*command, "--metrics", "all"])
    out, names = run / "eval_test", list(registry.METRICS)
    result = results_of(out)
    assert result["metrics"] == names and set(names) <= set(result["definitions"])
    assert set(result["results"]) == {"prediction", "mean shape", "retrieval", "true voxels"}
    for method, summary in result["results"].items():
        rows = result["images"][method]
        for name in names:
            values = [row[name] for row in rows]
            assert summary[name]["mean"] == pytest.approx(np.mean(values)) and np.isfinite(values).all()
            assert set(summary[name]["views_std"]) == {"00", "02"} and set(summary[name]["categories_std"]) == {
                "box",
                "crate",
            }
    text = capsys.readouterr().out
    assert all(name in text.split() for name in names) and "±" in text

    # the octahedron |x| + |y| + |z| < 1/2 against the boxes, by points that the evaluation never
    # saw
    database, rng = Database(tiny_database), np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (200_000, 3))
    octahedron = np.abs(points).sum(1) < 0.5
    hull = trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]) / 2)
    surface = sample_mesh(hull.vertices, hull.faces, 20000)[0]
    for row in result["images"]["prediction"]:
        entry = next(each for each in database.objects("test") if each.object_id == row["object_id"])
        true = database.surface(entry)[0].astype(float)
        box = (np.abs(points) < np.abs(true).max(0) + 0.5 / 64).all(1)
        assert row["volume_iou"] == pytest.approx((octahedron & box).sum() / (octahedron | box).sum(), abs=0.06)
        distances = [nearest(surface, true)[0], nearest(true, surface)[0]]
        assert row["chamfer_l1"] == pytest.approx(5 * sum(map(np.mean, distances)), rel=0.05)
        precision, recall = ((each < 0.1).mean() for each in distances)
        assert row["f_score_10"] == pytest.approx(2 * precision * recall / (precision + recall), abs=0.03)
        # boxes have their sides across the axes, the octahedron across diagonals
        assert row["normal_consistency"] == pytest.approx(3**-0.5, abs=0.06)
    own = result["images"]["true voxels"]
    assert all(row["iou"] == 1 and row["psnr"] == 100 and row["chamfer_l1"] < 0.2 for row in own)


@pytest.mark.slow
def test_more_metrics_are_measured_on_the_stored_fields(tiny_database, tmp_path, monkeypatch, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    command = words_of(run, "0", 16)
    everything = [*command, "--metrics", "iou,psnr_ycbcr,chamfer_l1,emd"]
    evaluation.main([*everything, "--log_dir", str(tmp_path / "fresh")])
    evaluation.main(command)
    out = run / "eval_test"
    assert results_of(out)["metrics"] == ["iou", "psnr"] and "emd" not in results_of(out)["images"]["prediction"][0]

    def no_network(*_):
        raise AssertionError("predicted again")

    with monkeypatch.context() as patch:
        patch.setattr("models.inference.predict.predict", no_network)
        evaluation.main(everything)
        lines = len((out / "rows.jsonl").read_text().splitlines())
        evaluation.main(everything)  # now they are known
        assert len((out / "rows.jsonl").read_text().splitlines()) == lines == 4
    fresh, later = (results_of(each)["images"]["prediction"] for each in (tmp_path / "fresh", out))
    for old, new in zip(fresh, later, strict=True):
        assert new["psnr"] > 0  # of the first evaluation
        for name in ("iou", "chamfer_l1", "emd"):
            assert new[name] == pytest.approx(old[name], rel=1e-6)
        assert new["psnr_ycbcr"] == pytest.approx(old["psnr_ycbcr"], abs=1e-2)  # colours of four decimals
    assert "psnr" not in results_of(out)["results"]["prediction"]


@pytest.mark.slow
def test_a_field_without_an_empty_cell_has_voxels_and_no_mesh(tiny_database, tmp_path, capsys, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True, 100.0)
    command = [*words_of(run, "0", 8), "--create_obj"]
    evaluation.main(command)
    rows = json.loads((run / "eval_test" / "results.json").read_text())["images"]["prediction"]
    assert len(rows) == 2 and all(row["failed"] is None and row["no_mesh"] for row in rows)
    evaluation.main(command)
    assert "2 images are done already" in capsys.readouterr().out
    assert (
        json.loads((run / "eval_test" / "results.json").read_text())["images"]["prediction"] == rows
    )  # none evaluated again
    evaluation.main([*command, "--metrics", "iou,volume_iou,chamfer_l1"])
    summary = results_of(run / "eval_test")["results"]["prediction"]
    assert (summary["failed"], summary["without_surface"]) == (0, 2)
    assert (
        summary["volume_iou"]["mean"] == 0
        and summary["chamfer_l1"]["mean"] == pytest.approx(10 * 3**0.5)
        and summary["iou"]["mean"] > 0
    )


@pytest.mark.slow
def test_an_empty_field_counts_as_a_failure(tiny_database, tmp_path, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True, -100.0)
    evaluation.main([*words_of(run, "0", 8), "--log_dir", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "results.json").read_text())["results"]["prediction"]
    assert result["failed"] == result["images"] == 2 and result["iou"]["mean"] == result["psnr"]["mean"] == 0
    assert "field is empty: min" in result["failures"][0]["failed"] and "iso value 0" in result["failures"][0]["failed"]
    more = ["--metrics", "f_score_1,chamfer_l2", "--log_dir", str(tmp_path / "out")]
    evaluation.main([*words_of(run, "0", 8), *more])
    result = results_of(tmp_path / "out")["results"]["prediction"]
    assert (
        result["failed"] == 2
        and result["f_score_1"]["mean"] == 0
        and result["chamfer_l2"]["mean"] == pytest.approx(24000)
    )


def test_the_preview_of_a_validation(tiny_database):
    database = Database(tiny_database)
    keras.utils.set_random_seed(0)  # of eight networks, one has an empty field
    query, entries = FieldQuery(build_field_network(tiny.config())), database.objects("val")
    preview = validation_preview(query, database, entries, 0.0)
    assert preview.shape == (4 * tiny.SIZE, 3 * tiny.SIZE, 3) and preview.min() >= 0 and preview.max() <= 1
    none = validation_preview(query, database, entries, 1e9)  # no point reaches this value
    truth = preview[: tiny.SIZE, 2 * tiny.SIZE :]
    assert 0.02 < (truth.min(-1) < 1).mean() < 0.9  # an object on a white ground
    predicted, empty = (x[:, tiny.SIZE : 2 * tiny.SIZE] for x in (preview, none))
    assert np.all(empty == 1) and not np.all(predicted == 1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--views", "0,x"], "argument --views: 'x' is not a whole number"),
        (["--views", "0,0"], "each index once"),
        (["--iso", "high"], "argument --iso: 'high' is not a number"),
        (["--sdf_res", "1"], "argument --sdf_res: '1' is not a whole number .at least 2"),
        (["--mesh_res", "64"], "needs --create_obj"),
        (["--create_obj", "--mesh_res", "511"], "--mesh_res 511"),
        (["--limit", "0"], "argument --limit: '0' is not"),
        (["--metrics", "iou,cd"], "argument --metrics: unknown metric 'cd'; known: all, iou, psnr, "),
        (["--metrics", ""], "unknown metric ''"),
        (["--figure_objects", "-1"], "argument --figure_objects: '-1' is not"),
        (["--figure_objects", "chair"], "argument --figure_objects: 'chair' is not"),
        (["--figure_objects", "box/a", "1"], "--figure_objects box/a 1: give one number, or each object's name once"),
        (["--figure_objects", "box/a", "box/a"], "each object's name once"),
        ([], "no such folder"),
    ],
)
def test_wrong_flags_are_named(flags, message, tmp_path):
    with pytest.raises(UserError, match=message):
        evaluation.main(["--restore_model", str(tmp_path / "none"), *flags])


def test_views_and_categories_that_are_not_there(tiny_database, tmp_path, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    with pytest.raises(UserError, match="has 3 views, there is no view 5"):
        evaluation.main(["--restore_model", str(run), "--views", "5"])
    with pytest.raises(UserError, match="no category 'boat'; known: all, box, crate"):
        evaluation.main(["--restore_model", str(run), "--category", "boat"])
    Run(run).best.unlink()
    with pytest.raises(UserError, match="no checkpoint yet"):
        evaluation.main(["--restore_model", str(run)])


@pytest.mark.parametrize(
    "option", [{"views": []}, {"views": [-1]}, {"views": [0, 1, 0]}, {"limit": 0}, {"limit": -2}], ids=str
)
def test_views_and_limits_that_mean_nothing_are_refused(option, tiny_database):
    entries = Database(tiny_database).objects("test", "all")
    (name,) = option
    with pytest.raises(UserError, match=f"{name} .*give"):
        choose_views(entries, **{"views": None, "limit": None, **option})


def test_help_lists_the_metrics(capsys):
    with pytest.raises(SystemExit):
        evaluation.main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for name, metric in registry.METRICS.items():
        assert f"{name} = {metric.heading}, {metric.better} is better" in words


@pytest.mark.slow
def test_more_training_is_evaluated_beside_what_was_before(tiny_database, tmp_path, capsys, monkeypatch, eagerly):
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    command = [*words_of(run, "0", 16), "--figure_objects", "0"]
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"boxes": ["box/*"], "crates": ["crate/*"]}))
    evaluation.main(command)
    out = run / "eval_test"
    before = results_of(out)
    assert before["remarks"] == [] and "data_sets" not in before["results"]["prediction"]["iou"]
    assert before["objects"] == {"training": 8, "validation": 4, "evaluated": 2}
    assert set(before["made"]) == {"date", "command", "commit", "versions", "system"}
    train = {f"{entry.category}/{entry.object_id}" for entry in Database(tiny_database).objects("train")}
    assert {row["nearest"] for row in before["images"]["retrieval"]} <= train

    def never(*_):
        raise AssertionError("the baselines were measured again")

    monkeypatch.setattr("models.inference.baseline_rows.retrieval", never)
    monkeypatch.setattr("models.inference.baseline_rows.mean_shape_of", never)
    tiny.field_run(run, tiny_database, True, 0.6)  # other weights: the octahedron is smaller
    capsys.readouterr()
    evaluation.main([*command, "--data_sets", str(names)])
    after, text = results_of(out), capsys.readouterr().out
    assert after["weights"] != before["weights"] and after["images"]["mean shape"][0]["iou"] > 0
    assert "are known from" in text and "by data set" in text
    scores = [[row["psnr"] for row in each["images"]["prediction"]] for each in (before, after)]
    assert scores[0] != scores[1]
    for name, category in (("boxes", "box"), ("crates", "crate")):
        iou = after["results"]["prediction"]["iou"]
        assert iou["data_sets"][name] == pytest.approx(iou["categories"][category])
    assert json.loads((out / "steps" / "0000007" / "results.json").read_text()) == before

    tiny.field_run(run, tiny_database, True)
    monkeypatch.setattr("models.inference.predict.predict", never)
    evaluation.main(command)  # and back: nothing is predicted again
    assert results_of(out)["images"]["prediction"] == before["images"]["prediction"]


@pytest.mark.slow
def test_an_iso_value_at_the_end_of_its_range_and_unlike_images_are_remarked(
    tiny_database, tmp_path, capsys, monkeypatch, eagerly
):
    run = tiny.field_run(tmp_path / "run", tiny_database, True)
    found = {"iso": 8.0, "iou": 0.3, "images": 2, "iou_by_iso": {"0": 0.1, "8": 0.3}, "solid": {"iso": 4.0, "iou": 0.4}}
    monkeypatch.setattr(iso_search, "search_iso", lambda *_: found)
    known = types.SimpleNamespace(distance=lambda features: 1.5 - np.arange(len(features)))
    monkeypatch.setattr("models.inference.evaluation.known_images", lambda _: known)
    evaluation.main([*words_of(run, "0", 8), "--figure_objects", "0", "--iso", "auto"])
    results, out = results_of(run / "eval_test"), capsys.readouterr().out
    remarks, count = results["remarks"], len(results["images"]["prediction"])
    assert len(remarks) == 2 and "is the largest of the" in remarks[0]
    assert f"1 of {count} images is unlike" in remarks[1]
    assert all(f"remark: {remark}" in out for remark in remarks)
    assert [row["distance"] for row in results["images"]["prediction"]] == [1.5 - i for i in range(count)]


class Pickling:
    """An engine that runs tasks in this process, after pickling them as for another one."""

    is_here = False

    def share_cores(self):
        pass

    def run(self, function, tasks, *, died, ordered, ahead):
        for number, task in enumerate(tasks):
            sent = pickle.loads(pickle.dumps(task))
            yield task, died(task) if number == self.dies else pickle.loads(pickle.dumps(function(sent)))

    dies = None


class NeverRuns(Pickling):
    """An engine that must not be needed."""

    def run(self, *_, **__):
        raise AssertionError("an engine was started")


@pytest.mark.slow
def test_objects_are_evaluated_the_same_in_processes(tiny_database, tmp_path, eagerly, monkeypatch):
    path = tiny.field_run(tmp_path / "run", tiny_database, True)
    database, options = Database(tiny_database), Options(views=[0, 2], resolution=12, figure_objects=0)

    def rows(folder, engine):
        model = open_model(path, precision="float32")
        (tmp_path / folder).mkdir(exist_ok=True)
        evaluation = Evaluation(model, database, tmp_path / folder, dataclasses.replace(options, engine=engine))
        return evaluation.run()["images"]["prediction"]

    here, there = rows("here", HERE), rows("there", Pickling())
    assert here == there and len(here) == 8
    for path_here in (tmp_path / "here" / "predictions").rglob("*.*"):
        assert path_here.read_bytes() == (tmp_path / "there" / path_here.relative_to(tmp_path / "here")).read_bytes()
    dying = Pickling()
    dying.dies = 1
    second = rows("dying", dying)
    assert [row["failed"] == DIED for row in second] == 2 * [False] + 2 * [True] + 4 * [False]
    assert second[:2] == here[:2] and second[4:] == here[4:] and second[2]["iou"] == 0
    # tried again, here: one object is not worth the processes; nor are objects that are done
    assert [row["failed"] for row in rows("dying", NeverRuns())] == 8 * [None]
    assert rows("dying", NeverRuns()) == here

    evaluate, seen = ViewEvaluator._evaluate, []

    def stopped_at_the_fourth(*args):
        seen.append(args)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(ViewEvaluator, "_evaluate", stopped_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        rows("stopped", HERE)
    lines = (tmp_path / "stopped" / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == here[:3]  # the second object was at work


def test_a_tf1_checkpoint_is_opened_again_in_another_process(tmp_path):
    prefix = tf1_models.save(tmp_path / "model.ckpt", tf1_models.values(tf1_models.shapes()))
    model = open_model(prefix, {"img_h": 40, "img_w": 40}, "float32")
    again = pickle.loads(pickle.dumps(model))
    assert again.config == model.config and again.weights == model.weights
