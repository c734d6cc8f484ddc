"""One object of 3D-R2N2's renderings and the mesh it was rendered from (data/external_layouts.py) -> ObjectRecord.

3D-R2N2 (Choy et al., ECCV 2016) rendered the meshes of ShapeNetCore.v1 as they are, in their own units. Its camera has
35 mm on a 32 mm sensor, whatever the field of view in the metadata, and stands at 1.75 x the distance in the metadata.
"""

import numpy as np

from data import categories
from data.shards import ObjectRecord
from preprocessing.meshes.distances import sample_space, signed_distances
from preprocessing.meshes.load import load_mesh
from preprocessing.random_streams import object_rng
from preprocessing.readers.mesh_fields import distance_fields, surface_fields
from preprocessing.readers.views import read_picture, views_for_shard
from utils.errors import UserError
from utils.geometry.cameras import check_camera, compose, intrinsics, look_at
from utils.mesh.mesh import normalise

FARTHEST = 1.75  # units of the mesh; the distances of the metadata are shares of it


def read_metadata(path):
    """(V, 5) rows of rendering_metadata.txt; UserError if it is not such a table."""
    try:
        rows = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a table of numbers ({error})") from None
    if not rows.size or rows.shape[1] < 4 or not np.isfinite(rows).all():
        raise UserError(
            f"{path}: every row should be azimuth, elevation, in-plane rotation, distance ratio, field of view"
        )
    if rows[:, 2].any():
        raise UserError(
            f"{path}: view {np.flatnonzero(rows[:, 2])[0]} has an in-plane rotation, 3D-R2N2's renderings have none"
        )
    return rows


def camera(row, size):
    """(4, 3) trans_mat of a metadata row, from the mesh's own frame to pixels of a picture of size = (height, width).

    3D-R2N2 counts its azimuth from +x towards +z (y is up), this project from +z towards +x.
    """
    azimuth, elevation, _, ratio = row[:4]
    height, width = size
    K = intrinsics(width)
    K[1, 2] = (height - 1) / 2
    return compose(K, look_at(90 - azimuth, elevation, FARTHEST * ratio))


def read_object(source, options):
    """ForeignObject -> ObjectRecord; UserError names the file and what is wrong with it."""
    if source.mesh is None:
        raise UserError(f"{source.folder}: --meshes has no mesh of it")
    views, rows = source.views(), read_metadata(source.geometry)
    if [int(path.stem) if path.stem.isdigit() else -1 for path in views] != list(range(len(rows))):
        wanted = f"{len(rows)} rows of metadata want views 00.png to {len(rows) - 1:02d}.png"
        raise UserError(f"{source.views_folder}: {wanted}, there are {len(views)}")
    rng = object_rng(source.category, source.object_id)
    mesh, centre, scale = normalise(load_mesh(source.mesh))
    to_mesh = np.diag([1 / scale] * 3 + [1.0])  # row vectors: x = p / scale + centre
    to_mesh[3, :3] = centre
    pictures = [read_picture(path) for path in views]
    cameras = [to_mesh @ camera(row, picture.shape[:2]) for row, picture in zip(rows, pictures, strict=True)]
    cameras = np.stack([check_camera(matrix, f"{source.geometry}: view {view}") for view, matrix in enumerate(cameras)])
    fields = surface_fields(mesh, options.surface_points, rng)
    points = sample_space(fields["surface_points"], options.sdf_points, rng)
    return ObjectRecord(
        category=categories.name(source.category),
        object_id=source.object_id,
        view_names=[path.stem for path in views],
        centre=centre,
        scale=scale,
        reprojection_error=np.nan,
        **views_for_shard(pictures, cameras, options.image_size),
        **fields,
        **distance_fields(points, signed_distances(mesh, points), fields),
    )
