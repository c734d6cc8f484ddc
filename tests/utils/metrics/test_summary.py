"""Means and standard deviations, in which failures count."""

import numpy as np
import pytest

from utils.metrics.summary import summarise

BOTH = ["iou", "psnr"]


def result(category, object_id, view, iou, psnr, failed=None):
    return {
        "category": category,
        "object_id": object_id,
        "view": view,
        "iou": iou,
        "psnr": psnr,
        "failed": failed,
        "no_mesh": None,
    }


def test_means_go_over_views_then_objects_then_categories():
    rows = [
        result("car", "a", 0, 0.2, 10), result("car", "a", 1, 0.4, 20),
        result("car", "b", 0, 0.9, 30),
        result("chair", "a", 0, 0.1, 5), result("chair", "a", 1, 0.1, 5), result("chair", "a", 2, 0.1, 5),
    ]  # fmt: skip
    summary = summarise(rows, BOTH)
    assert summary["iou"]["categories"] == pytest.approx({"car": (0.3 + 0.9) / 2, "chair": 0.1})
    assert summary["iou"]["mean"] == pytest.approx((0.6 + 0.1) / 2)
    assert summary["psnr"]["categories"] == pytest.approx({"car": 22.5, "chair": 5})
    assert summary["iou"]["views"][0] == pytest.approx({"car": 0.55, "chair": 0.1, "mean": 0.325})
    assert summary["iou"]["views"][2] == pytest.approx({"chair": 0.1, "mean": 0.1})
    assert (summary["images"], summary["objects"], summary["failed"], summary["failures"]) == (6, 3, 0, [])
    assert summarise(rows[::-1], BOTH) == summary
    assert "psnr" not in summarise(rows, ["iou"])


def test_standard_deviations_go_over_objects():
    rows = [
        result("car", "a", 0, 0.2, 1), result("car", "a", 1, 0.4, 1),  # the object counts with its mean, 0.3
        result("car", "b", 0, 0.9, 1),
        result("chair", "a", 0, 0.1, 1),
    ]  # fmt: skip
    summary = summarise(rows, ["iou"])["iou"]
    assert summary["categories_std"] == pytest.approx({"car": 0.3, "chair": 0})
    assert summary["std"] == pytest.approx(np.std([0.3, 0.9, 0.1]))
    assert summary["views_std"][0] == pytest.approx({"car": 0.35, "chair": 0, "mean": np.std([0.2, 0.9, 0.1])})
    assert summary["views_std"][1] == pytest.approx({"car": 0, "mean": 0})


def test_views_have_the_order_of_the_database():
    """Names without leading zeros, as other projects have them, count: 2 comes before 10."""
    rows = [result("car", "a", name, 0.5, 1) for name in ("10", "2", "r_1", "0", "r_12", "r_3")]
    summary = summarise(rows, ["iou"])["iou"]
    assert list(summary["views"]) == list(summary["views_std"]) == ["0", "2", "10", "r_1", "r_3", "r_12"]


def test_failures_count_with_the_worst_value_and_are_listed():
    good = [result("car", "a", view, 0.6, 12) for view in range(3)]
    bad = result("car", "a", 3, None, None, "field is empty")
    summary = summarise([*good, bad], BOTH)
    assert summary["iou"]["mean"] == pytest.approx(0.45)
    assert summary["psnr"]["mean"] == pytest.approx(9)
    assert summary["iou"]["views"][3]["mean"] == 0
    assert summary["failed"] == 1
    assert summary["failures"] == [{"category": "car", "object_id": "a", "view": 3, "failed": "field is empty"}]
    assert summarise([bad], BOTH)["iou"]["mean"] == 0
    far = [
        {**good[0], "chamfer_l1": 1.0},
        {**good[1], "chamfer_l1": 2.0, "no_mesh": "field is full"},
        {**bad, "chamfer_l1": None},
    ]
    summary = summarise(far, ["chamfer_l1"])
    assert summary["chamfer_l1"]["mean"] == pytest.approx((1 + 2 + 10 * 3**0.5) / 3)
    assert (summary["failed"], summary["without_surface"]) == (1, 1)
    with pytest.raises(ValueError, match="finite"):
        summarise([result("car", "a", 0, float("nan"), 3)], BOTH)
    with pytest.raises(ValueError):
        summarise([], BOTH)


def test_means_of_data_sets_are_over_objects():
    rows = [
        {**result("car", "a", 0, 0.2, 1), "data_set": "real"}, {**result("car", "a", 1, 0.4, 1), "data_set": "real"},
        {**result("chair", "b", 0, 0.9, 1), "data_set": "real"},
        {**result("chair", "c", 0, 0.1, 1), "data_set": "made"},
    ]  # fmt: skip
    whole = summarise(rows, ["iou"])
    assert whole["objects_of"] == {"categories": {"car": 1, "chair": 2}, "data_sets": {"made": 1, "real": 2}}
    summary = whole["iou"]
    assert summary["data_sets"] == pytest.approx({"made": 0.1, "real": (0.3 + 0.9) / 2})
    assert summary["data_sets_std"] == pytest.approx({"made": 0, "real": 0.3})
    assert summary["objects_mean"] == pytest.approx(np.mean([0.3, 0.9, 0.1]))
    assert summary["mean"] == pytest.approx((0.3 + 0.5) / 2)  # over categories
    unknown = summarise([{**row, "data_set": None} for row in rows], ["iou"])
    assert "data_sets" not in unknown["iou"] and "data_sets" not in unknown["objects_of"]
