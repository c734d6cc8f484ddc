"""Solids with a known inside, and the ways in which the meshes of catalogues are broken.

A form is a function of a trimesh; all forms of one solid enclose the same points.
"""

import numpy as np
import trimesh

OFFSET = 0.002  # distance of a copy that lies slightly inside the surface


def _box(size, centre=(0, 0, 0)):
    return trimesh.creation.box(size, trimesh.transformations.translation_matrix(centre))


def _in_box(points, size, centre=(0, 0, 0)):
    return (np.abs(points - centre) < np.array(size) / 2).all(1)


def _tessellated(mesh, edge=0.15):
    """The same surface in smaller faces that share their vertices."""
    return trimesh.Trimesh(*trimesh.remesh.subdivide_to_size(mesh.vertices, mesh.faces, edge))


def _l_shape():
    profile = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, -0.2], [-0.1, -0.2], [-0.1, 0.5], [-0.5, 0.5]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]])
    mesh = trimesh.creation.extrude_triangulation(profile, faces, 0.6)
    mesh.apply_translation([0, 0, -0.3])
    return mesh


def _in_l_shape(points):
    return _in_box(points, (1, 0.3, 0.6), (0, -0.35, 0)) | _in_box(points, (0.4, 1, 0.6), (-0.3, 0, 0))


def _vase():
    """A thick vase with a deep and narrow hollow, closed as a body."""
    outline = [[0, -0.5], [0.4, -0.5], [0.4, 0.5], [0.12, 0.5], [0.12, -0.4], [0, -0.4]]
    mesh = trimesh.creation.revolve(np.array(outline), sections=48)
    return trimesh.Trimesh(mesh.vertices[:, [0, 2, 1]], mesh.faces[:, ::-1])


def _in_vase(points):
    radius = np.hypot(points[:, 0], points[:, 2])
    return (radius < 0.4) & (np.abs(points[:, 1]) < 0.5) & ~((radius < 0.12) & (points[:, 1] > -0.4))


# name: (closed mesh, counter-clockwise seen from outside; points (N, 3) -> (N,) inside)
SOLIDS = {
    "box": (lambda: _box((1, 1, 1)), lambda p: _in_box(p, (1, 1, 1))),
    "sphere": (lambda: trimesh.creation.icosphere(3, 0.5), lambda p: np.linalg.norm(p, axis=1) < 0.5),
    "L": (lambda: _tessellated(_l_shape()), _in_l_shape),
    "plate": (lambda: _box((1, 0.02, 0.6)), lambda p: _in_box(p, (1, 0.02, 0.6))),
    "vase": (_vase, _in_vase),
}


def joined(*meshes):
    return trimesh.util.concatenate([trimesh.Trimesh(m.vertices, m.faces, process=False) for m in meshes])


def flipped(mesh, which=slice(None)):
    """The mesh with the corners of some faces (all) in the other order."""
    faces = np.array(mesh.faces)
    faces[which] = faces[which][:, ::-1]
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


def partly_flipped(mesh):
    return flipped(mesh, np.random.default_rng(0).random(len(mesh.faces)) < 0.4)


def soup(mesh):
    """Faces that share no vertices, in any order."""
    return trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)


def shrunk(mesh):
    """A copy that lies OFFSET inside the surface."""
    return trimesh.Trimesh(mesh.vertices - OFFSET * mesh.vertex_normals, mesh.faces, process=False)


def otherwise_divided(mesh):
    """The same surface in other triangles."""
    return trimesh.Trimesh(*trimesh.remesh.subdivide(mesh.vertices, mesh.faces), process=False)


def bottomless(mesh):
    """Without the lowest faces that look down."""
    low = mesh.triangles_center[:, 1] < mesh.bounds[0, 1] + 0.05
    return trimesh.Trimesh(mesh.vertices, mesh.faces[~(low & (mesh.face_normals[:, 1] < -0.5))], process=False)


def t_junctions(mesh):
    """Half of the faces are divided, their neighbours are not."""
    chosen = np.random.default_rng(0).random(len(mesh.faces)) < 0.5
    vertices, faces = trimesh.remesh.subdivide(mesh.vertices, mesh.faces, np.flatnonzero(chosen))
    return trimesh.Trimesh(vertices, faces, process=False)


def _kernel(mesh, scale):
    """A small copy somewhere inside: all solids here have room at some vertex, moved inward."""
    corner = int(np.argmin(mesh.vertices.sum(1)))
    middle = mesh.vertices[corner] * (1 - 1.2 * scale)
    return trimesh.Trimesh(mesh.vertices * scale + middle, mesh.faces, process=False)


FORMS = {
    "single": lambda m: m,
    "wholly flipped": flipped,
    "partly flipped": partly_flipped,
    "partly flipped, no shared vertices": lambda m: soup(partly_flipped(m)),
    "doubled, same order": lambda m: joined(m, m),
    "doubled, opposite order": lambda m: joined(flipped(m), m),
    "doubled in other triangles, same": lambda m: joined(otherwise_divided(m), m),
    "doubled in other triangles, opposite": lambda m: joined(flipped(otherwise_divided(m)), m),
    "doubled, partly flipped": lambda m: soup(partly_flipped(joined(otherwise_divided(m), m))),
    "offset copy, same order": lambda m: joined(shrunk(m), m),
    "offset copy, opposite order": lambda m: joined(flipped(shrunk(m)), m),
    "offset copy, partly flipped": lambda m: soup(partly_flipped(joined(shrunk(m), m))),
    "T-junctions": t_junctions,
    "T-junctions, partly flipped": lambda m: partly_flipped(t_junctions(m)),
    "nested, same order": lambda m: joined(m, _kernel(m, 0.2)),
    "nested, opposite order": lambda m: joined(m, flipped(_kernel(m, 0.2))),
    "nested, partly flipped": lambda m: soup(partly_flipped(joined(m, _kernel(m, 0.2)))),
    "open bottom": bottomless,
    "open bottom, partly flipped": lambda m: partly_flipped(bottomless(m)),
    "open bottom, doubled opposite": lambda m: joined(flipped(bottomless(m)), bottomless(m)),
    "open bottom, offset opposite": lambda m: joined(flipped(shrunk(bottomless(m))), bottomless(m)),
    "mixed": lambda m: joined(partly_flipped(t_junctions(m)), flipped(shrunk(m)), _kernel(m, 0.2)),
}


def _square(height, order=1):
    corners = np.array([[-0.5, height, -0.5], [0.5, height, -0.5], [0.5, height, 0.5], [-0.5, height, 0.5]])
    return trimesh.Trimesh(corners, np.array([[0, 2, 1], [0, 3, 2]])[:, ::order], process=False)


def _sheet_table():
    """A top and four legs, each of which is one square seen from both sides."""
    legs = []
    for angle in range(4):
        leg = trimesh.Trimesh(_square(0).vertices * [0.1, 1, 0.8] + [0.45, 0, 0], _square(0).faces, process=False)
        leg.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1]))
        leg.apply_transform(trimesh.transformations.rotation_matrix(angle * np.pi / 2, [0, 1, 0]))
        legs.append(leg)
    return joined(_square(0.5), *legs)


def _cross(broken):
    a, b, c = _box((1, 0.3, 0.3)), _box((0.3, 1, 0.3)), _box((0.3, 0.3, 1))
    return joined(a, flipped(b), partly_flipped(c)) if broken else joined(a, b, c)


def _in_cross(points):
    return _in_box(points, (1, 0.3, 0.3)) | _in_box(points, (0.3, 1, 0.3)) | _in_box(points, (0.3, 0.3, 1))


def _centres():
    return np.stack(np.meshgrid(*[np.linspace(-0.42, 0.42, 5)] * 3), -1).reshape(-1, 3)


def _parts():
    """125 small boxes: whole, flipped, partly flipped, doubled and without bottom, in turn."""
    ways = [FORMS[name] for name in ("single", "wholly flipped", "partly flipped", "doubled, opposite order")]
    return joined(*(ways[i % 4](_box([0.12] * 3, centre)) for i, centre in enumerate(_centres())))


def _touching():
    """Two boxes that share a square."""
    return joined(_box((0.5, 1, 1), (-0.25, 0, 0)), _box((0.5, 1, 1), (0.25, 0, 0)))


def _crossed(order):
    """The unit box twice, the squares of the copies divided along different diagonals."""
    box = _box((1, 1, 1))
    mirrored = trimesh.Trimesh(box.vertices * [-1, 1, 1], box.faces[:, ::-order], process=False)
    return joined(mirrored, box)


def _nowhere(points):
    return np.zeros(len(points), bool)


# name: (mesh, points (N, 3) -> (N,) inside); an isolated sheet has no inside
OTHERS = {
    "boxes that overlap": (lambda: _cross(False), _in_cross),
    "boxes that overlap, partly flipped": (lambda: _cross(True), _in_cross),
    "boxes that touch": (_touching, lambda p: _in_box(p, (1, 1, 1))),
    "box twice, other diagonals, same order": (lambda: _crossed(1), lambda p: _in_box(p, (1, 1, 1))),
    "box twice, other diagonals, opposite": (lambda: _crossed(-1), lambda p: _in_box(p, (1, 1, 1))),
    "125 separate boxes, all kinds": (
        _parts,
        lambda p: np.any([_in_box(p, [0.12] * 3, centre) for centre in _centres()], 0),
    ),
    "sheet": (lambda: _square(0), _nowhere),
    "sheet twice, same order": (lambda: joined(_square(0), _square(0)), _nowhere),
    "sheet twice, opposite order": (lambda: joined(_square(0), _square(0, -1)), _nowhere),
    "sheet twice in other triangles": (lambda: joined(_square(0), otherwise_divided(_square(0))), _nowhere),
    "sheet and offset copy": (lambda: joined(_square(0), _square(OFFSET)), _nowhere),
    "table of sheets": (_sheet_table, _nowhere),
}
