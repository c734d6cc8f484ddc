"""What is visible from outside: the sides of the faces, and whether a point is out of sight."""

import numpy as np

from preprocessing.meshes.patches import Patches
from utils.mesh.ray_scene import RayScene

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
    """The sides of the faces of patches, each of which faces outside or inside.

    Attributes:
        votes: (2 F + 1,) from -1 (outside) to 1 (inside), of the front and back of face 0, of face
            1 and so on, and last of the sky. Faces are counter-clockwise seen from their front.
    """

    def __init__(self, patches: Patches) -> None:
        self._scene = RayScene(patches.vertices, patches.faces)
        self.votes = self._judge_sides(patches)

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(N,) whether most rays from points (N, 3) first meet a side that faces inside."""
        first, more = POINT_RAYS
        rays = directions(first + more)
        every = np.arange(len(rays)) % (1 + more // first) == 0
        balance = self._ballot(points, rays[every])
        disputed = np.flatnonzero(np.abs(balance) < AGREED * first)
        balance[disputed] += self._ballot(points[disputed], rays[~every])
        return balance > 0

    def seen_from_both_sides(self) -> np.ndarray:
        """(F,) whether both sides of a face clearly face outside."""
        front, back = self.votes[:-1].reshape(-1, 2).T
        return (front < -0.5) & (back < -0.5)

    def _ballot(self, points: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """(N,) sums of the votes of the rays from points (N, 3) in directions (D, 3)."""
        balance = np.empty(len(points), np.float32)
        step = max(1, BATCH // len(rays))
        for start in range(0, len(points), step):
            part = points[start : start + step, None]
            balance[start : start + step] = self.votes[self._first_sides(part, rays)].sum(1)
        return balance

    def _first_sides(self, origins: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """Indices in `votes` of what rays (..., 3) meet first; -1 where that is the sky."""
        rays = np.asarray(rays, np.float32)
        hits = self._scene.cast(origins, rays)
        back = np.einsum("...i,...i->...", hits["primitive_normals"], rays) > 0
        return np.where(np.isfinite(hits["t_hit"]), 2 * hits["primitive_ids"].astype(np.int64) + back, -1)

    def _judge_sides(self, patches: Patches) -> np.ndarray:
        """The attribute `votes`.

        The side of a patch that sees much less of the sky than its other side faces inside. All
        other sides face outside as far as they see the sky. Then they take the vote of the rays
        that start at them: the front of a part in the inside of an open shell sees some sky, but
        sees more of the inner side of the shell. At last all sides take the vote of their rays,
        inner sides as patches: a shell with more than half of its rays in the open has no inside.
        """
        seen, area = self._look_around(patches)

        def by_patch(values: np.ndarray) -> np.ndarray:
            """(F, 2) values of faces -> (F, 2) means over their patches, weighted by area."""
            sums = [np.bincount(patches.patch, area * values[:, side]) for side in (0, 1)]
            return np.stack(sums, 1)[patches.patch] / np.bincount(patches.patch, area)[patches.patch, None]

        face_sky = (seen < 0).mean(2)
        sky = by_patch(face_sky)
        inner = np.clip((sky[:, ::-1] - DARKER * sky) / CERTAIN, -1, 1)
        outer = np.where(face_sky > 0, -np.minimum(1, face_sky / CERTAIN), UNSEEN)
        votes = np.append(np.where(inner > 0, inner, outer), -1)

        def by_rays(votes: np.ndarray) -> np.ndarray:
            """(F, 2) votes of the rays that start at the sides."""
            return votes[seen].mean(2) / CERTAIN

        votes = np.append(np.where(inner > 0, inner, np.clip(by_rays(votes), -1, 1)), -1)
        balance = by_rays(votes)
        votes = np.append(np.where(inner > 0, by_patch(balance), balance), -1)
        return np.clip(votes, -1, 1).astype(np.float32)

    def _look_around(self, patches: Patches) -> tuple[np.ndarray, np.ndarray]:
        """What rays from both sides of the faces meet first.

        Returns:
            sides: (F, 2, R) indices in `votes`, of R rays in random directions from the front and
                back of each face; -1 where a ray meets the sky.
            areas: (F,) of the faces.
        """
        a, b, c = (patches.vertices[patches.faces[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        normal /= np.maximum(length, np.finfo(float).tiny)
        lift = LAYER * np.ptp(patches.vertices, axis=0).max() * normal
        repeats = int(np.clip(FACE_RAYS // (2 * len(a)), FEWEST, MOST))
        sides = np.empty((len(a), 2, repeats), np.int64)
        rng = np.random.default_rng(0)
        step = max(1, BATCH // repeats)
        for start in range(0, len(a), step):
            part = slice(start, start + step)
            weights = rng.dirichlet(np.ones(3), (len(a[part]), repeats))  # uniform in the triangle
            origins = np.einsum("frk,kfi->fri", weights, np.stack([a[part], b[part], c[part]]))
            rays = rng.standard_normal(origins.shape)
            rays *= np.where(np.einsum("fri,fi->fr", rays, normal[part]) < 0, -1, 1)[..., None]
            for side, sign in enumerate((1, -1)):
                sides[part, side] = self._first_sides(origins + sign * lift[part, None], sign * rays)
        return sides, length[:, 0] / 2


def directions(count: int) -> np.ndarray:
    """(count, 3) float32 unit vectors, even over the sphere (Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    z, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1).astype(np.float32)
