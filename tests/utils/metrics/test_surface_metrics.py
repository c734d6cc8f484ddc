"""Metrics of surfaces against all pairs, and on solids whose answers are known."""

import itertools

import numpy as np
import pytest
import trimesh

from utils.metrics import surface_metrics as surfaces


def sphere(radius, count=20000):
    """Points and exact normals, evenly spread."""
    mesh = trimesh.creation.icosphere(5, radius)
    points, normals = surfaces.sample_mesh(mesh.vertices, mesh.faces, count)
    return radius * points / np.linalg.norm(points, axis=1, keepdims=True), normals


def both_ways(a, b):
    return surfaces.nearest(a, b)[0], surfaces.nearest(b, a)[0]


def test_concentric_spheres_are_as_far_apart_as_their_radii():
    a, b = sphere(0.3)[0], sphere(0.4)[0]
    accuracy, completeness = both_ways(a, b)
    assert surfaces.chamfer_l1(accuracy, completeness) == pytest.approx(
        10 * 0.1, rel=2e-3
    )  # tenths of the longest side
    assert surfaces.chamfer_l2(a, b, 1.0) == pytest.approx(1000 * 2 * 0.1**2, rel=4e-3)
    assert surfaces.chamfer_l2(a, b, 0.5) == pytest.approx(4 * surfaces.chamfer_l2(a, b, 1.0))
    # the step of the F-score is at the distance
    assert (
        surfaces.f_score(accuracy, completeness, 0.0999) == 0 and surfaces.f_score(accuracy, completeness, 0.103) == 1
    )


def test_sorted_points_keep_their_nearest():
    """Many points are searched in another order than they come in."""
    rng = np.random.default_rng(1)
    points, others = rng.normal(size=(surfaces.MANY, 3)), rng.normal(size=(300, 3))
    order = surfaces.spatial_order(points)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(points)))
    step = np.linalg.norm(np.diff(points[order], axis=0), axis=1).mean()
    assert step < np.linalg.norm(np.diff(points, axis=0), axis=1).mean() / 4
    distances, indices = surfaces.nearest(points, surfaces.Tree(others))
    pairs = np.linalg.norm(points[:, None] - others[None], axis=-1)
    np.testing.assert_array_equal(indices, pairs.argmin(1))
    np.testing.assert_allclose(distances, pairs.min(1))
    assert len(surfaces.spatial_order(np.zeros((5, 3)))) == 5


def test_distances_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.random((60, 3)), rng.random((90, 3))
    d = np.linalg.norm(a[:, None] - b[None], axis=-1)
    accuracy, completeness = both_ways(a, b)
    assert surfaces.chamfer_l1(accuracy, completeness) == pytest.approx(10 * (d.min(1).mean() + d.min(0).mean()) / 2)
    assert surfaces.chamfer_l2(a, b, 0.7) == pytest.approx(
        1000 * ((d.min(1) ** 2).mean() + (d.min(0) ** 2).mean()) / 0.49
    )
    precision, recall = (d.min(1) < 0.1).mean(), (d.min(0) < 0.1).mean()
    assert precision != recall
    assert surfaces.f_score(accuracy, completeness, 0.1) == pytest.approx(2 * precision * recall / (precision + recall))
    # both directions count alike
    assert surfaces.chamfer_l1(completeness, accuracy) == surfaces.chamfer_l1(accuracy, completeness)
    assert surfaces.chamfer_l2(b, a, 0.7) == pytest.approx(surfaces.chamfer_l2(a, b, 0.7))
    assert surfaces.f_score(completeness, accuracy, 0.1) == pytest.approx(surfaces.f_score(accuracy, completeness, 0.1))


def test_half_a_prediction_has_all_precision_and_half_the_recall():
    whole = np.random.default_rng(0).random((1000, 3))
    accuracy, completeness = both_ways(whole[:500], whole)
    assert surfaces.f_score(accuracy, completeness, 1e-9) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_emd():
    rng = np.random.default_rng(0)
    a = rng.random((400, 3))
    shift = np.array([0.3, -0.1, 0.2])
    length = np.linalg.norm(shift)
    # no assignment is better than the distance of the means, which the shift itself reaches
    assert surfaces.emd(a + shift, a, 1.0) == pytest.approx(20.48 * length)
    assert surfaces.emd(rng.permutation(a), a, 1.0) == 0
    assert surfaces.emd(a + shift, a, 0.5) == pytest.approx(2 * 20.48 * length)
    b = rng.random((400, 3))
    assert surfaces.emd(a, b, 1.0) == pytest.approx(surfaces.emd(b, a, 1.0))
    assert surfaces.emd(a, b, 1.0) >= 20.48 * surfaces.nearest(a, b)[0].mean()
    a, b = a[:6], b[:6]
    best = min(np.linalg.norm(a - b[list(order)], axis=1).mean() for order in itertools.permutations(range(6)))
    assert surfaces.emd(a, b, 1.0) == pytest.approx(20.48 * best)
    with pytest.raises(ValueError, match="one to one"):
        surfaces.emd(a, b[:5], 1.0)


def test_normal_consistency():
    (a, normals), (b, true_normals) = sphere(0.4), sphere(0.4, 7000)
    nearest_true, nearest_predicted = surfaces.nearest(a, b)[1], surfaces.nearest(b, a)[1]
    same = surfaces.normal_consistency(normals, true_normals, nearest_true, nearest_predicted)
    assert 0.998 < same <= 1
    assert surfaces.normal_consistency(-normals, true_normals, nearest_true, nearest_predicted) == pytest.approx(
        same
    )  # the sign of a normal does not matter
    assert surfaces.normal_consistency(true_normals, normals, nearest_predicted, nearest_true) == pytest.approx(same)
    across = np.cross(normals, [0.3, 0.5, 0.8])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    assert surfaces.normal_consistency(across, true_normals, nearest_true, nearest_predicted) < 0.05
    # independent normals: the mean of |cos| over the sphere is 1/2
    rng = np.random.default_rng(0)
    random = rng.normal(size=a.shape)
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    assert surfaces.normal_consistency(random, true_normals, nearest_true, nearest_predicted) == pytest.approx(
        0.5, abs=0.02
    )


def test_estimated_normals_are_those_of_sphere_and_box():
    points, _ = sphere(0.4, 16384)
    cosine = np.abs((surfaces.estimate_normals(points) * points / 0.4).sum(1))
    assert cosine.mean() > 0.998 and cosine.min() > 0.95
    box = trimesh.creation.box((1, 0.6, 0.3))
    points, normals = surfaces.sample_mesh(box.vertices, box.faces, 16384)
    estimate = surfaces.estimate_normals(points)
    np.testing.assert_allclose(np.linalg.norm(estimate, axis=1), 1)
    cosine = np.abs((estimate * normals).sum(1))
    assert cosine.mean() > 0.98
    inner = (np.sort(0.5 * np.array([1, 0.6, 0.3]) - np.abs(points), axis=1)[:, 1]) > 0.05  # away from edges
    assert inner.mean() > 0.4 and cosine[inner].min() > 1 - 1e-6
    assert surfaces.estimate_normals(points[:2]).shape == (2, 3)


def test_samples_lie_on_the_mesh_uniformly_with_its_normals():
    box = trimesh.creation.box((1, 0.6, 0.3))
    points, normals = surfaces.sample_mesh(box.vertices, box.faces, 30000)
    half = np.array([0.5, 0.3, 0.15])
    axis = np.abs(normals).argmax(1)
    assert np.allclose(np.abs(normals).max(1), 1)
    rows = np.arange(len(points))
    np.testing.assert_allclose(points[rows, axis], half[axis] * np.sign(normals[rows, axis]))  # outward
    areas = np.array([0.6 * 0.3, 1 * 0.3, 1 * 0.6])
    np.testing.assert_allclose(np.bincount(axis) / len(points), areas / areas.sum(), atol=0.01)
    np.testing.assert_array_equal(points, surfaces.sample_mesh(box.vertices, box.faces, 30000)[0])


def test_disn_radius():
    points, _ = sphere(0.4)
    assert surfaces.disn_radius(points + [0.05, 0, 0]) == pytest.approx(0.5)  # the lower bound
    assert surfaces.disn_radius(2 * points) == pytest.approx(0.8, rel=0.01)


def test_weights_undo_the_crowding_of_points_near_the_surface():
    """Balls of radius 0.4 and 0.3, sampled at points that crowd near the surface of the larger."""
    rng = np.random.default_rng(0)
    near = sphere(0.4, 20000)[0] + rng.normal(0, 0.02, (20000, 3))
    points = np.concatenate([near, rng.uniform(-0.5, 0.5, (6000, 3))])
    weights = surfaces.volumes_of(points)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    radius = np.linalg.norm(points, axis=1)
    large, small = radius < 0.4, radius < 0.3
    assert weights[large].sum() == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.02)
    assert surfaces.solid_iou(small, large, weights) == pytest.approx(0.75**3, rel=0.05)
    assert (small & large).sum() / (small | large).sum() < 0.3  # without weights it would be another number
    assert surfaces.solid_iou(large, small, weights) == surfaces.solid_iou(small, large, weights)
    assert surfaces.solid_iou(large, large, weights) == 1
    nothing = np.zeros(len(points), bool)
    assert surfaces.solid_iou(nothing, large, weights) == 0 and surfaces.solid_iou(nothing, nothing, weights) == 1


def test_subset():
    points = np.random.default_rng(0).random((100, 3))
    chosen = surfaces.subset(points, 40)
    assert len({tuple(point) for point in chosen} & {tuple(point) for point in points}) == 40
    np.testing.assert_array_equal(chosen, surfaces.subset(points, 40))
    assert surfaces.subset(points, 100) is points
