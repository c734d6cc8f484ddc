"""Reader of 3D-R2N2's renderings (ShapeNetRendering) and the meshes they were made of.

    <root>/<category>/<object>/rendering/<view>.png                RGBA
    <root>/<category>/<object>/rendering/rendering_metadata.txt    a row for each view: azimuth,
        elevation, in-plane rotation, distance ratio, field of view

3D-R2N2 (Choy et al., ECCV 2016) rendered the meshes of ShapeNetCore.v1 in their own units. Its
camera has 35 mm on a 32 mm sensor, whatever the field of view in the metadata, and stands at 1.75 x
the distance ratio.
"""

import pathlib

import numpy as np

from data import categories
from data.external_layouts import ExternalLayout, ExternalObject
from data.shard_format import ObjectRecord
from preprocessing.meshes.distances import (
    SIGN_HELP,
    UNRECORDED_SIGN,
    sample_space,
    signed_distances,
    warn_without_inside,
)
from preprocessing.meshes.load import load_mesh
from preprocessing.random_streams import object_rng
from preprocessing.readers.mesh_fields import distance_fields, surface_fields
from preprocessing.readers.reader import Options, Reader
from preprocessing.readers.views import views_for_shard
from utils.errors import UserError
from utils.geometry.cameras import check_camera, compose, intrinsics, look_at
from utils.images.photo import read_view
from utils.mesh.mesh import normalise
from utils.text_files import read_numbers

LAYOUT = ExternalLayout(geometry="rendering/rendering_metadata.txt", views="rendering", suffix=".png")
FARTHEST = 1.75  # units of the mesh; the metadata give distances as ratios to it


def read_metadata(path: pathlib.Path) -> np.ndarray:
    """(V, 5) rows of rendering_metadata.txt; UserError if it is not such a table."""
    try:
        rows = read_numbers(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a table of numbers ({error})") from None
    if not rows.size or rows.shape[1] < 4 or not np.isfinite(rows).all():
        columns = "azimuth, elevation, in-plane rotation, distance ratio, field of view"
        raise UserError(f"{path}: every row should be {columns}")
    if not (rows[:, 3] > 0).all():
        raise UserError(f"{path}: view {np.argmin(rows[:, 3])} has no distance above 0")
    if rows[:, 2].any():
        view = np.flatnonzero(rows[:, 2])[0]
        raise UserError(f"{path}: view {view} has an in-plane rotation, 3D-R2N2's renderings have none")
    return rows


def camera(row: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(4, 3) trans_mat of a metadata row, from the frame of the mesh to the pixels of a view.

    3D-R2N2 counts its azimuth from +x towards +z (y is up), this project from +z towards +x.
    size: (height, width) of the view.
    """
    azimuth, elevation, _, ratio = row[:4]
    K = intrinsics(size[1], height=size[0])
    return compose(K, look_at(90 - azimuth, elevation, FARTHEST * ratio))


def read_object(source: ExternalObject, options: Options) -> ObjectRecord:
    """The record of one object; UserError names the file and what is wrong with it."""
    if source.mesh is None:
        raise UserError(f"{source.folder}: the folder of meshes has no mesh of it")
    views, rows = source.views(), read_metadata(source.geometry)
    if [int(path.stem) if path.stem.isdecimal() else -1 for path in views] != list(range(len(rows))):
        wanted = f"{len(rows)} rows of metadata require views 00.png to {len(rows) - 1:02d}.png"
        raise UserError(f"{source.views_folder}: {wanted}, there are {len(views)}")
    rng = object_rng(source.category, source.object_id)
    mesh, centre, scale = normalise(load_mesh(source.mesh))
    to_mesh = np.diag([1 / scale] * 3 + [1.0])  # row vectors: x = p / scale + centre
    to_mesh[3, :3] = centre
    images = [read_view(path).rgba for path in views]
    cameras = [
        check_camera(to_mesh @ camera(row, image.shape[:2]), f"{source.geometry}: view {view}")
        for view, (row, image) in enumerate(zip(rows, images, strict=True))
    ]
    fields = surface_fields(mesh, options.surface_points, rng)
    points = sample_space(fields["surface_points"], options.sdf_points, rng)
    distances = signed_distances(mesh, points, options.sign)
    warn_without_inside(distances, options.sign, source.mesh)
    return ObjectRecord(
        category=categories.name(source.category),
        object_id=source.object_id,
        view_names=[path.stem for path in views],
        centre=centre,
        scale=scale,
        reprojection_error=np.nan,
        **views_for_shard(images, np.stack(cameras), options.image_size),
        **fields,
        **distance_fields(points, distances, fields),
    )


READER = Reader(
    name="r2n2",
    description="""\
3D-R2N2's renderings and cameras; surface, colours and distances come from the meshes.""",
    glob=LAYOUT.glob,
    find=LAYOUT.find_objects,
    read=read_object,
    uses={"meshes": "the meshes that were rendered", "sign": SIGN_HELP},
    needs=("meshes",),
    settings=lambda options, folders: {} if options.sign == UNRECORDED_SIGN else {"sign": options.sign},
)
