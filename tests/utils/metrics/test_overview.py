"""The overview marks the best means and prints every method by every metric."""

import numpy as np
import pytest

from utils.metrics import overview, registry
from utils.metrics.summary import summarise

IMAGE = {"view": "00", "failed": None, "no_mesh": None}
NAMES = ["iou", "chamfer_l1"]


def summaries(seed=0, views=("00",)):
    """Three methods on six objects of two categories and two data sets, with random scores."""
    rng, found = np.random.default_rng(seed), {}
    for method in ("prediction", "retrieval", "true voxels"):
        rows = [
            {**IMAGE, "category": category, "object_id": f"{category}{i}", "data_set": "real" if i else "made"}
            | {"view": view, "iou": rng.random(), "chamfer_l1": rng.random()}
            for category in ("car", "chair")
            for i in range(3)
            for view in views
        ]
        if method == "true voxels":
            rows = [{**row, "iou": 2.0, "chamfer_l1": 0.0} for row in rows]
        found[method] = summarise(rows, NAMES)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_best_of_a_group_is_marked(seed):
    found = summaries(seed)
    groups = [overview.over_categories(found, NAMES), overview.over_objects(found, NAMES)]
    for grouping in ("categories", "data_sets"):
        groups += overview.by_group(found, NAMES, grouping)
    assert [(g.name, g.objects) for g in groups[1:]] == [
        ("all objects", 6),
        ("car", 3),
        ("chair", 3),
        ("made", 2),
        ("real", 4),
    ]
    for group in groups:
        for name, better in (("iou", max), ("chamfer_l1", min)):
            means = {line.method: line.means[name] for line in group.lines if line.method != "true voxels"}
            marked = [line.method for line in group.lines if name in line.best]
            assert marked == [better(means, key=means.get)]


def test_the_terminal_shows_all_methods_metrics_and_groups(capsys):
    found = summaries()
    overview.print_overview(found, NAMES)
    text = capsys.readouterr().out
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    assert blocks[0][0] == "6 objects, 6 images; * marks the best"
    assert blocks[0][2].split() == [*NAMES, "failed"]  # before any other table
    means = {line.split()[0]: line.split() for line in blocks[0][3:5]}
    for method in ("prediction", "retrieval"):
        for column, name in ((1, "iou"), (4, "chamfer_l1")):
            assert means[method][column] == registry.METRICS[name].text(found[method][name]["mean"])
        assert means[method][-3:] == ["0", "of", "6"]
    assert [block[0] for block in blocks[1:3]] == ["by data set: mean over its objects", "by category"]
    assert [line for line in blocks[1] if not line.startswith(" ")][1:] == ["made (2)", "real (4)", "all objects (6)"]
    assert "by view" not in text and text.strip().endswith("lower is better: chamfer_l1; else higher")
    for line in text.splitlines():
        assert len(line) <= overview.WIDTH
    overview.print_overview(summaries(views=("00", "05")), NAMES)
    assert "by view" in capsys.readouterr().out


def test_many_metrics_are_printed_below_each_other(capsys):
    rows = [{**IMAGE, "category": "car", "object_id": "a", **dict.fromkeys(registry.METRICS, 0.5)}]
    names = list(registry.METRICS)
    overview.print_overview({"prediction": summarise(rows, names)}, names)
    text = capsys.readouterr().out
    headings = [line.split() for line in text.splitlines() if line.startswith(" " * overview.LABEL)]
    assert [name for heading in headings for name in heading if name != "failed"] == names and len(headings) > 1
    assert max(map(len, text.splitlines())) <= overview.WIDTH
    assert "by data set" not in text and "by category" not in text  # one category is the overview itself


def test_a_new_metric_changes_no_code_of_the_tables(monkeypatch, capsys):
    metric = registry.Metric(
        heading="offset",
        definition="a number",
        digits=1,
        higher_is_better=False,
        worst=0.0,
        measure=lambda comparison: 0.0,
        needs_surface=False,
    )
    monkeypatch.setitem(registry.METRICS, "offset", metric)
    rows = [{**IMAGE, "category": "car", "object_id": "a", "view": v, "offset": -2.0 - v} for v in range(2)]
    failed = [{**IMAGE, "category": "chair", "object_id": "b", "offset": None, "failed": "field is empty"}]
    overview.print_overview(
        {name: summarise(r, ["offset"]) for name, r in (("prediction", rows), ("other", failed))}, ["offset"]
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["prediction", "-2.5", "±", "0.0*", "0", "of", "2"] in lines
    assert ["other", "0.0", "±", "0.0", "1", "of", "1"] in lines
