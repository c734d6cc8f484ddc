"""A box with six colours in the layouts of other projects, from formulas.

Nothing here uses the code that reads them.
"""

import cv2
import h5py
import numpy as np

SIZE = 64  # pixels of a view
CENTRE, HALF = np.array([0.05, -0.02, 0.08]), np.array([0.3, 0.2, 0.12])  # of the box, in the units of its mesh
# RGB of the faces -x +x -y +y -z +z; exchanging red and blue of one never gives another
COLOURS = np.array(
    [[220, 40, 30], [40, 200, 60], [30, 60, 210], [230, 210, 40], [60, 200, 220], [140, 30, 90]], np.uint8
)
# azimuth, elevation, distance ratio as in 3D-R2N2
VIEWS = [(20, 30, 0.7), (110, 25, 0.75), (200, 28, 0.8), (290, 35, 0.72)]
SCALE = 1 / (2 * HALF.max())  # object frame p = (x - CENTRE) * SCALE


def camera(azimuth, elevation, ratio, size=SIZE):
    """3D-R2N2's camera, spelled out: (4, 3), frame of the mesh to pixels with edges at integers."""
    az, el = np.radians([azimuth, elevation])
    back = np.array([np.cos(el) * np.cos(az), np.sin(el), np.cos(el) * np.sin(az)])  # from the object to the camera
    right = np.array([np.sin(az), 0, -np.cos(az)])
    down = -np.cross(back, right)
    R = np.stack([right, down, -back])
    K = np.array([[35 / 32 * size, 0, size / 2], [0, 35 / 32 * size, size / 2], [0, 0, 1]])
    return (K @ np.concatenate([R, [[0], [0], [1.75 * ratio]]], 1)).T


def object_points(x):
    """The object frame of points in the frame of the mesh."""
    return (x - CENTRE) * SCALE


def box_distance(p):
    """Signed distance of the box, all in the object frame."""
    q = np.abs(p) - HALF * SCALE
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def face_at(p):
    """The face (index into COLOURS) nearest to surface points (N, 3) of the object frame."""
    off = np.stack([p + HALF * SCALE, HALF * SCALE - p], -1)
    return np.abs(off).reshape(-1, 6).argmin(1)


def render(matrix, size=SIZE):
    """Cast a ray through the middle of every pixel: RGBA (size, size, 4) uint8 of the box."""
    P = matrix.T
    inverse = np.linalg.inv(P[:, :3])
    origin = -inverse @ P[:, 3]
    v, u = np.mgrid[:size, :size] + 0.5
    directions = np.stack([u.ravel(), v.ravel(), np.ones(size * size)], 1) @ inverse.T
    near, far = (CENTRE - HALF - origin) / directions, (CENTRE + HALF - origin) / directions
    enter, leave = np.minimum(near, far).max(1), np.maximum(near, far).min(1)
    hit = (enter < leave) & (enter > 0)
    image = np.zeros((size * size, 4), np.uint8)
    image[hit, :3] = COLOURS[face_at(object_points(origin + enter[hit, None] * directions[hit]))]
    image[hit, 3] = 255
    return image.reshape(size, size, 4)


def write_mesh(path):
    """The box as a PLY file with coloured corners, four to a face."""
    import trimesh

    vertices, faces, colours = [], [], []
    for axis in range(3):
        for side, sign in enumerate((-1, 1)):
            square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])[::sign] * 1.0
            corners = np.zeros((4, 3))
            corners[:, axis] = sign
            corners[:, [(axis + 1) % 3, (axis + 2) % 3]] = square
            faces += [[len(vertices) + k for k in triangle] for triangle in ((0, 1, 2), (0, 2, 3))]
            vertices += list(CENTRE + HALF * corners)
            colours += [COLOURS[2 * axis + side]] * 4
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(vertices, faces, vertex_colors=np.array(colours), process=False).export(path)


def voxels():
    """Surface voxels (M, 3) in 0..63 of the box and their colours (M, 3) uint8."""
    line = (np.arange(64) + 0.5) / 64 - 0.5
    centres = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    distance = box_distance(centres)
    shell = (distance <= 0) & (distance > -1 / 64)
    return np.rint(64 * centres[shell] + 31.5).astype(int), COLOURS[face_at(centres[shell])]


def write_original(root, category, object_id, rng, axes=((1, 0, 0), (0, 1, 0), (0, 0, 1)), channels="bgr", alpha=False):
    """Write models/voxel.h5 and h5/NN.h5: voxels along the axes q = A^T p, views on white."""
    index, colours = voxels()
    stored = np.rint((index - 31.5) @ np.array(axes) - 0.5)  # row vectors: q = p A
    order = rng.permutation(len(stored))
    occupied = {tuple(v) for v in stored.astype(int)}
    empty = [v for v in rng.integers(-32, 32, (2 * len(stored), 3)) if tuple(v) not in occupied][: len(stored)]
    folder = root / category / object_id
    (folder / "models").mkdir(parents=True)
    (folder / "h5").mkdir()
    with h5py.File(folder / "models" / "voxel.h5", "w") as file:
        file["voxel_pt"] = np.concatenate([stored[order], empty]).astype(np.float64)
        file["voxel_val"] = np.concatenate([colours[order] / 255, np.full((len(stored), 3), -1.0)])
    for view, row in enumerate(VIEWS):
        rgba = render(camera(*row)) / 255
        if not alpha:
            rgba[..., :3] = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
        rgba = rgba[..., [2, 1, 0, 3]] if channels == "bgr" else rgba
        with h5py.File(folder / "h5" / f"{view:02d}.h5", "w") as file:
            file["img_arr"] = rgba[..., : 4 if alpha else 3].astype(np.float32)
            file["trans_mat"] = original_camera(row, axes)


def original_camera(row, axes):
    """(4, 3): voxel coordinates v = 64 q - 0.5, p = A q, to pixels with centres at integers."""
    to_mesh = np.eye(4)
    to_mesh[:3, :3] = np.asarray(axes).T / 64 / SCALE  # row vectors: p = q A^T
    to_mesh[3, :3] = 0.5 * np.asarray(axes).T.sum(0) / 64 / SCALE + CENTRE
    return to_mesh @ camera(*row) @ [[1, 0, 0], [0, 1, 0], [-0.5, -0.5, 1]]


NORM = np.array([0.03, -0.01, 0.06, 0.4])  # DISN's centre (mean of surface samples, not of the box) and scale


def write_disn(root, images, category, object_id, rng, count=16384, full_grid=None, sides=(1, 1, 1)):
    """Write ori_sample.h5 and NN.h5 like DISN; full_grid: side of a grid instead of samples.

    sides: of the grid, over that of a cube 1.2 times as large as the box.
    """

    def distance(d):  # in DISN's frame d = (x - c) / m
        return box_distance(object_points(d * NORM[3] + NORM[:3])) / SCALE / NORM[3]

    middle, half = (CENTRE - NORM[:3]) / NORM[3], 1.2 * HALF.max() / NORM[3] * np.array(sides)
    corners = np.concatenate([middle - half, middle + half])
    if full_grid:
        z, y, x = np.meshgrid(
            *(np.linspace(middle[k] - half[k], middle[k] + half[k], full_grid) for k in (2, 1, 0)), indexing="ij"
        )
        samples = distance(np.stack([x, y, z], -1).reshape(-1, 3))[:, None]
    else:  # points of a 257^3 grid within 0.1 of the surface, a quarter in each of four layers, layer after layer
        grid = middle + half * (rng.integers(0, 257, (30 * count, 3)) / 128 - 1)
        value = distance(grid)
        layers = [(-0.1, -0.03), (-0.03, 0), (0, 0.03), (0.03, 0.1)]
        chosen = [np.flatnonzero((value >= low) & (value < high))[: count // 4] for low, high in layers]
        chosen = np.concatenate([np.resize(rows, count // 4) for rows in chosen])
        samples = np.concatenate([grid, value[:, None]], 1)[chosen]
    (root / category / object_id).mkdir(parents=True)
    (images / category / object_id).mkdir(parents=True, exist_ok=True)
    with h5py.File(root / category / object_id / "ori_sample.h5", "w") as file:
        file["pc_sdf_original"] = np.zeros((1, 3), np.float32)
        file["pc_sdf_sample"] = samples.astype(np.float32)
        file["norm_params"] = NORM
        file["sdf_params"] = corners.astype(np.float32)
    for view, row in enumerate(VIEWS):
        with h5py.File(images / category / object_id / f"{view:02d}.h5", "w") as file:
            file["img_arr"] = render(camera(*row))[..., [2, 1, 0, 3]]
            file["trans_mat"] = disn_camera(row).astype(np.float32)
            for name, shape in (("regress_mat", (4, 3)), ("K", (3, 3)), ("RT", (3, 4)), ("obj_rot_mat", (3, 3))):
                file[name] = np.zeros(shape, np.float32)  # not read


def disn_camera(row):
    """(4, 3): DISN's frame to its pixels."""
    to_mesh = np.diag([NORM[3]] * 3 + [1.0])
    to_mesh[3, :3] = NORM[:3]
    return to_mesh @ camera(*row)


def write_r2n2(root, meshes, category, object_id):
    """Write rendering/NN.png, rendering_metadata.txt and the mesh (a PLY file here)."""
    folder = root / category / object_id / "rendering"
    folder.mkdir(parents=True)
    write_mesh(meshes / category / f"{object_id}.ply")
    for view, row in enumerate(VIEWS):
        cv2.imwrite(str(folder / f"{view:02d}.png"), render(camera(*row))[..., [2, 1, 0, 3]])
    (folder / "renderings.txt").write_text("".join(f"{view:02d}.png\n" for view in range(len(VIEWS))))
    (folder / "rendering_metadata.txt").write_text("".join(f"{az} {el} 0 {ratio} 25\n" for az, el, ratio in VIEWS))
