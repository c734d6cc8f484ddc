"""The frames: their definitions, their order in files, their inverses."""

import numpy as np
import pytest

from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at, project

FRAMES = {
    "binary": frames.cube_frame(True),
    "sdf": frames.cube_frame(False),
    "sphere": frames.sphere_frame(np.random.default_rng(0).uniform(-0.5, 0.4, (500, 3))),
}


def test_voxels_are_whole_numbers_at_their_centres():
    voxels = frames.to_voxel(frames.voxel_centres())
    assert voxels.min() == -32 and voxels.max() == 31 and (voxels == np.rint(voxels)).all()
    np.testing.assert_array_equal(voxels[:3], [[-32, -32, -32], [-31, -32, -32], [-30, -32, -32]])  # x fastest
    np.testing.assert_array_equal(frames.from_voxel(voxels), frames.voxel_centres())


def test_model_frames_of_both_modes():
    points = np.array([[-0.5, 0, 0.5]])
    np.testing.assert_array_equal(FRAMES["binary"].to_model(points), frames.to_voxel(points))
    np.testing.assert_array_equal(FRAMES["sdf"].to_model(points), 2 * points)


def test_a_sphere_frame_holds_the_object_in_the_unit_sphere():
    points = np.random.default_rng(0).uniform(-0.5, 0.4, (500, 3))
    moved = FRAMES["sphere"].to_model(points)
    np.testing.assert_allclose(moved.mean(0), 0, atol=1e-12)
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(1)


@pytest.mark.parametrize("name", FRAMES)
def test_points_and_cameras_go_to_model_frames_and_back(name):
    frame, points = FRAMES[name], np.random.default_rng(1).uniform(-0.5, 0.5, (20, 3))
    camera = compose(intrinsics(50), look_at(40, 20, 2))
    np.testing.assert_allclose(frame.from_model(frame.to_model(points)), points, atol=1e-12)
    np.testing.assert_allclose(frame.object_camera(frame.camera(camera)), camera, atol=1e-12)
    for seen, wanted in zip(
        project(frame.to_model(points), frame.camera(camera)), project(points, camera), strict=True
    ):
        np.testing.assert_allclose(seen, wanted)
