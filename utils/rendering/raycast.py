"""Pictures of a mesh by ray casting: textured, lit, antialiased, with alpha."""

import os

import numpy as np

from utils.geometry.cameras import project
from utils.mesh.mesh import albedo

SMOOTH = np.cos(np.radians(45))  # vertex normals further than this from their face's normal belong to a sharp edge
LAYERS = 64  # a ray goes through at most this many absent texels
# Lights stand by the camera (x right, y down, z forward): every view is lit alike.
AMBIENT, KEY, FILL = 0.5, 0.45, 0.15
KEY_FROM, FILL_FROM = np.array([-0.5, -0.8, -0.9]), np.array([0.9, -0.1, -0.6])
FAINT = 16  # alpha of what is thinner than the distance between two rays: one of 4 x 4 rays


class Scene:
    """A mesh in the object frame, ready for ray casting."""

    def __init__(self, mesh):
        import open3d

        self.mesh = mesh
        self._threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # 0: all
        self._tensor = open3d.core.Tensor
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=self._threads)
        self._scene.add_triangles(
            self._tensor(mesh.vertices.astype(np.float32)), self._tensor(mesh.faces.astype(np.uint32))
        )
        a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
        normals = np.cross(b - a, c - a)
        self._face_normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
        corners = mesh.normals[mesh.faces].astype(np.float32)
        smooth = np.einsum("fkc,fc->fk", corners, self._face_normals) >= SMOOTH
        self._corner_normals = np.where(smooth[:, :, None], corners, self._face_normals[:, None])

    def cast(self, origin, directions):
        """First surface seen from `origin` (3,) along `directions` (N, 3), past texels that are absent.

        Gives, of the rays that hit: ray (H,), face (H,), barycentric weights (H, 3), RGBA albedo (H, 4) float32.
        """
        directions = np.asarray(directions, np.float32)
        rays = np.concatenate([np.broadcast_to(np.asarray(origin, np.float32), directions.shape), directions], 1)
        index, found = np.arange(len(rays)), []
        for _ in range(LAYERS):
            answer = self._scene.cast_rays(self._tensor(rays), nthreads=self._threads)
            t = answer["t_hit"].numpy()
            hit = np.flatnonzero(np.isfinite(t))
            face = answer["primitive_ids"].numpy()[hit].astype(np.int64)
            uv = answer["primitive_uvs"].numpy()[hit]
            weights = np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1)
            rgba, there = albedo(self.mesh, face, weights)
            found.append((index[hit][there], face[there], weights[there], rgba[there]))
            behind = hit[~there]
            if not len(behind):
                break
            # 3e-6: a dozen roundings of a float32 coordinate near 1, far less than any gap between two surfaces
            step = t[behind, None] + 3e-6 / np.linalg.norm(rays[behind, 3:], axis=1, keepdims=True)
            rays = np.concatenate([rays[behind, :3] + step * rays[behind, 3:], rays[behind, 3:]], 1)
            index = index[behind]
        return [np.concatenate(each) for each in zip(*found, strict=True)]

    def render(self, trans_mat, size, samples=4):
        """(4, 3) trans_mat -> (size, size, 4) uint8 RGBA view with straight alpha.

        `samples`^2 rays a pixel; pixel u covers [u - 0.5, u + 0.5]. Alpha is the share of the rays that hit, colour the
        mean of those, so that the silhouette is not darkened. Transparent materials are drawn opaque.
        """
        P = np.asarray(trans_mat, np.float64).T
        inverse = np.linalg.inv(P[:, :3])
        origin = -inverse @ P[:, 3]
        columns, rows = self._window(P, size)
        u = (np.arange(columns[0] * samples, columns[1] * samples) + 0.5) / samples - 0.5
        v = (np.arange(rows[0] * samples, rows[1] * samples) + 0.5) / samples - 0.5
        picture = np.zeros((size, size, 4), np.uint8)
        if not len(u) or not len(v):
            return picture
        u, v = (each.ravel() for each in np.meshgrid(u, v))
        directions = np.stack([u, v, np.ones_like(u)], 1) @ inverse.T  # w = 1: in front of the camera
        ray, face, weights, rgba = self.cast(origin, directions)
        light = self._light(P, face, weights, directions[ray])
        pixel = np.rint(v[ray]).astype(np.int64) * size + np.rint(u[ray]).astype(np.int64)
        count = np.bincount(pixel, minlength=size * size)
        lit = np.minimum(rgba[:, :3] * light[:, None], 1)
        total = np.stack([np.bincount(pixel, lit[:, k], size * size) for k in range(3)], 1)
        colour = total / np.maximum(count, 1)[:, None]
        picture[..., :3] = np.rint(255 * colour).reshape(size, size, 3)
        picture[..., 3] = np.rint(255 * count / samples**2).reshape(size, size)
        return picture

    def _window(self, P, size):
        """Columns and rows ((start, end), (start, end)) of the part of the picture that the mesh can be in."""
        h = self.mesh.vertices[self.mesh.faces.ravel()] @ P[:, :3].T + P[:, 3]
        if h[:, 2].min() <= 0:  # some of it is behind the camera, its projection bounds nothing
            return (0, size), (0, size)
        pixels = h[:, :2] / h[:, 2:]
        low = np.clip(np.floor(pixels.min(0)).astype(int) - 1, 0, size)
        high = np.clip(np.ceil(pixels.max(0)).astype(int) + 2, 0, size)
        return (low[0], high[0]), (low[1], high[1])

    def _light(self, P, face, weights, directions):
        """(H,) light on each hit; both sides of a face are lit like the side that is seen."""
        normals = np.einsum("hk,hkc->hc", weights, self._corner_normals[face])
        normals /= np.maximum(
            np.linalg.norm(normals, axis=1, keepdims=True), 1e-6
        )  # corners may cancel: unlit, not NaN
        away = np.einsum("hc,hc->h", self._face_normals[face], directions.astype(np.float32)) > 0
        normals[away] *= -1
        # camera axes in the object frame: forward and down by the rays' geometry, so that mirrored cameras work too
        rows = P[:, :3] / np.linalg.norm(P[2, :3])
        forward = rows[2]
        down = rows[1] - (rows[1] @ forward) * forward
        right = rows[0] - (rows[0] @ forward) * forward
        axes = np.stack([right / np.linalg.norm(right), down / np.linalg.norm(down), forward])
        light = np.full(len(face), AMBIENT, np.float32)
        for strength, place in ((KEY, KEY_FROM), (FILL, FILL_FROM)):
            towards = (place / np.linalg.norm(place)) @ axes
            light += strength * np.maximum(normals @ towards.astype(np.float32), 0)
        return light


def draw_lost(picture, points, colours, trans_mat):
    """Draw the surface points that no ray came near into a picture of Scene.render, in place, as its faintest pixels.

    A sheet that is seen exactly edge on has no area, so that no ray meets it; a line of it stays visible all the same.
    points (N, 3) object frame, colours (N, 3) uint8. Nothing hides a point with an empty surrounding of a pixel.
    """
    from scipy.ndimage import distance_transform_edt

    pixels, depth = project(points, trans_mat)
    u, v = np.rint(pixels).astype(np.int64).T
    size = len(picture)
    seen = (depth > 0) & (u >= 0) & (u < size) & (v >= 0) & (v < size)
    u, v, colours = u[seen], v[seen], colours[seen]
    lost = distance_transform_edt(picture[..., 3] == 0)[v, u] > 1
    picture[v[lost], u[lost]] = np.concatenate([colours[lost], np.full((lost.sum(), 1), FAINT, np.uint8)], 1)
