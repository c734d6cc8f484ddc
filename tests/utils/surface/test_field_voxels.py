"""Surface voxels of fields: snapping, occupied cells, voxels that a mesh goes through."""

import numpy as np
import trimesh

from utils.geometry import frames
from utils.metrics import voxel_metrics
from utils.surface import field_voxels
from utils.surface.field_grid import FieldGrid


def test_snapping():
    rng = np.random.default_rng(0)
    a, colours = np.unique(rng.integers(-32, -24, (60, 3)), axis=0).astype(float), rng.random((60, 3))
    colours = colours[: len(a)]
    snapped, mean = field_voxels.snap_to_voxels(a, colours)
    assert voxel_metrics.iou(snapped, a) == 1
    assert voxel_metrics.psnr(snapped, mean, a, colours) == voxel_metrics.PEAK_DB
    points = np.array([[0.2, 0, 0], [-0.5, 0.3, 0], [0.6, 0, 0], [99, -99, 0]])
    snapped, mean = field_voxels.snap_to_voxels(points, np.array([[0.0, 0, 0], [1, 0.5, 0], [0.25] * 3, [0.75] * 3]))
    np.testing.assert_array_equal(snapped, [[0, 0, 0], [1, 0, 0], [31, -32, 0]])
    np.testing.assert_allclose(mean, [[0.5, 0.25, 0], [0.25] * 3, [0.75] * 3])


def ball(resolution):
    """A binary field of a thick spherical shell, coloured by position."""
    points = frames.voxel_centres(resolution)
    g0 = 0.05 - abs(np.linalg.norm(points, axis=1) - 0.35)
    colours = np.where((g0 > 0)[:, None], points + 0.5, -1)
    return FieldGrid(resolution, g0.astype(np.float32), colours.astype(np.float32))


def test_binary_voxels():
    field = ball(64)
    voxels, colours = field_voxels.binary_voxels(field)
    occupied = frames.to_voxel(frames.voxel_centres(64))[field.geometry > 0]
    assert set(map(tuple, voxels)) == set(map(tuple, occupied))
    np.testing.assert_allclose(colours, frames.from_voxel(voxels) + 0.5, atol=1e-6)
    # twice the resolution: the same voxels but for those that the surface cuts, colours averaged
    fine, fine_colours = field_voxels.binary_voxels(ball(128))
    assert 0.8 < voxel_metrics.iou(fine, voxels) < 1
    assert abs(fine_colours - (frames.from_voxel(fine) + 0.5)).max() < 0.6 / 64
    nothing, _ = field_voxels.binary_voxels(field, iso=1)
    assert nothing.shape == (0, 3)
    # a lower iso value includes cells without a colour: they get that of their surroundings
    more, more_colours = field_voxels.binary_voxels(field, iso=-0.01)
    assert len(more) > len(voxels)
    assert abs(more_colours - (frames.from_voxel(more) + 0.5)).max() < 0.05


def test_sdf_surface_voxels_are_those_the_surface_goes_through():
    """A square slab inside the volume: known voxels, colours of the vertices interpolated."""
    box = trimesh.creation.box((40 / 64, 20 / 64, 10 / 64))
    box.apply_translation([0.5 / 64] * 3)  # sides run through the middle of voxels
    voxels, colours = field_voxels.sdf_surface_voxels(box.vertices, box.faces, np.asarray(box.vertices) + 0.5)
    side = [np.arange(-n // 2, n // 2 + 1) for n in (40, 20, 10)]
    solid = np.stack(np.meshgrid(*side, indexing="ij"), -1).reshape(-1, 3)
    shell = solid[(abs(solid) == [20, 10, 5]).any(1)]
    assert voxel_metrics.iou(voxels, shell) > 0.999  # samples are random: a cut corner of a voxel may be missed
    assert abs(colours - (frames.from_voxel(voxels) + 0.5)).max() < 1 / 64
    again, _ = field_voxels.sdf_surface_voxels(box.vertices, box.faces, np.asarray(box.vertices) + 0.5)
    np.testing.assert_array_equal(voxels, again)
