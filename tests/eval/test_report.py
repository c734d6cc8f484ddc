"""The HTML report of an evaluated run: it is self-contained and agrees with results.json."""

import importlib
import json
import re
import shutil
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest

from data.shard_format import write_shard
from tests.helpers import tiny
from tests.helpers.html_page import ParsedPage
from utils.errors import UserError
from utils.files import write_json
from utils.geometry import frames
from utils.mesh.voxels import cubes
from utils.mesh.writers import write_mesh
from utils.metrics import registry
from utils.metrics.summary import summarise
from utils.rendering import figure
from utils.reports.images import choose
from utils.surface.field_grid import FieldGrid
from utils.surface.txt_format import write_txt

report = importlib.import_module("eval.report")
NASTY = "<script>'\"&amp;"  # an object's id, which is also the name of a folder
EMPTY = "field is empty: min <b>-3, max 1, level 0"
NAMES = ["iou", "psnr"]


def ball(resolution=16, radius=0.3):
    points = frames.voxel_centres(resolution)
    geometry = (radius - np.linalg.norm(points, axis=1)).astype(np.float32)
    return FieldGrid(
        resolution, geometry, np.where(geometry[:, None] > 0, np.float32(0.5), -1) * np.ones((1, 3), np.float32)
    )


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run with history and an evaluation: two views of three objects of two categories.

    One image failed, one has a mesh only.
    """
    root, rng = tmp_path_factory.mktemp("report"), np.random.default_rng(0)
    run, rows, baseline = root / "run", [], []
    out = run / "eval_test"
    for category in ("box", "crate"):
        ids = [NASTY, f"{category}1", f"{category}2"]
        write_shard(
            root / "db" / f"{category}_test_000.h5",
            [tiny.box(category, object_id, rng, views=2) for object_id in ids],
            {"made": "by a test"},
        )
        for object_id in ids:
            for view in ("00", "01"):
                row = {"category": category, "object_id": object_id, "view": view, "failed": None, "no_mesh": None}
                baseline.append({**row, "iou": rng.uniform(), "psnr": 9.0})
                rows.append({**row, "iou": rng.uniform(0.1, 0.9), "psnr": rng.uniform(5, 30)})
                write_txt(out / "predictions" / category / object_id / f"{view}_pred.txt", ball())
    rows[3].update(failed=EMPTY, iou=0.0, psnr=0.0)
    best = max(rows[6:], key=lambda row: row["iou"])
    path = out / "predictions" / best["category"] / best["object_id"]
    write_mesh(path / f"{best['view']}_mesh.obj", *cubes(np.zeros((1, 3)), np.ones((1, 3))))
    (path / f"{best['view']}_pred.txt").unlink()
    tables = {"prediction": rows, "mean shape": baseline}
    settings = {
        "weights": {"file": str(run / "best.h5"), "bytes": 1},
        "step": 20,
        "db": str(root / "db"),
        "split": "test",
        "iso": 0.0,
    }
    results = {
        **settings,
        "mode": "binary",
        "metrics": NAMES,
        "definitions": registry.definitions(NAMES),
        "images": tables,
    }
    results["results"] = {method: summarise(image_rows, NAMES) for method, image_rows in tables.items()}
    write_json(out / "settings.json", settings)
    made = {"date": "2026-01-02T03:04:05+00:00", "command": "python eval/eval.py --restore_model run", "commit": "abc"}
    results |= {"made": {**made, "versions": {"python": "3"}, "system": "Linux"}, "remarks": ["a remark"]}
    results["objects"] = {"training": 30, "validation": 4, "evaluated": 6}
    write_json(out / "results.json", results)
    for name, content in (("settings.json", settings), ("results.json", results)):  # of weights evaluated before
        write_json(out / "steps" / "0000010" / name, {**content, "step": 10})
    tiny.config(db=str(root / "db")).save(run / "config.json")
    parts = {"loss": 3.0, "geometry": 1.0}
    write_json(
        run / "history.json",
        [{"epoch": i, "step": 10 * i, "minutes": i, "train": parts, "val": parts} for i in (1, 2, 3)],
    )
    return run


@pytest.fixture(scope="module")
def made(evaluated, tmp_path_factory):
    """The report with one image between best and worst: (source, ParsedPage, results.json)."""
    path = tmp_path_factory.mktemp("out") / "page.html"
    names = path.with_name("data_sets.json")
    write_json(names, {"boxes": ["box/*"], "rest": ["*"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, "SIZE", 48)
        report.main([str(evaluated), "--objects", "1", "--out", str(path), "--data_sets", str(names)])
    source = path.read_text(encoding="utf-8")
    page = ParsedPage(source)
    page.folder = path.parent
    return source, page, json.loads((evaluated / "eval_test" / "results.json").read_text())


def test_the_gallery_does_not_wait_for_tensorflow(evaluated, tmp_path):
    words = [str(evaluated), "--objects", "1", "--out", str(tmp_path / "page.html")]
    code = f"import sys, eval.report; eval.report.main({words}); print('tensorflow' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "False"


def test_the_page_is_self_contained(made):
    source, page, _ = made
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        for name, value in ((name, value or "") for name, value in attributes.items()):  # `open` has no value
            assert not name.startswith("on") and (
                name.startswith("xmlns") or "//" not in value or value.startswith("data:")
            ), (tag, name)
            if name == "src":
                assert value.startswith("data:image/")
            if name.endswith("href") and tag != "a":
                assert value[0] == "#" and f'id="{value[1:]}"' in source
            elif name == "href":  # to a section, or to a file beside the page
                assert f'id="{value[1:]}"' in source if value[0] == "#" else value[:3] == "../"
    assert not re.search(r"url\((?!#)|@import", source)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    policy = next(attributes for _, attributes in page.tags if "http-equiv" in attributes)
    assert "default-src 'none'" in policy["content"]


def test_tables_agree_with_results_json(made):
    _, page, results = made
    tables = [table for section, table in page.tables if section == "results"][: len(NAMES)]
    for name, (head, *rows, lost) in zip(NAMES, tables, strict=True):
        assert head[1:] == list(results["results"])
        assert [row[0] for row in rows] == ["box", "crate", "mean"]
        for number, (method, summary) in enumerate(results["results"].items(), 1):
            digits = registry.METRICS[name].digits
            means = [*summary[name]["categories"].values(), summary[name]["mean"]]
            deviations = [*summary[name]["categories_std"].values(), summary[name]["std"]]
            cells = [f"{a:.{digits}f} ± {b:.{digits}f}" for a, b in zip(means, deviations, strict=True)]
            assert [row[number] for row in rows] == cells, method
            assert lost[number] == f"{summary['failed']} of 12"
    words = "".join(page.texts["results"])
    assert all(definition in words for definition in results["definitions"].values())


def test_one_table_of_methods_by_metrics_comes_first(made):
    _, page, results = made
    sections = [section for section, _ in page.tables]
    assert sections.index("overview") < sections.index("categories") < sections.index("results")
    whole, by_data_set = (table for section, table in page.tables if section == "overview")
    assert whole[0] == ["", "IoU ↑", "PSNR dB ↑", "failed"]
    for method, *cells, failed in whole[1:]:
        summary = results["results"][method]
        assert [cell.split(" ")[0] for cell in cells] == [
            registry.METRICS[name].text(summary[name]["mean"]) for name in NAMES
        ]
        assert failed == f"{summary['failed']} of 12"
    assert by_data_set[0][:2] == ["data set", ""]
    assert [row[:2] for row in by_data_set[1:]] == [
        ["boxes (3)", "prediction"],
        ["", "mean shape"],
        ["rest (3)", "prediction"],
        ["", "mean shape"],
        ["all objects (6)", "prediction"],
        ["", "mean shape"],
    ]
    for rows, category in ((by_data_set[1:3], "box"), (by_data_set[3:5], "crate")):
        for _, method, *cells in rows:
            means = [results["results"][method][name]["categories"][category] for name in NAMES]
            assert cells == [registry.METRICS[n].text(v) for n, v in zip(NAMES, means, strict=True)]


def test_the_matrices_are_darkest_where_a_method_is_best(made):
    source, page, results = made
    matrices = [table for section, table in page.tables if section == "categories"]
    assert len(matrices) == len(NAMES)
    for name, (head, *rows) in zip(NAMES, matrices, strict=True):
        assert head[1:] == list(results["results"]) and [row[0] for row in rows] == ["box (3)", "crate (3)"]
        for row, category in zip(rows, ("box", "crate"), strict=True):
            means = [summary[name]["categories"][category] for summary in results["results"].values()]
            assert row[1:] == [registry.METRICS[name].text(value) for value in means]
    part = source[source.index('<section id="categories"') :].split("</section>")[0]
    for block in part.split('<table class="matrix">')[1:]:
        cells = re.findall(r"background:rgb\((\d+),.*?>(?:<strong>)?([\d.]+)", block)
        darkness = {float(value): int(red) for red, value in cells}
        assert len(cells) == 4 and sorted(darkness, key=lambda value: -darkness[value]) == sorted(darkness)


def test_links_lead_to_the_files_of_every_image(made, evaluated):
    _, page, _ = made
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a" and attributes["href"][0] != "#"]
    files = {path for path in (evaluated / "eval_test" / "predictions").rglob("*") if path.is_file()}
    found = {(page.folder / urllib.parse.unquote(link)).resolve() for link in links}
    assert found == {path.resolve() for path in files}
    assert any(link.endswith("_mesh.obj") for link in links)


def test_the_page_says_where_it_comes_from(made):
    _, page, _ = made
    rows = {row[0]: row[1] for row in page.rows("summary")}
    assert rows["objects"] == "6 evaluated, 12 images; training 30; validation 4"
    for name in ("evaluated", "report"):
        assert re.match(r"\d{4}-\d\d-\d\dT", rows[name]) and "python" in rows[name]
    assert "eval/eval.py --restore_model run" in rows["evaluated"] and "commit abc" in rows["evaluated"]
    assert "a remark" in page.texts["summary"]
    assert [row[0] for row in page.rows("earlier")] == ["step", "10", "20 (this page)"]


def test_every_failure_is_listed_with_its_reason(made):
    _, page, results = made
    failed = [row for rows in results["images"].values() for row in rows if row["failed"]]
    assert len(failed) == 1
    listed = page.rows("failures")[1:]
    assert listed == [["prediction", row["category"], row["object_id"], row["view"], EMPTY] for row in failed]


def test_text_is_escaped(made):
    source, page, _ = made
    assert "<script" not in source and "<b>" not in source
    assert any(NASTY in caption for caption in page.captions) and NASTY not in source


def test_best_and_worst_are_the_best_and_worst(made):
    _, page, results = made
    assert len(page.captions) == 6
    for number, category in enumerate(("box", "crate")):
        rows = [row for row in results["images"]["prediction"] if row["category"] == category]
        first, middle, last = page.captions[3 * number : 3 * number + 3]
        for caption, label, chosen in ((first, "best of 6", max), (last, "worst of 6", min)):
            row = chosen(rows, key=lambda row: row["iou"])
            assert caption.startswith(
                f"{label} {row['object_id']}, view {row['view']} IoU {row['iou']:.3f} · PSNR dB {row['psnr']:.2f}"
            )
        assert re.match(r"rank [2-5] of 6 ", middle)
    assert f"failed: {EMPTY}" in page.captions[2]  # a failed image is the worst
    images = sum(tag == "img" for tag, _ in page.tags)
    assert images == 6 * 7 - 3  # the failed one has input and truth only; the one with a mesh and no txt has all


def test_ranks_follow_the_direction_of_the_metric():
    rows = [
        {"object_id": f"{i // 2}", "view": i % 2, "failed": None, "chamfer_l1": float(i), "iou": float(i)}
        for i in range(20)
    ]
    rows[4]["failed"] = "empty"
    for name, best, last in (("chamfer_l1", 0.0, 4.0), ("iou", 19.0, 4.0)):
        shown = [row for _, row in choose(rows, name, 4)]
        assert (shown[0][name], shown[-1][name]) == (best, last)
        between = [row[name] for row in shown[1:-1]]
        assert (
            between == sorted(between, reverse=name == "iou")
            and len({row["object_id"] for row in shown}) == len(shown) == 6
        )
        assert max(between) - min(between) > 8  # spread over the ranks
    assert len(choose(rows, "iou", 100)) == 20
    assert [label for label, _ in choose(rows[:1], "iou", 3)] == ["the only image"]
    assert [label for label, _ in choose(rows[:2], "iou", 3)] == ["best of 2", "worst of 2"]


def test_curves_and_views_are_drawn(made):
    _, page, _ = made
    assert {"loss", "geometry", "epoch"} <= {text.strip() for text in page.texts["training"]}
    assert "epoch of the evaluated weights (2)" in "".join(page.texts["training"])
    assert {"IoU", "PSNR dB", "00", "01"} <= {text.strip() for text in page.texts["views"]}
    assert ["num_sample_points", "64"] in page.rows("configuration") and ["step", "20"] in page.rows("configuration")


def test_a_run_without_history_configuration_and_database(evaluated, tmp_path, capsys):
    shutil.copytree(
        evaluated / "eval_test",
        tmp_path / "TF1_eval_test",
        ignore=shutil.ignore_patterns("predictions", "settings.json"),
    )
    report.main([str(tmp_path), "--eval", str(tmp_path / "TF1_eval_test"), "--db", "nowhere", "--objects", "0"])
    path = tmp_path / "TF1_eval_test" / "report.html"
    assert capsys.readouterr().out.splitlines()[-1] == f"report       {path}"
    page = ParsedPage(path.read_text(encoding="utf-8"))
    assert {section for section in page.texts if section} == {
        "summary",
        "overview",
        "categories",
        "failures",
        "views",
        "images",
        "results",
    }
    assert not list(path.parent.glob(".*"))  # no temporary file


def test_a_prediction_that_is_not_stored_is_reported_as_missing(evaluated, tmp_path, monkeypatch):
    monkeypatch.setattr(figure, "SIZE", 48)
    shutil.copytree(
        evaluated / "eval_test", tmp_path / "run" / "eval_val", ignore=shutil.ignore_patterns("predictions")
    )
    path = tmp_path / "run" / "eval_val" / "results.json"
    results = json.loads(path.read_text())
    for rows in results["images"].values():
        rows[:] = rows[:2]
    write_json(path, results)
    report.main([str(tmp_path / "run")])  # the only evaluation there is
    page = ParsedPage((path.parent / "report.html").read_text(encoding="utf-8"))
    assert sum(tag == "img" for tag, _ in page.tags) == 2 * 4
    assert "00_pred.txt is missing" in "".join(page.texts["gallery"])


def test_a_view_that_cannot_be_read_does_not_end_the_report(evaluated, tmp_path, monkeypatch):
    """As it does not end the evaluation, whose worst image it is."""
    monkeypatch.setattr(figure, "SIZE", 48)
    database = shutil.copytree(evaluated.parent / "db", tmp_path / "db")
    tiny.damage_view(database / "box_test_000.h5", 3)  # of the row that failed
    report.main([str(evaluated), "--db", str(database), "--out", str(tmp_path / "page.html")])
    page = ParsedPage((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(page.captions) == 10
    assert "box_test_000.h5: images of box1 cannot be read" in "".join(page.texts["gallery"])


@pytest.mark.parametrize(
    ("prepare", "flags", "message"),
    [
        (None, [], "no such folder"),
        ([], [], r"has not been evaluated; run: python eval/eval.py --restore_model .*run$"),
        (["eval_test/settings.json"], [], r"eval_test is not finished.*python eval/eval.py --restore_model"),
        (
            ["eval_val/results.json", "eval_train/results.json"],
            [],
            "several evaluations .eval_train, eval_val.; choose one with --eval",
        ),
        (
            [],
            ["--eval", "elsewhere"],
            "elsewhere holds no evaluation .*python eval/eval.py --restore_model .*--log_dir elsewhere",
        ),
        (["eval_test/results.json"], [], "is not a results.json of eval/eval.py: it lacks db"),
        ([], ["--objects", "-1"], "--objects: '-1' is not a whole number .at least 0"),
    ],
)
def test_missing_files_are_named_with_the_command_that_makes_them(prepare, flags, message, tmp_path):
    run = tmp_path / "run"
    if prepare is not None:
        run.mkdir()
    for name in prepare or []:
        write_json(run / name, {})
    with pytest.raises(UserError, match=message) as error:
        report.main([str(run), *flags])
    assert "\n" not in str(error.value)


def test_a_gallery_without_its_database(evaluated, tiny_database, tmp_path):
    with pytest.raises(UserError, match="nowhere.*the gallery needs it; give --db, or --objects 0"):
        report.main([str(evaluated), "--db", str(tmp_path / "nowhere"), "--out", str(tmp_path / "page.html")])
    with pytest.raises(UserError, match="it is not the evaluation's database; give --db"):
        report.main([str(evaluated), "--db", str(tiny_database), "--out", str(tmp_path / "page.html")])
    assert not list(tmp_path.iterdir())


VALUES = [None, 5, "x", [1], {"a": 1}]  # what a damaged file may hold in place of anything else


def damaged(results):
    """Copies of results.json in which one entry is another value, or one of a row is missing."""
    for key in report.NEEDED:
        for value in VALUES:
            yield {**results, key: value}
    row, *others = results["images"]["prediction"]
    for key in row:
        left = {name: value for name, value in row.items() if name != key}
        for changed in (left, *({**row, key: value} for value in VALUES)):
            yield {**results, "images": {"prediction": [changed, *others]}}
    yield from ({**results, "images": {"prediction": [value, *others]}} for value in VALUES)
    yield from ({**results, "images": {**results["images"], "mean shape": value}} for value in VALUES)


def test_whatever_results_json_holds_is_shown_or_refused_in_one_line(evaluated, tmp_path, monkeypatch):
    # what takes time, and what a fuzz target damages already
    monkeypatch.setattr(report, "renderings", lambda *arguments: ([], [], None))
    monkeypatch.setattr(report, "embedded", lambda image: "")
    monkeypatch.setattr(report, "provenance", dict)
    monkeypatch.setattr(report, "page", lambda shown: "page")
    run = shutil.copytree(evaluated, tmp_path / "run")
    path, out = run / "eval_test" / "results.json", tmp_path / "page.html"
    changed = run / "eval_val" / "results.json"
    for results in damaged(json.loads(path.read_text())):
        write_json(changed, results)
        try:
            report.main([str(run), "--eval", str(changed.parent), "--objects", "1", "--out", str(out)])
        except UserError as error:
            assert "\n" not in str(error) and not out.exists()
        out.unlink(missing_ok=True)
