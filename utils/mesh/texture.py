"""A texture for a mesh: its faces laid out flat (an atlas of charts), and the colours of a field painted there, texel by texel."""

import numpy as np

from utils.errors import UserError

SIZE = 1024  # texels a side
PADDING = 4  # texels between charts (3 where xatlas needs more room than it was given), so that bilinear reading does not mix them
CHART = 500  # faces of a chart, about, at most: xatlas's time grows with the square of it
TOGETHER = 1 << 20  # texels found, and points asked, at a time


def unwrap(vertices, faces, size=SIZE):
    """(V, 3) vertices, (F, 3) faces -> vertex_index (V',), faces (F, 3), uv (V', 2) for a texture of size x size texels.

    Vertices on the seams between charts are there several times: those of the result are vertices[vertex_index], and its faces, in the
    order of the given ones, count in them. uv is in [0, 1], v up, and charts do not overlap. UserError without any face, or without xatlas.
    """
    try:
        import xatlas
    except ImportError:
        raise UserError(
            "textures need xatlas, which is not installed: pip install xatlas, or write vertex colours"
        ) from None
    if not len(faces):
        raise UserError("a mesh without faces cannot be textured")
    points = np.asarray(vertices, np.float64)
    corners = points[np.asarray(faces)]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    if not area > 0:  # NaN too
        raise UserError("a mesh whose faces have no area cannot be textured")
    atlas = xatlas.Atlas()
    # at an area of 1, because xatlas takes some of its tolerances as lengths
    atlas.add_mesh(((points - points.mean(0)) / np.sqrt(area)).astype(np.float32), np.asarray(faces, np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_chart_area = CHART / len(faces)
    packing.resolution, packing.padding, packing.bilinear = size, PADDING, True
    atlas.generate(charts, packing)
    vertex_index, corners, uv = atlas[0]
    margin = PADDING / 2 / size  # all round: viewers repeat textures, so what is left of column 0 is the last one
    uv = margin + (1 - 2 * margin) * np.clip(uv.astype(np.float64), 0, 1)
    uv[:, 1] = 1 - uv[:, 1]  # xatlas counts rows downwards
    return vertex_index.astype(np.int64), corners.astype(np.int64), uv


def bake(vertices, faces, uv, size, colour_of):
    """Paint a field onto an atlas: (V, 3) vertices, (F, 3) faces, (V, 2) uv -> (size, size, 3) uint8 texture, row 0 at v = 1.

    colour_of: (N, 3) points of the surface -> (N, 3) display colours in [0, 1]; asked at most TOGETHER at a time, for the texels of rasterise.
    All others get the colour of the nearest of these, so that nothing foreign is read across a chart's border, in mipmaps either.
    """
    from scipy.ndimage import distance_transform_edt

    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces)
    texture, painted = np.zeros((size * size, 3), np.uint8), np.zeros(size * size, bool)
    for texel, face, weights in rasterise(faces, uv, size):
        points = np.einsum("nk,nkc->nc", weights, vertices[faces[face]])
        texture[texel] = np.rint(255 * np.clip(colour_of(points), 0, 1))
        painted[texel] = True
    row, column = distance_transform_edt(~painted.reshape(size, size), return_distances=False, return_indices=True)
    return texture.reshape(size, size, 3)[row, column]


def rasterise(faces, uv, size):
    """The texels that a mesh reads of a size x size texture: yields texel (N,), face (N,), barycentric weights (N, 3), each texel once.

    First those whose centre lies on a face; then, with the nearest point of a face, those around: bilinear reading near a border takes
    them, and faces may be too thin for any centre. Texel row * size + column has its centre at u = (column + 0.5) / size,
    v = 1 - (row + 0.5) / size.
    """
    import cv2
    import open3d

    tensor = open3d.core.Tensor
    # in texels, where float32 is exact to a few thousandths of one
    flat = np.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, np.zeros(len(uv))], 1).astype(np.float32)
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(tensor(flat), tensor(np.asarray(faces, np.uint32)))

    def found(texel, answer):
        second = answer["primitive_uvs"].numpy().astype(np.float64)
        weights = np.concatenate([1 - second.sum(1, keepdims=True), second], 1)
        return texel, answer["primitive_ids"].numpy().astype(np.int64), weights

    inside = np.zeros((size, size), np.uint8)
    for first in range(0, size * size, TOGETHER):
        texel = np.arange(first, min(first + TOGETHER, size * size))
        centres = _centres(texel, size)
        down = np.concatenate(
            [centres + np.float32([0, 0, 1]), np.broadcast_to(np.float32([0, 0, -1]), centres.shape)], 1
        )
        answer = scene.cast_rays(tensor(down))
        hit = np.isfinite(answer["t_hit"].numpy())
        inside.flat[texel[hit]] = 1
        texel, face, weights = found(texel, answer)
        yield texel[hit], face[hit], weights[hit]
    corner = np.clip(flat[:, 1::-1].astype(np.int64), 0, size - 1)  # row, column: thin faces have these at least
    near = inside.copy()
    near[tuple(corner.T)] = 1
    around = np.flatnonzero((cv2.dilate(near, np.ones((5, 5), np.uint8)) > 0) & (inside == 0))
    for first in range(0, len(around), TOGETHER):
        texel = around[first : first + TOGETHER]
        yield found(texel, scene.compute_closest_points(tensor(_centres(texel, size))))


def _centres(texel, size):
    """(N,) texels -> (N, 3) float32 centres (column + 0.5, row + 0.5, 0)."""
    return np.stack([texel % size + 0.5, texel // size + 0.5, np.zeros(len(texel))], 1).astype(np.float32)
