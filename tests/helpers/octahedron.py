"""Reconstructions of an octahedron, without networks."""

import numpy as np
import trimesh

from utils.reports.reconstruction import Reconstruction


def hull():
    """An octahedron whose longest side is 1."""
    return trimesh.convex.convex_hull(np.concatenate([np.eye(3), -np.eye(3)]) / 2)


def reconstruction(mesh, **values):
    """A Reconstruction of a mesh with these values and what they leave out; its field is 0."""
    return Reconstruction(
        warnings=["a warning"],
        novelty={"distance": 1.25, "overlap": 0.5},
        seen=np.zeros((8, 8, 3), np.float32),
        camera_source="estimated",
        camera_choice={"support": 0.5, "other": {"azimuth": 220.0, "elevation": 25.0, "support": 0.4}},
        vertices=mesh.vertices,
        faces=mesh.faces,
        normals=mesh.vertex_normals,
        field=lambda points: np.zeros(len(points)),
        **values,
    )
