"""Polygons of mesh files -> triangles."""

import mapbox_earcut
import numpy as np

FLAT = 1e-9  # share of a polygon's area below which a triangle is a line


def triangulate(vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut polygons, which may be concave, into triangles that wind as the polygons do.

    Triangles and convex polygons are cut all at once, the others by ear clipping in the plane of
    their Newell normal. Vertices in the middle of a straight side may be passed over. Polygons of
    fewer than three corners give no triangle. The cuts depend neither on the first corner nor on
    the order, so that a polygon and its copy for the other side become the same triangles.

    Args:
        vertices: (V, 3) points, which need not be finite.
        corners: (C,) vertex of each corner, polygon after polygon; all within 0..V-1.
        sizes: (P,) number of corners of each polygon; their sum is C.

    Returns:
        triangles: (T, 3) positions in `corners`, so that any value per corner can be looked up.
        polygon: (T,) the polygon of each triangle, ascending.
    """
    sizes = np.asarray(sizes, np.int64)
    starts = np.cumsum(sizes) - sizes
    ranks = _ranks(vertices) if (sizes > 3).any() else np.zeros(len(vertices), np.int64)
    triangles, polygon = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[sizes >= 3]):
        these = np.flatnonzero(sizes == size)
        cut, owner = _triangulate_alike(vertices, ranks, corners, starts[these], int(size))
        triangles.append(cut)
        polygon.append(these[owner])
    owners = np.concatenate(polygon)
    order = np.argsort(owners, kind="stable")
    return np.concatenate(triangles)[order], owners[order]


def _triangulate_alike(
    vertices: np.ndarray, ranks: np.ndarray, corners: np.ndarray, starts: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """`triangulate` for N polygons of one size.

    `ranks` (V,) are those of _ranks, `starts` (N,) the places of the polygons in `corners`.
    """
    fan = np.stack([np.zeros(size - 2, np.int64), np.arange(1, size - 1), np.arange(2, size)], 1)
    cuts = np.broadcast_to(fan, (len(starts), size - 2, 3))
    owner = np.repeat(np.arange(len(starts)), size - 2)
    if size == 3:
        return (starts[:, None, None] + cuts).reshape(-1, 3), owner
    order, turned = _canonical(ranks[corners[starts[:, None] + np.arange(size)]])
    places = starts[:, None] + order
    with np.errstate(invalid="ignore", over="ignore"):
        points = vertices[corners[places]] - vertices[corners[places[:, :1]]]  # (N, size, 3)
        arms = np.cross(points[:, 1:-1], points[:, 2:])  # twice the area vectors of the fan
        normals = arms.sum(1)
        # a fan is right if all its triangles wind as the polygon does and turn at most once
        bends = np.einsum("nkc,nc->nk", arms, normals)
        aligned = bends > FLAT * np.einsum("nc,nc->n", normals, normals)[:, None]
    if size > 4:
        aligned[:, 0] &= _turn_once(points[:, 1:], normals)
    flat = (normals == 0).all(1) | ~np.isfinite(normals).all(1)
    difficult = np.flatnonzero(~aligned.all(1) & ~flat)
    triangles = cuts.reshape(-1, 3)
    if len(difficult):
        clipped, of = _clip_ears(points[difficult], normals[difficult])
        easy = np.setdiff1d(np.arange(len(starts)), difficult)
        owner = np.concatenate([np.repeat(easy, size - 2), difficult[of]])
        triangles = np.concatenate([cuts[easy].reshape(-1, 3), clipped])
    triangles = np.take_along_axis(places[owner], triangles, 1)
    triangles[turned[owner]] = triangles[turned[owner]][:, ::-1]
    return triangles, owner


def _ranks(vertices: np.ndarray) -> np.ndarray:
    """(V, 3) -> (V,) ranks by x, then y, then z; vertices at one place have the same."""
    order = np.lexsort(vertices.T[::-1])
    new = (vertices[order[1:]] != vertices[order[:-1]]).any(1)
    ranks = np.empty(len(vertices), np.int64)
    ranks[order] = np.append(0, np.cumsum(new))
    return ranks


def _canonical(ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order in which corners are cut: from the lowest to the lower of its neighbours.

    Args:
        ranks: (N, K) of the corners of N polygons.

    Returns:
        order: (N, K) indices of the corners.
        turned: (N,) whether that is against the order of the polygon.
    """
    size, rows = ranks.shape[1], np.arange(len(ranks))
    first = ranks.argmin(1)
    turned = ranks[rows, first - 1] < ranks[rows, (first + 1) % size]
    steps = np.where(turned, -1, 1)[:, None] * np.arange(size)
    return (first[:, None] + steps) % size, turned


def _turn_once(spokes: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N,) bool: the fans of (N, K, 3) spokes cover less than a full turn about (N, 3) normals."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        units = spokes / np.linalg.norm(spokes, axis=2, keepdims=True)
        axis = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        sine = np.einsum("nkc,nc->nk", np.cross(units[:, :-1], units[:, 1:]), axis)
        cosine = np.einsum("nkc,nkc->nk", units[:, :-1], units[:, 1:])
        return np.arctan2(sine, cosine).sum(1) < 2 * np.pi


def _clip_ears(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, size, 3) polygons, (N, 3) Newell normals -> (T, 3) corners of triangles, (T,) owners."""
    largest = np.argmax(np.abs(normals), axis=1)  # seen along this axis the polygon is largest
    kept = np.array([[1, 2], [0, 2], [0, 1]])[largest]
    flat = np.take_along_axis(points, kept[:, None], axis=2)
    end = np.array([points.shape[1]], np.uint32)
    cuts = [mapbox_earcut.triangulate_float64(polygon, end) for polygon in flat]
    triangles = np.concatenate(cuts).reshape(-1, 3).astype(np.int64)
    polygon = np.repeat(np.arange(len(points)), [len(cut) // 3 for cut in cuts])
    a, b, c = (flat[polygon, triangles[:, k]] for k in range(3))
    left, right = b - a, c - a
    with np.errstate(invalid="ignore", over="ignore"):
        wind = np.sign(left[:, 0] * right[:, 1] - left[:, 1] * right[:, 0])
    # without its middle axis a right-handed system becomes a left-handed one
    wanted = np.sign(normals[np.arange(len(points)), largest]) * np.where(largest == 1, -1, 1)
    against = wind * wanted[polygon] < 0
    triangles[against] = triangles[against][:, ::-1]
    return triangles, polygon
