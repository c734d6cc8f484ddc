"""What is visible from outside: the sides of the faces, and whether a point is out of sight."""

import os

import numpy as np

from preprocessing.meshes.patches import Patches

FACE_RAYS = 1_000_000  # rays that start at all faces together
FEWEST, MOST = 4, 64  # of them at each side of a face
POINT_RAYS = (8, 32)  # rays of every point, and further ones where these do not agree
AGREED = 0.7  # share of the first rays that must agree
LAYER = 0.005  # of the extent: copies of a surface that are nearer than this are one
DARKER = 2  # a side that sees this many times less sky than the other side is an inner side
CERTAIN = 0.1  # share of the sky, or of the rays, from which a side is certain
UNSEEN = 0.1  # vote of a side that, like the other side, sees no sky
BATCH = 1 << 18  # rays at once


class Visibility:
    """The faces of patches, each side of which is known to be inner or outer."""

    def __init__(self, patches: Patches) -> None:
        import open3d

        self._tensor, self._invalid = open3d.core.Tensor, open3d.t.geometry.RaycastingScene.INVALID_ID
        self._threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # 0: all
        self._scene = open3d.t.geometry.RaycastingScene()
        vertices, faces = patches.vertices.astype(np.float32), patches.faces.astype(np.uint32)
        self._scene.add_triangles(self._tensor(vertices), self._tensor(faces))
        self._patch = patches.patch.astype(np.int32)
        self.votes = self._judge_sides(patches)

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(N,) whether most rays from points (N, 3) meet inner sides first.

        A ray that meets nothing votes for outside.
        """
        first, more = POINT_RAYS
        rays = directions(first + more)
        every = np.arange(len(rays)) % (1 + more // first) == 0
        balance = self._ballot(points, rays[every])
        open_ = np.flatnonzero(np.abs(balance) < AGREED * first)
        balance[open_] += self._ballot(points[open_], rays[~every])
        return balance > 0

    def _ballot(self, points: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(N,) sums of the votes of the rays from points (N, 3) in directions (D, 3)."""
        balance = np.empty(len(points), np.float32)
        step = max(1, BATCH // len(directions))
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            origins = np.broadcast_to(points[part, None], (len(points[part]), *directions.shape))
            balance[part] = self._votes_of(self._first_sides(origins, directions)).sum(1)
        return balance

    def _votes_of(self, sides):
        return self.votes[sides]

    def _first_sides(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(...,) the side that rays (..., 3) meet first: 2 * patch, + 1 for its back; -1 for none."""
        rays = np.empty((*origins.shape[:-1], 6), np.float32)
        rays[..., :3], rays[..., 3:] = origins, directions
        hit = self._scene.cast_rays(self._tensor(rays), nthreads=self._threads)
        face = hit["primitive_ids"].numpy()
        back = (hit["primitive_normals"].numpy() * rays[..., 3:]).sum(-1) > 0
        missed = face == self._invalid
        return np.where(missed, -1, 2 * self._patch[np.where(missed, 0, face)] + back)

    def _judge_sides(self, patches: Patches) -> np.ndarray:
        """(2 P + 1,) votes of the sides of all patches, from -1 (outer) to 1 (inner); last: of the sky."""
        vertices, faces = patches.vertices, patches.faces
        lift = LAYER * np.ptp(vertices, axis=0).max()
        rng = np.random.default_rng(0)
        repeats = int(np.clip(FACE_RAYS // (2 * len(faces)), FEWEST, MOST))
        a, b, c = (vertices[faces[:, k]] for k in range(3))
        cross = np.cross(b - a, c - a)
        area = np.linalg.norm(cross, axis=1)
        normal = cross / np.maximum(area, 1e-30)[:, None]
        seen = np.empty((len(faces), 2, repeats), np.int32)
        step = max(1, BATCH // repeats)
        for start in range(0, len(faces), step):
            part = slice(start, start + step)
            u, v = rng.random((2, len(faces[part]), repeats, 1), np.float32)
            turned = u + v > 1
            u, v = np.where(turned, 1 - u, u), np.where(turned, 1 - v, v)
            on = a[part, None] + u * (b - a)[part, None] + v * (c - a)[part, None]
            direction = rng.standard_normal((len(faces[part]), repeats, 3), np.float32)
            up = normal[part, None]
            direction *= np.where((direction * up).sum(-1, keepdims=True) < 0, -1, 1)
            for side, sign in enumerate((1, -1)):
                seen[part, side] = self._first_sides(on + sign * lift * up, sign * direction)
        P = len(patches.closed)
        weight = np.bincount(patches.patch, area)
        def pool(x):
            return np.stack([np.bincount(patches.patch, area * x[:, s].mean(1), P) / weight for s in range(2)], 1)
        sky = pool(seen < 0)
        self.sky = sky
        votes = np.clip((sky[:, ::-1] - DARKER * sky) / CERTAIN, -1, 1)
        votes[sky.max(1) == 0] = UNSEEN
        for _ in range(1):
            votes = np.append(votes, -1)
            votes = np.clip(pool(votes[seen]) / CERTAIN, -1, 1)
        return np.append(votes, -1).astype(np.float32)


def directions(count: int) -> np.ndarray:
    """(count, 3) float32 unit vectors, even over the sphere (Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    z, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1).astype(np.float32)
