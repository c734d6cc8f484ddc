"""Rendered meshes: analytic silhouettes, known colours in known places, any file format."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.ndimage import distance_transform_edt, map_coordinates
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from preprocessing.meshes.load import load_mesh
from utils.geometry.cameras import FOCAL, compose, decompose, intrinsics, look_at, project
from utils.mesh.mesh import Material, Mesh, coloured_mesh, normalise
from utils.rendering.raycast import Scene

TILE = 32  # texels of one side of the cube in its texture


def camera(size, azimuth, elevation, distance):
    return compose(intrinsics(size), look_at(azimuth, elevation, distance))


def position_cube():
    """A trimesh cube of side 1 whose colour is the position: RGB = 0.2 + 0.6 (p + 0.5).

    Its texture is an atlas of six tiles.
    """
    atlas = np.zeros((2 * TILE, 3 * TILE, 3))
    vertices, faces, uv = [], [], []
    for side in range(6):
        axis, sign = side % 3, 1 if side < 3 else -1
        first, second = np.roll(np.eye(3), -axis, 0)[[1, 2]]  # axis x first = sign of a right-handed frame
        normal = sign * np.eye(3)[axis]
        row, column = divmod(side, 3)
        t = (np.arange(TILE) + 0.5) / TILE
        spots = normal / 2 + (t[None, :, None] - 0.5) * first + (t[:, None, None] - 0.5) * second  # [second, first]
        atlas[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = (0.2 + 0.6 * (spots + 0.5))[::-1]
        start = len(vertices)
        for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
            vertices.append(normal / 2 + (a - 0.5) * first + (b - 0.5) * second)
            uv.append([(column + a) / 3, 1 - (row + 1 - b) / 2])
        order = [[0, 1, 2], [0, 2, 3]] if np.dot(np.cross(first, second), normal) > 0 else [[0, 2, 1], [0, 3, 2]]
        faces += [[start + k for k in face] for face in order]
    cube = trimesh.Trimesh(vertices, faces, process=False)
    image = Image.fromarray(np.rint(255 * atlas).astype(np.uint8))
    cube.visual = TextureVisuals(uv=np.array(uv), material=PBRMaterial(baseColorTexture=image))
    return cube


def flat_cube(folder):
    """One cube with six colours as obj, gltf, glb (texture) and ply, off (vertex colours)."""
    colours = np.array(
        [[250, 20, 30], [20, 240, 40], [30, 60, 230], [230, 220, 30], [220, 40, 210], [40, 210, 220]], np.uint8
    )
    box = trimesh.creation.box()
    box.unmerge_vertices()
    side = np.abs(box.face_normals).argmax(1) + 3 * (box.face_normals.sum(1) < 0)
    per_vertex = np.repeat(colours[side], 3, 0)
    uv = np.stack([(np.repeat(side, 3) + 0.5) / 6, np.full(3 * len(side), 0.5)], 1)
    box.visual = TextureVisuals(
        uv=uv, material=PBRMaterial(baseColorTexture=Image.fromarray(colours[None].repeat(2, 0)))
    )
    box.export(folder / "cube.glb")
    box.export(folder / "cube.gltf")
    box.export(folder / "cube.obj")
    rows = [" ".join(map(str, [*v, *c, 255])) for v, c in zip(box.vertices, per_vertex, strict=True)]
    rows += [f"3 {a} {b} {c}" for a, b, c in box.faces]
    (folder / "cube.off").write_text("\n".join(["COFF", f"{len(box.vertices)} {len(box.faces)} 0", *rows]))
    plain = trimesh.Trimesh(box.vertices, box.faces, process=False, vertex_colors=per_vertex)
    plain.export(folder / "cube.ply")


@pytest.mark.parametrize("view", [(0, 0), (90, 25), (200, -40)])
def test_silhouette_of_a_sphere(view):
    size, distance, radius = 100, 1.6, 0.5
    sphere = trimesh.creation.icosphere(5, radius)
    image = Scene(coloured_mesh(sphere.vertices, sphere.faces, np.ones((len(sphere.vertices), 3)))).render(
        camera(size, *view, distance), size
    )
    expected = FOCAL * size * np.tan(np.arcsin(radius / distance))
    cover = image[..., 3] / 255
    assert cover.sum() == pytest.approx(np.pi * expected**2, rel=3e-3)
    rows, columns = np.indices(cover.shape)
    assert [(rows * cover).sum() / cover.sum(), (columns * cover).sum() / cover.sum()] == pytest.approx(
        [(size - 1) / 2] * 2, abs=0.02
    )
    off = np.hypot(rows - (size - 1) / 2, columns - (size - 1) / 2)
    assert (cover[off < expected - 1] == 1).all() and (cover[off > expected + 1] == 0).all()
    assert len(np.unique(cover)) > 8  # smooth: partly covered pixels


@pytest.mark.parametrize("view", [(0, 0), (90, 0), (180, 0), (270, 0), (30, 80), (60, -80), (130, 40)])
def test_every_side_of_a_textured_cube_is_where_it_belongs(tmp_path, view):
    position_cube().export(tmp_path / "cube.glb")
    mesh = normalise(load_mesh(tmp_path / "cube.glb"))[0]
    matrix, size = camera(200, *view, 2.0), 200
    image = Scene(mesh).render(matrix, size)
    line = np.linspace(-0.45, 0.45, 13)
    RT = decompose(matrix)[1]
    eye = -RT[:, :3].T @ RT[:, 3]
    seen = 0
    for axis in range(3):
        if abs(eye[axis]) < 0.55:
            continue
        a, b = (values.ravel() for values in np.meshgrid(line, line))
        points = np.insert(np.stack([a, b], 1), axis, 0.5 * np.sign(eye[axis]), 1)
        pixels = project(points, matrix)[0]
        got = np.stack([map_coordinates(image[..., k] / 255, pixels.T[::-1], order=1) for k in range(3)], 1)
        expected = 0.2 + 0.6 * (points + 0.5)
        light = np.median(got / expected)  # one light on a flat side
        assert 0.4 < light <= 1.1
        assert np.abs(got - expected * light).max() < 0.015
        seen += 1
    assert seen >= 1


def test_all_formats_give_the_same_image(tmp_path):
    flat_cube(tmp_path)
    matrix = camera(96, 40, 30, 2.0)
    images = [
        Scene(normalise(load_mesh(tmp_path / f"cube.{kind}"))[0]).render(matrix, 96).astype(int)
        for kind in ("glb", "gltf", "obj", "ply", "off")
    ]
    assert len(np.unique(images[0].reshape(-1, 4), axis=0)) > 20
    assert max(np.abs(image - images[0]).max() for image in images) <= 2


def test_silhouette_is_not_darkened_and_light_reaches_both_sides():
    triangle = np.array([[-0.4, -0.3, 0], [0.5, -0.2, 0], [0.1, 0.45, 0]])
    scene = Scene(coloured_mesh(triangle, [[0, 1, 2]], np.tile([0.8, 0.4, 0.2], (3, 1))))
    front, back = (scene.render(camera(64, azimuth, 0, 2), 64) for azimuth in (0, 180))
    for image in (front, back):
        alpha = image[..., 3]
        assert ((alpha > 0) & (alpha < 255)).sum() > 30
        # straight alpha: one colour, right up to the edge
        assert len(np.unique(image[alpha > 0][:, :3], axis=0)) == 1
        assert image[alpha > 0][0, 0] > 255 * 0.8 * 0.5
    assert np.array_equal(front[alpha > 0].max(0)[:3], back[alpha > 0].max(0)[:3])


def sheets(colours, alphas):
    """Parallel squares with colour and alpha; the first is nearest to a camera at azimuth 0."""
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    vertices = np.concatenate([np.insert(square, 2, 0.2 - 0.01 * k, 1) for k in range(len(colours))])
    faces = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(len(colours))])
    images = [np.full((2, 2, 4), [*colour, alpha], np.uint8) for colour, alpha in zip(colours, alphas, strict=True)]
    count = len(vertices)
    return Mesh(
        vertices,
        faces,
        np.tile([0.0, 0, 1], (count, 1)),
        np.tile(square + 0.5, (len(colours), 1)),
        np.ones((count, 4)),
        np.arange(len(colours)).repeat(2),
        [Material(np.ones(4), image, 0.5) for image in images],
    )


def test_rays_pass_through_absent_texels_only():
    matrix = camera(40, 0, 0, 2)
    image = Scene(sheets([(255, 0, 0), (0, 255, 0), (0, 0, 255)], [0, 100, 130])).render(matrix, 40)
    assert image[20, 20, 2] > 100 and not image[20, 20, :2].any() and image[20, 20, 3] == 255
    assert not Scene(sheets([(255, 0, 0)] * 2, [0, 100])).render(matrix, 40).any()


def test_smooth_and_sharp_edges():
    sphere, box = trimesh.creation.icosphere(2, 0.5), trimesh.creation.box()
    for shape in (sphere, box):
        scene = Scene(coloured_mesh(shape.vertices, shape.faces, np.full((len(shape.vertices), 3), 0.7)))
        image = scene.render(camera(64, 30, 25, 2), 64)
        inner = distance_transform_edt(image[..., 3] == 255) > 2
        shades, counts = np.unique(image[inner][:, 0], return_counts=True)
        if shape is box:  # three flat sides; edges between them mix
            assert np.sort(counts)[-3:].sum() > 0.9 * counts.sum()
        else:  # neighbouring pixels of a smooth ball differ little, although its outline shows the 320 faces
            steps = np.abs(np.diff(image[..., 0].astype(int), axis=1))[inner[:, 1:] & inner[:, :-1]]
            assert len(shades) > 40 and steps.max() <= 12
