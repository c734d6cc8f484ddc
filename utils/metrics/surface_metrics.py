"""Chamfer distances, F-score, normal consistency, EMD between surfaces as clouds of points, and the IoU of solids.

Clouds are (N, 3) points in the object frame, whose unit is the longest side of the object's bounding box.
"""

import numpy as np

from utils.geometry.frames import voxel_centres

NEIGHBOURS = (
    12  # points whose plane gives a normal: of 6 to 30 the closest to the normals of meshes, at 16384 points an object
)
DISN_POINTS = 2048  # DISN compares clouds of so many points
CUBE_DIAGONAL = 3**0.5  # no two points of the cube [-0.5, 0.5]^3 are farther apart


def sample_mesh(vertices, faces, count):
    """`count` points (count, 3), uniform by area, and the unit normals (count, 3) of their faces; from a fixed seed."""
    import trimesh

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    points, face = trimesh.sample.sample_surface(mesh, count, seed=0)
    a, b, c = (np.asarray(vertices)[np.asarray(faces)[face][:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)  # a face without area is never drawn
    return np.asarray(points), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def estimate_normals(points):
    """(N, 3) points of a surface -> (N, 3) unit normals of unknown sign: of the plane through the nearest points of each."""
    from scipy.spatial import cKDTree

    _, near = cKDTree(points).query(points, min(NEIGHBOURS, len(points)))
    offsets = np.asarray(points, np.float64)[near.reshape(len(points), -1)]
    offsets -= offsets.mean(1, keepdims=True)
    return np.linalg.eigh(np.einsum("nki,nkj->nij", offsets, offsets))[1][
        :, :, 0
    ]  # eigenvalues rise: the first is across the plane


def nearest(points, others):
    """(N, 3) points, (M, 3) others -> (N,) distance to the nearest of the others, (N,) which it is."""
    from scipy.spatial import cKDTree

    return cKDTree(others).query(points)


def chamfer_l1(accuracy, completeness):
    """Occupancy Networks' Chamfer-L1: mean of the two mean distances, in tenths of the longest side.

    accuracy (N,): distance of every predicted point to the nearest true one; completeness (M,): of every true point to the
    nearest predicted one. Both in the object frame.
    """
    return 10 * float(np.mean(accuracy) + np.mean(completeness)) / 2


def f_score(accuracy, completeness, threshold):
    """Harmonic mean of the shares of distances below the threshold: precision of the prediction, recall of the truth."""
    precision, recall = np.mean(np.asarray(accuracy) < threshold), np.mean(np.asarray(completeness) < threshold)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def normal_consistency(normals, true_normals, nearest_true, nearest_predicted):
    """Mean of |n . n'| between every predicted point's normal and that of the nearest true point, and the reverse.

    normals (N, 3), true_normals (M, 3) unit; nearest_true (N,) and nearest_predicted (M,) as `nearest` gives them.
    """
    there = np.abs((normals * true_normals[nearest_true]).sum(1)).mean()
    back = np.abs((true_normals * normals[nearest_predicted]).sum(1)).mean()
    return float(there + back) / 2


def disn_radius(points):
    """Distance of the farthest of (N, 3) surface points from their mean: the length that is 1 in DISN's frame.

    At least 1/2: two points of an object are the longest side, 1, apart, so one of them is that far from any centre.
    """
    return max(0.5, float(np.linalg.norm(points - points.mean(0), axis=1).max()))


def chamfer_l2(points, true_points, radius):
    """DISN's Chamfer distance: 1000 x the sum of the two mean squared distances, in its frame (object frame / radius)."""
    there, back = nearest(points, true_points)[0], nearest(true_points, points)[0]
    return 1000 * float(np.mean(there**2) + np.mean(back**2)) / radius**2


def emd(points, true_points, radius):
    """DISN's earth mover's distance, by the exact best one-to-one assignment of two clouds (N, 3).

    Mean distance of the pairs in its frame (object frame / radius), x 20.48: DISN takes 0.01 x the sum over 2048 pairs.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if len(points) != len(true_points):
        raise ValueError(f"clouds of {len(points)} and {len(true_points)} points cannot be assigned one to one")
    cost = cdist(points, true_points)
    return 0.01 * DISN_POINTS * float(cost[linear_sum_assignment(cost)].mean()) / radius


def subset(points, count):
    """At most `count` of (N, 3) points, chosen at random from a fixed seed."""
    if len(points) <= count:
        return points
    return points[np.random.default_rng(0).choice(len(points), count, replace=False)]


def volumes_of(points):
    """(N, 3) points -> (N,) share of the cube that is nearest to each, counted over the centres of its 64^3 voxels.

    Points that were drawn mostly near surfaces become fair samples of the whole cube with these weights.
    """
    centres = voxel_centres()
    return np.bincount(nearest(centres, points)[1], minlength=len(points)) / len(centres)


def solid_iou(inside, true_inside, weights):
    """IoU of two solids given as (N,) bool at points with (N,) volumes; 1 where both are empty."""
    union = weights[inside | true_inside].sum()
    return float(weights[inside & true_inside].sum() / union) if union else 1.0
