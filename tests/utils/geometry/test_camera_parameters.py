"""Parameters of cameras, and the symmetries that make cameras equal."""

import numpy as np
import pytest
import tensorflow as tf
import trimesh

from utils.geometry import symmetry
from utils.geometry.camera_parameters import CameraParts
from utils.geometry.cameras import FOCAL, compose, intrinsics, look_at, project, resize_camera
from utils.images.crop import Square
from utils.metrics import camera_metrics

SIZE = 138


def camera(azimuth, elevation, distance, square=None):
    matrix = compose(intrinsics(SIZE), look_at(azimuth, elevation, distance))
    return matrix if square is None else resize_camera(square.camera(matrix), (square.side,) * 2, (SIZE, SIZE))


@pytest.mark.parametrize("square", [None, Square(20, 35, 80), Square(-30, -10, 200)])
def test_the_camera_can_be_rebuilt_from_its_parameters(square):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    for azimuth, elevation, distance in ((0, 5, 1.3), (123, 50, 3.0), (290, -20, 2.0)):
        matrix = camera(azimuth, elevation, distance, square)
        for scale in (1.0, 0.3):  # a scaled matrix is the same camera
            parts = CameraParts.of(scale * matrix, SIZE)
            np.testing.assert_allclose(project(points, parts.trans_mat(SIZE))[0], project(points, matrix)[0], atol=1e-8)
            assert parts.distance == pytest.approx(distance)
            np.testing.assert_allclose(parts.rotation, look_at(azimuth, elevation, distance)[:, :3], atol=1e-9)


def test_a_camera_that_looks_past_the_origin_is_nearly_the_same():
    RT = look_at(40, 20, 2.5)
    RT[0, 3] += 0.2
    matrix = compose(intrinsics(SIZE), RT)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    off = project(points, CameraParts.of(matrix, SIZE).trans_mat(SIZE))[0] - project(points, matrix)[0]
    nearest = 2.5 - np.sqrt(0.75)  # smallest depth of a point of the cube
    assert 0 < abs(off).max() < 0.2 * SIZE * FOCAL * (1 / nearest - 1 / 2.5)


def sampled(mesh, colour_of=None):
    mesh.apply_translation(-mesh.bounds.mean(0))
    mesh.apply_scale(1 / mesh.extents.max())
    points = trimesh.sample.sample_surface(mesh, 16384, seed=0)[0]
    colours = np.full((len(points), 3), 100, np.uint8) if colour_of is None else colour_of(points)
    return points, colours


def box(*extents):
    return trimesh.creation.box(extents)


def upright(mesh):
    return mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))


@pytest.mark.parametrize("mesh, order", [
    (lambda: box(1, 0.5, 0.6), 2),
    (lambda: box(0.8, 1, 0.8), 4),
    (lambda: upright(trimesh.creation.cylinder(0.5, 0.7, sections=64)), symmetry.CONTINUOUS),
    (lambda: upright(trimesh.creation.cylinder(0.5, 0.7, sections=6)), 6),
    (lambda: trimesh.util.concatenate([box(1, 0.2, 1), box(0.2, 1, 1).apply_translation([0.6, 0.5, 0])]), 1),
])  # fmt: skip
def test_rotational_orders_of_solids(mesh, order):
    assert symmetry.rotational_order(*sampled(mesh())) == order


def test_rotational_orders_in_threads_of_tensorflow():
    """They take the smallest numbers for 0, for which a search tree over zeros would never end."""
    points, colours = sampled(box(1, 0.5, 0.6))
    points[len(points) // 4 :, 1] = 0
    points[: len(points) // 4, 1] = np.abs(points[: len(points) // 4, 1])
    order = symmetry.rotational_order(points, colours)
    dataset = tf.data.Dataset.range(1).map(
        lambda _: tf.numpy_function(lambda: np.int64(symmetry.rotational_order(points, colours)), [], tf.int64)
    )
    assert [int(value) for value in dataset] == [order]


def test_colours_break_a_symmetry():
    def front(points):
        return np.where(points[:, 2:] > 0, [200, 40, 40], [40, 40, 200]).astype(np.uint8)

    assert symmetry.rotational_order(*sampled(box(0.8, 1, 0.8), front)) == 1


def test_errors_of_cameras():
    points, colours = sampled(box(1, 0.5, 0.6))
    true = camera(30, 20, 2.5)
    exact = camera_metrics.camera_errors(true, true, points, colours)
    assert exact == pytest.approx({"angle": 0, "angle_plain": 0, "pixels": 0, "space": 0, "order": 2}, abs=1e-5)
    behind = camera_metrics.camera_errors(camera(210, 20, 2.5), true, points, colours)
    assert behind["angle"] == pytest.approx(0, abs=1e-4) and behind["pixels"] < 1e-6
    # the cameras differ by half a turn about the vertical axis
    assert behind["angle_plain"] == pytest.approx(180, abs=1e-4)
    turned = camera_metrics.camera_errors(camera(40, 20, 2.5), true, points, colours)
    assert turned["angle"] == pytest.approx(10, abs=1e-6) and turned["pixels"] > 1
    nearer = camera_metrics.camera_errors(camera(30, 20, 2.0), true, points, colours)
    assert nearer["angle"] == pytest.approx(0, abs=1e-5) and nearer["space"] == pytest.approx(0.5)
    rows = [{"category": "a", **exact}, {"category": "b", **turned}, {"category": "b", **behind}]
    summary = camera_metrics.summarise(rows)
    assert summary["all"]["median"]["angle"] == pytest.approx(0, abs=1e-4) and summary["b"]["mean"][
        "angle"
    ] == pytest.approx(5, abs=1e-4)
    assert summary["all"]["within_15"] == 1
