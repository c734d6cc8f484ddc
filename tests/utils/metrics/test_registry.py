"""The metrics by name: definitions, directions and worst values, on shapes with known answers."""

import numpy as np
import pytest

from utils.errors import UserError
from utils.metrics import registry, surface_metrics
from utils.metrics.comparison import Prediction, Truth

BOTH = ["iou", "psnr"]


def test_names_are_parsed_and_unknown_ones_rejected():
    assert registry.parse_names(registry.DEFAULT) == BOTH and registry.parse_names("psnr,iou,psnr") == BOTH
    assert registry.parse_names("all") == list(registry.METRICS)
    for wrong in ("iou,chamfer", "", "all,iou"):
        with pytest.raises(UserError, match="unknown metric .*known: all, iou, psnr, .*normal_consistency"):
            registry.parse_names(wrong)


def test_metrics_of_colours_are_left_out_of_a_network_without_colours():
    assert registry.without_colour(["iou", "psnr", "emd"]) == ["iou", "emd"]
    with pytest.raises(UserError, match="metrics psnr,psnr_ycbcr need colours"):
        registry.without_colour(["psnr", "psnr_ycbcr"])


def test_every_metric_has_its_definition_and_its_worst_value():
    definitions = registry.definitions(list(registry.METRICS))
    assert set(registry.METRICS) | set(registry.GENERAL) == set(definitions)
    assert {"mean", "std", "views", "failures"} <= set(definitions)
    assert definitions["chamfer_l1"].endswith("Worst value: 17.3205")
    assert "100000 points" in definitions["chamfer_l1"]
    assert "emd" not in registry.definitions(BOTH)


def cube_shell(half):
    """Voxels of a cube's surface around the origin, from -half to half - 1 in the voxel frame."""
    line = np.arange(-half, half)
    cells = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    return cells[((cells == -half) | (cells == half - 1)).any(1)]


def cube_truth(half):
    """The Truth of the cube with the outside of `cube_shell`: exact points and distances."""
    rng = np.random.default_rng(0)
    side = half / 64
    surface = rng.uniform(-side, side, (16000, 3))
    surface[np.arange(16000), rng.integers(3, size=16000)] = side * rng.choice([-1, 1], 16000)
    points = np.concatenate([rng.uniform(-0.5, 0.5, (2000, 3)), surface + rng.normal(0, 0.02, surface.shape)])
    distances = np.abs(points).max(1) - side  # of the right sign
    voxels = cube_shell(half)
    return Truth(voxels, (voxels + 32) / 63, surface, points, distances)


def test_the_truth_itself_has_the_best_value_of_every_metric(monkeypatch):
    monkeypatch.setattr(surface_metrics, "DISN_POINTS", 512)  # the best assignment takes its cube
    truth = cube_truth(20)
    names = list(registry.METRICS)
    own = registry.measure(names, Prediction.of_voxels(truth.voxels, truth.colours), truth)
    small = registry.measure(names, Prediction.of_voxels(cube_shell(12), np.zeros((len(cube_shell(12)), 3))), truth)
    assert own["iou"] == 1
    assert own["psnr"] == own["psnr_im2avatar"] == own["psnr_ycbcr"] == own["psnr_ycbcr_im2avatar"] == 100
    assert own["volume_iou"] > 0.98  # marching cubes cuts the edges
    assert own["f_score_0.5"] < own["f_score_1"] < own["f_score_2"] and own["f_score_2"] > 0.99
    assert own["normal_consistency"] > 0.95 and own["chamfer_l1"] < 0.1
    assert small["volume_iou"] == pytest.approx(0.6**3, rel=0.1)
    for name, metric in registry.METRICS.items():
        best_to_worst = [own[name], small[name], metric.worst]
        assert best_to_worst == sorted(best_to_worst, reverse=metric.higher_is_better), name
        assert own[name] != small[name], name


def test_a_field_without_a_surface_has_the_worst_value_of_metrics_of_surfaces_only():
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
