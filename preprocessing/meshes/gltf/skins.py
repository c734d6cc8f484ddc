"""Skins: vertices that follow the joints of a skeleton, as its nodes stand."""

import numpy as np

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.accessors import Accessors


def joint_matrices(skin: schema.Skin, worlds: np.ndarray, accessors: Accessors) -> np.ndarray:
    """(J, 3, 4) affine maps of the joints of a skin: frame of the mesh -> frame of the scene.

    The node that the mesh belongs to plays no part (section 3.7.3.3 of the specification).

    Args:
        skin: the skin.
        worlds: (N, 4, 4) matrices of all nodes.
        accessors: of the file.
    """
    if not skin.joints:
        raise ValueError("a skin has no joints")
    if max(skin.joints) >= len(worlds):
        raise ValueError(f"a skin names node {max(skin.joints)}, but the file has {len(worlds)}")
    matrices = worlds[skin.joints]
    if skin.inverse_bind_matrices is not None:
        inverse = accessors.read(skin.inverse_bind_matrices, "MAT4")
        if len(inverse) < len(skin.joints):
            raise ValueError(f"a skin has {len(inverse)} matrices for {len(skin.joints)} joints")
        matrices = matrices @ inverse[: len(skin.joints)].reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
    return matrices[:, :3]


def vertex_matrices(matrices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The affine map of each vertex: the mean of those of its joints.

    Args:
        matrices: (J, 3, 4) of the joints.
        joints: (V, K) indices of joints; whole numbers, which some exporters write as floats.
        weights: (V, K); they need not sum to 1. A vertex without weights follows its first joint.

    Returns:
        (V, 3, 4).
    """
    weights = np.nan_to_num(weights.astype(np.float64))
    weights[weights.sum(1) <= 0] = np.eye(1, weights.shape[1])
    joints = np.where(weights > 0, joints, 0)  # exporters leave anything beside a weight of 0
    wrong = joints[~((joints >= 0) & (joints < len(matrices)) & (joints == np.rint(joints)))]
    if len(wrong):
        raise ValueError(f"a vertex follows joint {wrong[0]:g} of {len(matrices)}")
    joints = joints.astype(np.int64)
    weights /= weights.sum(1, keepdims=True)
    blended = np.zeros((len(joints), 3, 4))
    for joint, weight in zip(joints.T, weights.T, strict=True):
        blended += matrices[joint] * weight[:, None, None]
    return blended
