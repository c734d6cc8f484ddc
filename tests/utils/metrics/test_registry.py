"""The metrics by name, and means and deviations in which failures count."""

import numpy as np
import pytest

from utils.errors import UserError
from utils.metrics import registry
from utils.metrics.comparison import Prediction, Truth
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
        result("car", "a", 0, 0.2, 1), result("car", "a", 1, 0.4, 1),  # the object's mean counts: 0.3
        result("car", "b", 0, 0.9, 1),
        result("chair", "a", 0, 0.1, 1),
    ]  # fmt: skip
    summary = summarise(rows, ["iou"])["iou"]
    assert summary["categories_std"] == pytest.approx({"car": 0.3, "chair": 0})
    assert summary["std"] == pytest.approx(np.std([0.3, 0.9, 0.1]))
    assert summary["views_std"][0] == pytest.approx({"car": 0.35, "chair": 0, "mean": np.std([0.2, 0.9, 0.1])})
    assert summary["views_std"][1] == pytest.approx({"car": 0, "mean": 0})


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


def test_names_are_parsed_and_unknown_ones_refused():
    assert registry.parse_names(registry.DEFAULT) == BOTH and registry.parse_names("psnr,iou,psnr") == BOTH
    assert registry.parse_names("all") == list(registry.METRICS)
    for wrong in ("iou,chamfer", "", "all,iou"):
        with pytest.raises(UserError, match="known: all, iou, psnr, .*normal_consistency"):
            registry.parse_names(wrong)


def test_every_metric_has_its_definition_and_its_worst_value():
    known = registry.definitions(list(registry.METRICS))
    assert set(registry.METRICS) | set(registry.GENERAL) == set(known) and {"mean", "std", "views", "failures"} <= set(
        known
    )
    assert known["chamfer_l1"].endswith("Worst value: 17.3205") and "100000 points" in known["chamfer_l1"]
    assert "emd" not in registry.definitions(BOTH)


def cube_shell(half):
    """Voxels of a cube's surface around the origin, from -half to half - 1 in the voxel frame."""
    line = np.arange(-half, half)
    cells = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    return cells[((cells == -half) | (cells == half - 1)).any(1)]


def cube_truth(half):
    """The Truth of the cube whose surface the shell's outside is: exact points and distances."""
    rng = np.random.default_rng(0)
    side = half / 64
    surface = rng.uniform(-side, side, (16000, 3))
    surface[np.arange(16000), rng.integers(3, size=16000)] = side * rng.choice([-1, 1], 16000)
    points = np.concatenate([rng.uniform(-0.5, 0.5, (2000, 3)), surface + rng.normal(0, 0.02, surface.shape)])
    distances = np.abs(points).max(1) - side  # of the right sign
    voxels = cube_shell(half)
    return Truth(voxels, (voxels + 32) / 63, surface, points, distances)


def test_every_metric_of_the_truth_itself_is_its_best_and_of_nothing_its_worst():
    truth = cube_truth(20)
    names = list(registry.METRICS)
    own = registry.measure(names, Prediction.of_voxels(truth.voxels, truth.colours), truth)
    small = registry.measure(names, Prediction.of_voxels(cube_shell(12), np.zeros((len(cube_shell(12)), 3))), truth)
    assert (
        own["iou"] == 1
        and own["psnr"] == own["psnr_im2avatar"] == own["psnr_ycbcr"] == own["psnr_ycbcr_im2avatar"] == 100
    )
    assert own["volume_iou"] > 0.98  # marching cubes cuts the edges
    assert own["f_score_0.5"] < own["f_score_1"] < own["f_score_2"] and own["f_score_2"] > 0.99
    assert own["normal_consistency"] > 0.95 and own["chamfer_l1"] < 0.1
    assert small["volume_iou"] == pytest.approx(0.6**3, rel=0.1)
    for name in names:
        worst = registry.METRICS[name].worst
        assert abs(own[name] - worst) > abs(small[name] - worst), name


def test_a_field_without_a_surface_has_the_worst_values_of_surfaces_alone():
    truth = cube_truth(20)
    full = Prediction(truth.voxels, truth.colours, np.ones((8, 8, 8)), True, 0.0, True)
    values = registry.measure(["iou", "volume_iou", "chamfer_l1", "emd"], full, truth)
    assert values == {"iou": 1.0, **registry.worst_values(["volume_iou", "chamfer_l1", "emd"])}
    assert "field is full" in full.no_surface


def test_a_truth_without_surface_points_is_named():
    voxels = cube_shell(3)
    bare = Truth(voxels, np.zeros((len(voxels), 3)), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    prediction = Prediction.of_voxels(voxels, np.zeros((len(voxels), 3)))
    assert registry.measure(["iou"], prediction, bare) == {"iou": 1}
    with pytest.raises(UserError, match="no surface points"):
        registry.measure(["iou", "emd"], prediction, bare)
