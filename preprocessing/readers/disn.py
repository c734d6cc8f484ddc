"""One object of DISN's HDF5 files (data/external_layouts.py) -> ObjectRecord.

DISN's frame is x_d = (x - c) / m, x in the units of the mesh and (c, m) = norm_params; it is y up and right-handed, like
the object frame p = (x - centre) * scale, so that p = a x_d + t with a = m scale and t = (c - centre) scale. Cameras,
distances and points are taken over by that map exactly. Pixels stay those that DISN reads its features at.

centre and scale come from the bounding box of the mesh, where it is given, else from that of the surface found between
the samples (preprocessing/recovery/level_set.py), whose colours come from the views (preprocessing/recovery/view_colours.py).
"""

import numpy as np

from data import categories
from data.shards import ObjectRecord
from preprocessing.meshes.load import load_mesh
from preprocessing.random_streams import object_rng
from preprocessing.readers.hdf5_files import checked, read_hdf5
from preprocessing.readers.mesh_fields import distance_fields, surface_fields
from preprocessing.readers.views import read_hdf5_view, views_for_shard
from preprocessing.recovery.level_set import grid_surface, level_surface, shrunk
from preprocessing.recovery.view_colours import view_colours
from utils.errors import UserError
from utils.geometry.cameras import check_camera
from utils.mesh.mesh import coloured_mesh, normalise

LEVEL = 0.003  # DISN's own: in its distances a thin sheet has no inside, but it lies below this


def read_samples(path):
    """Points (N, 3) in DISN's frame, distances (N,), c (3,) and m of norm_params, and whether the points are a grid.

    pc_sdf_sample of four columns is x y z distance; of one column it is the distances on a cubic grid, x fastest, between
    the corners sdf_params (as DISN's full grids for its 3D decoder).
    """
    data = read_hdf5(path, ["pc_sdf_sample", "norm_params", "sdf_params"])[0]
    samples = data["pc_sdf_sample"]
    columns = samples.shape[1] if samples.ndim == 2 and samples.shape[1] in (1, 4) else 4
    samples = checked(samples, (None, columns), path, "pc_sdf_sample").astype(np.float64)
    params = checked(data["norm_params"], (4,), path, "norm_params").astype(np.float64)
    if params[3] <= 0:
        raise UserError(f"{path}: norm_params has the scale {params[3]:g}, it should be above 0")
    if columns == 4:
        return samples[:, :3], samples[:, 3], params[:3], params[3], False
    corners = checked(data["sdf_params"], (6,), path, "sdf_params").astype(np.float64)
    side = round(len(samples) ** (1 / 3))
    if side**3 != len(samples):
        raise UserError(f"{path}: pc_sdf_sample has one column and {len(samples)} rows, which is no cubic grid")
    x, y, z = (np.linspace(corners[k], corners[k + 3], side) for k in range(3))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    return np.stack([x, y, z], -1).reshape(-1, 3), samples[:, 0], params[:3], params[3], True


def _surface(points, distances, is_grid, path):
    """Vertices (V, 3) in DISN's frame and faces (F, 3) of the surface between the samples.

    It is sought at LEVEL and moved back by as much: the sides of a thin sheet meet in the sheet then.
    """
    if is_grid:
        side = round(len(points) ** (1 / 3))
        field = distances.reshape(side, side, side).transpose(2, 1, 0)
        vertices, faces = grid_surface(field, points[0], points[1, 0] - points[0, 0], LEVEL, path)
    else:
        vertices, faces = level_surface(points, distances, LEVEL, path)
    return shrunk(vertices, faces, LEVEL), faces


def _views(source, scale, offset):
    """RGBA pictures and cameras (V, 4, 3) of the object frame p = scale x_d + offset."""
    back = np.diag([1 / scale] * 3 + [1.0])  # row vectors: x_d = (p - offset) / scale
    back[3, :3] = -offset / scale
    pictures, cameras = [], []
    for path in source.views():
        picture, matrix = read_hdf5_view(path, "bgr")
        pictures.append(picture)
        cameras.append(check_camera(back @ matrix, path))
    return pictures, np.stack(cameras)


def read_object(source, options):
    """ForeignObject -> ObjectRecord; UserError names the file and what is wrong with it."""
    rng = object_rng(source.category, source.object_id)
    points, distances, c, m, is_grid = read_samples(source.geometry)
    if source.mesh is None:
        vertices, faces = _surface(points, distances, is_grid, source.geometry)
        low, high = vertices.min(0), vertices.max(0)
        a, t = 1 / (high - low).max(), -(low + high) / 2 / (high - low).max()
        centre, scale = c + m * (low + high) / 2, a / m
        mesh = coloured_mesh(a * vertices + t, faces, np.ones_like(vertices))
    else:
        mesh, centre, scale = normalise(load_mesh(source.mesh))
        a, t = m * scale, (c - centre) * scale
    pictures, cameras = _views(source, a, t)
    if source.mesh is None:
        colours = view_colours(mesh.vertices, mesh.normals, mesh.faces, pictures, cameras, source.views_folder)
        mesh = coloured_mesh(mesh.vertices, mesh.faces, colours)
    fields = surface_fields(mesh, options.surface_points, rng)
    chosen = rng.permutation(len(points))[: options.sdf_points]  # DISN keeps them sorted by distance
    return ObjectRecord(
        category=categories.name(source.category),
        object_id=source.object_id,
        view_names=[path.stem for path in source.views()],
        centre=centre,
        scale=float(scale),
        reprojection_error=np.nan,
        **views_for_shard(pictures, cameras, options.image_size),
        **fields,
        **distance_fields(a * points[chosen] + t, a * (distances[chosen] - options.sdf_offset), fields),
    )
