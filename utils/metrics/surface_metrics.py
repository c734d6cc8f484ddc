"""Metrics between surfaces, compared as point clouds, and the IoU of solids.

Points are (N, 3) arrays in the object frame. Its unit of length is the longest side of the
object's bounding box.
"""

import numpy as np
import trimesh
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree as Tree
from scipy.spatial.distance import cdist

from utils.geometry.frames import voxel_centres

# Neighbours that define the plane at a point. At 16384 points an object, 12 came closest to the
# normals of the meshes among 6 to 30.
NEIGHBOURS = 12
DISN_POINTS = 2048  # DISN compares point clouds of this size
MANY = 4096  # points from which sorting them pays
BITS = 6  # cells along an axis, by which points are sorted: 2 to this power
CUBE_DIAGONAL = 3**0.5  # the largest distance between two points of the cube [-0.5, 0.5]^3


def sample_mesh(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points uniformly by area from a mesh, with a fixed seed.

    Args:
        vertices: (V, 3).
        faces: (F, 3) vertex indices.
        count: number of points.

    Returns:
        Points (count, 3) and the unit normals (count, 3) of their faces.
    """
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    points, face_of_point = trimesh.sample.sample_surface(mesh, count, seed=0)
    a, b, c = (np.asarray(vertices)[np.asarray(faces)[face_of_point][:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)  # never 0: a face without area is not drawn
    return np.asarray(points), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def estimate_normals(points: np.ndarray) -> np.ndarray:
    """Estimate the normals of a surface from its points (N, 3).

    The normal of a point is that of the plane through its nearest points.

    Returns:
        Unit normals (N, 3) whose sign is unknown.
    """
    _, neighbours = Tree(points).query(points, min(NEIGHBOURS, len(points)))
    offsets = np.asarray(points, np.float64)[neighbours.reshape(len(points), -1)]
    offsets -= offsets.mean(1, keepdims=True)
    eigenvectors = np.linalg.eigh(np.einsum("nki,nkj->nij", offsets, offsets))[1]
    return eigenvectors[:, :, 0]  # eigenvalues rise: the first direction is perpendicular to the plane


def nearest(points: np.ndarray, others: np.ndarray | Tree) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of `others` (M, 3), or of those of a Tree, for each of `points` (N, 3).

    Returns:
        Distances (N,) and indices (N,) of the nearest.
    """
    tree = others if isinstance(others, Tree) else Tree(others)
    if len(points) < MANY:
        return tree.query(points)
    order = spatial_order(points)
    distances, indices = np.empty(len(points)), np.empty(len(points), np.int64)
    distances[order], indices[order] = tree.query(np.asarray(points)[order])
    return distances, indices


def spatial_order(points: np.ndarray) -> np.ndarray:
    """(N,) indices that put points near each other one after another (Morton's order).

    A tree is searched in half of the time by points in such an order: what it has to read is in
    the processor's cache.
    """
    low, high = points.min(0), points.max(0)
    cells = ((points - low) / max(float((high - low).max()), 1e-12) * (2**BITS - 1)).astype(np.int64)
    key = np.zeros(len(points), np.int64)
    for bit in range(BITS):
        for axis in range(3):
            key |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(key, kind="stable")


def chamfer_l1(accuracy: np.ndarray, completeness: np.ndarray) -> float:
    """Occupancy Networks' Chamfer-L1: the mean of the two mean distances, x 10.

    The factor makes the unit a tenth of the longest side.

    Args:
        accuracy: (N,) distance of every predicted point to the nearest true one, object frame.
        completeness: (M,) distance of every true point to the nearest predicted one, object frame.
    """
    return 10 * float(np.mean(accuracy) + np.mean(completeness)) / 2


def f_score(accuracy: np.ndarray, completeness: np.ndarray, threshold: float) -> float:
    """Harmonic mean of precision and recall, the shares of distances below a threshold.

    Args:
        accuracy: (N,) distances of the predicted points; their share is the precision.
        completeness: (M,) distances of the true points; their share is the recall.
        threshold: distance in the unit of the two.
    """
    precision, recall = np.mean(np.asarray(accuracy) < threshold), np.mean(np.asarray(completeness) < threshold)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def normal_consistency(
    normals: np.ndarray, true_normals: np.ndarray, nearest_true: np.ndarray, nearest_predicted: np.ndarray
) -> float:
    """Mean of |n . n'| between the normals of nearest points, averaged over both directions.

    Args:
        normals: (N, 3) unit normals of the predicted points.
        true_normals: (M, 3) unit normals of the true points.
        nearest_true: (N,) index of the true point nearest to each predicted point.
        nearest_predicted: (M,) index of the predicted point nearest to each true point.
    """
    from_prediction = np.abs((normals * true_normals[nearest_true]).sum(1)).mean()
    from_truth = np.abs((true_normals * normals[nearest_predicted]).sum(1)).mean()
    return float(from_prediction + from_truth) / 2


def disn_radius(points: np.ndarray) -> float:
    """Distance of the farthest surface point from the mean of all (N, 3): the unit of DISN's frame.

    It is at least 1/2. Two points of an object are the longest side, 1, apart, so one of them is
    at least that far from any centre.
    """
    return max(0.5, float(np.linalg.norm(points - points.mean(0), axis=1).max()))


def chamfer_l2(points: np.ndarray, true_points: np.ndarray, radius: float) -> float:
    """DISN's Chamfer distance: 1000 x the sum of the two mean squared distances, in its frame.

    Args:
        points: (N, 3) predicted points, object frame.
        true_points: (M, 3) true points, object frame.
        radius: `disn_radius` of the true surface; DISN's frame is the object frame / radius.
    """
    accuracy, completeness = nearest(points, true_points)[0], nearest(true_points, points)[0]
    return 1000 * float(np.mean(accuracy**2) + np.mean(completeness**2)) / radius**2


def emd(points: np.ndarray, true_points: np.ndarray, radius: float) -> float:
    """DISN's earth mover's distance, by the exact best one-to-one assignment.

    It is 20.48 x the mean distance of the pairs in DISN's frame, for DISN takes 0.01 x the sum
    over 2048 pairs.

    Args:
        points: (N, 3) predicted points, object frame.
        true_points: (N, 3) true points, object frame.
        radius: `disn_radius` of the true surface; DISN's frame is the object frame / radius.

    Raises:
        ValueError: the two have different numbers of points.
    """
    if len(points) != len(true_points):
        raise ValueError(f"{len(points)} and {len(true_points)} points cannot be assigned one to one")
    cost = cdist(points, true_points)
    return 0.01 * DISN_POINTS * float(cost[linear_sum_assignment(cost)].mean()) / radius


def subset(points: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of (N, 3) points, chosen at random with a fixed seed."""
    if len(points) <= count:
        return points
    return points[np.random.default_rng(0).choice(len(points), count, replace=False)]


def volumes_of(points: np.ndarray) -> np.ndarray:
    """The share of the cube that is nearest to each of (N, 3) points.

    Shares are counted over the centres of the cube's 64^3 voxels.
    With these weights, points that were drawn mostly near surfaces are fair samples of the cube.

    Returns:
        (N,) shares whose sum is 1.
    """
    centres = voxel_centres()
    return np.bincount(nearest(centres, points)[1], minlength=len(points)) / len(centres)


def solid_iou(inside: np.ndarray, true_inside: np.ndarray, weights: np.ndarray) -> float:
    """IoU of two solids; 1 where both are empty.

    Args:
        inside: (N,) bool, whether each sample lies in the predicted solid.
        true_inside: (N,) bool, whether it lies in the true solid.
        weights: (N,) volume that each sample stands for.
    """
    union = weights[inside | true_inside].sum()
    return float(weights[inside & true_inside].sum() / union) if union else 1.0
