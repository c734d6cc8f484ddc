"""Reader of DISN's HDF5 files.

    <root>/<category>/<object>/ori_sample.h5      pc_sdf_original, pc_sdf_sample (N,4),
                                                  norm_params (4,), sdf_params (6,)
    <images>/<category>/<object>/<view>.h5        img_arr (H,W,4) uint8 BGRA, trans_mat (4,3),
                                                  regress_mat, K, RT, obj_rot_mat

DISN's frame is x_d = (x - c) / m, with x in the units of the mesh and (c, m) = norm_params. Like
the object frame p = (x - centre) * scale it is right-handed with y up, so that p = a x_d + t with
a = m scale and t = (c - centre) scale. This map carries cameras, distances and points over exactly.
Pixels stay those that DISN reads its features at.

centre and scale come from the bounding box of the mesh, where there is one. Otherwise they come
from the surface between the samples (preprocessing/recovery/level_set.py), and its colours come
from the views (preprocessing/recovery/view_colours.py).
"""

import pathlib
from typing import NamedTuple

import numpy as np

from data import categories
from data.external_layouts import ExternalLayout, ExternalObject
from data.shard_format import ObjectRecord
from preprocessing.meshes.load import load_mesh
from preprocessing.random_streams import object_rng
from preprocessing.readers.hdf5_files import checked, read_hdf5
from preprocessing.readers.mesh_fields import distance_fields, surface_fields
from preprocessing.readers.reader import Options, Reader
from preprocessing.readers.views import read_hdf5_view, views_for_shard
from preprocessing.recovery.level_set import grid_surface, moved_inwards, scattered_surface
from preprocessing.recovery.view_colours import view_colours
from utils.errors import UserError
from utils.geometry.cameras import check_camera
from utils.mesh.mesh import coloured_mesh, normalise

LAYOUT = ExternalLayout(geometry="ori_sample.h5", views="", suffix=".h5")
ISO = 0.003  # DISN's: in its distances a thin sheet has no inside, but it lies below this iso value


class Samples(NamedTuple):
    """The contents of ori_sample.h5."""

    points: np.ndarray  # (N, 3), DISN's frame
    distances: np.ndarray  # (N,), DISN's frame
    c: np.ndarray  # (3,), centre of norm_params
    m: float  # scale of norm_params
    is_grid: bool  # the points are a cubic grid, x fastest


def read_samples(path: pathlib.Path) -> Samples:
    """Read ori_sample.h5; UserError names the file and what is wrong with it.

    pc_sdf_sample with four columns is x y z distance. With one column it holds the distances on a
    cubic grid, x fastest, between the corners sdf_params (DISN's full grids for its 3D decoder).
    """
    data = read_hdf5(path, ["pc_sdf_sample", "norm_params", "sdf_params"])[0]
    samples = data["pc_sdf_sample"]
    columns = samples.shape[1] if samples.ndim == 2 and samples.shape[1] in (1, 4) else 4
    samples = checked(samples, (None, columns), path, "pc_sdf_sample").astype(np.float64)
    params = checked(data["norm_params"], (4,), path, "norm_params").astype(np.float64)
    c, m = params[:3], params[3]
    if m <= 0:
        raise UserError(f"{path}: norm_params has the scale {m:g}, it should be above 0")
    if columns == 4:
        return Samples(samples[:, :3], samples[:, 3], c, m, is_grid=False)
    corners = checked(data["sdf_params"], (6,), path, "sdf_params").astype(np.float64)
    side = round(len(samples) ** (1 / 3))
    if side < 2 or side**3 != len(samples):
        raise UserError(f"{path}: pc_sdf_sample has one column and {len(samples)} rows, which is not a cubic grid")
    x, y, z = (np.linspace(corners[k], corners[k + 3], side) for k in range(3))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    return Samples(np.stack([x, y, z], -1).reshape(-1, 3), samples[:, 0], c, m, is_grid=True)


def _surface(samples: Samples, path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in DISN's frame and faces (F, 3) of the surface between the samples.

    The surface is extracted at ISO and then moved inwards by ISO, where the two sides of a thin
    sheet meet in the sheet.
    """
    points, distances = samples.points, samples.distances
    if samples.is_grid:
        side = round(len(points) ** (1 / 3))
        field = distances.reshape(side, side, side).transpose(2, 1, 0)
        vertices, faces = grid_surface(field, points[0], (points[-1] - points[0]) / (side - 1), ISO, path)
    else:
        vertices, faces = scattered_surface(points, distances, ISO, path)
    return moved_inwards(vertices, faces, ISO), faces


def _views(source: ExternalObject, a: float, t: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """RGBA images and cameras (V, 4, 3) of the object frame p = a x_d + t."""
    to_disn = np.diag([1 / a] * 3 + [1.0])  # row vectors: x_d = (p - t) / a
    to_disn[3, :3] = -t / a
    images, cameras = [], []
    for path in source.views():
        image, matrix = read_hdf5_view(path, "bgr")
        images.append(image)
        cameras.append(check_camera(to_disn @ matrix, path))
    return images, np.stack(cameras)


def read_object(source: ExternalObject, options: Options) -> ObjectRecord:
    """The record of one object; UserError names the file and what is wrong with it."""
    rng = object_rng(source.category, source.object_id)
    samples = read_samples(source.geometry)
    c, m = samples.c, samples.m
    if source.mesh is None:
        vertices, faces = _surface(samples, source.geometry)
        low, high = vertices.min(0), vertices.max(0)
        a, t = 1 / (high - low).max(), -(low + high) / 2 / (high - low).max()
        centre, scale = c + m * (low + high) / 2, a / m
        mesh = coloured_mesh(a * vertices + t, faces, np.ones_like(vertices))
    else:
        mesh, centre, scale = normalise(load_mesh(source.mesh))
        a, t = m * scale, (c - centre) * scale
    images, cameras = _views(source, a, t)
    if source.mesh is None:
        colours = view_colours(mesh.vertices, mesh.normals, mesh.faces, images, cameras, source.views_folder)
        mesh = coloured_mesh(mesh.vertices, mesh.faces, colours)
    fields = surface_fields(mesh, options.surface_points, rng)
    chosen = rng.permutation(len(samples.points))[: options.sdf_points]  # DISN keeps them sorted by distance
    points, distances = samples.points[chosen], samples.distances[chosen]
    return ObjectRecord(
        category=categories.name(source.category),
        object_id=source.object_id,
        view_names=[path.stem for path in source.views()],
        centre=centre,
        scale=float(scale),
        reprojection_error=np.nan,
        **views_for_shard(images, cameras, options.image_size),
        **fields,
        **distance_fields(a * points + t, a * (distances - options.sdf_offset), fields),
    )


READER = Reader(
    name="disn",
    description="""\
distances of ori_sample.h5, cameras and views of *.h5 (BGRA). The surface comes from
the distances and its colours from the views that see it; with meshes both come from
those.""",
    glob=LAYOUT.glob,
    find=LAYOUT.find_objects,
    read=read_object,
    uses={
        "images": "folder of the views' HDF5 files, where they are not in the raw folder",
        "meshes": "surface and colours are taken from them",
        "sdf_offset": "subtracted from the distances, in their own units (DISN trains with 0.003)",
    },
    settings=lambda options, folders: {
        "sdf_offset": options.sdf_offset,
        "surface": "meshes" if folders.meshes else "distances and views",
    },
)
