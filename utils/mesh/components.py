"""What is done to a surface after marching cubes: crumbs go, faces are merged until few are left."""

import numpy as np

SMALL = 0.01  # of the area of the largest piece


def large_components(faces, vertices, share=SMALL):
    """(F, 3) faces, (V, 3) vertices -> (F,) bool: the faces of the pieces whose area is at least `share` of the largest piece's."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), bool), edges.T), (len(vertices),) * 2)
    piece = connected_components(graph, directed=False)[1][faces[:, 0]]
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.bincount(piece, np.linalg.norm(np.cross(b - a, c - a), axis=1))
    return (area >= share * area.max())[piece]


def used(vertices, faces, *others):
    """The vertices that faces use, faces with their new numbers, and the same rows of the others."""
    index, flat = np.unique(faces, return_inverse=True)
    return (vertices[index], flat.reshape(-1, 3), *(other[index] for other in others))


def outer_walls(vertices, faces):
    """Closed surface -> the part of it that can be seen from outside: walls of cavities, and what floats in them, are left out.

    The same as filling the cavities of the field, for a field whose dense grid is not there. Pieces are those connected
    through vertices. vertices (V, 3), faces (F, 3) counter-clockwise from outside -> indices of the vertices that stay, faces of these.
    """
    import igl
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    count, piece = connected_components(
        coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices),) * 2), directed=False
    )
    piece = piece[faces[:, 0]]
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    volume = np.bincount(piece, (a * np.cross(b, c)).sum(1), count)
    kept = volume > 0  # the wall of a cavity faces inward: its volume is negative
    order = np.argsort(-volume)
    for i, small in enumerate(order):
        if not kept[small]:
            continue
        point = vertices[faces[piece == small][:1, :1].ravel()]
        for large in order[:i][kept[order[:i]]]:
            wall = faces[piece == large]
            corners = vertices[wall]
            if ((point > corners.min((0, 1))) & (point < corners.max((0, 1)))).all() and igl.winding_number(
                vertices, wall, point
            )[0] > 0.5:
                kept[small] = False
                break
    faces = faces[kept[piece]]
    used, renumbered = np.unique(faces, return_inverse=True)
    return used, renumbered.reshape(faces.shape)
