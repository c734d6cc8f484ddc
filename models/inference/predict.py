"""The network's prediction for a view: the field on a grid, its mesh without one."""

import collections.abc
import dataclasses

import numpy as np

from data.network_input import network_view, object_frame
from data.shards import Database, ObjectEntry
from models.inference.field_query import Encoded, FieldQuery
from utils.errors import UserError
from utils.geometry import frames
from utils.surface import adaptive, marching
from utils.surface.field_grid import FieldGrid
from utils.surface.sparse_grid import SparseGrid

TOGETHER = 4  # views: at full size each takes 80 MB while it is worked on, and the encoder some more

View = tuple[np.ndarray, np.ndarray]  # (H, W, 4) uint8 RGBA, its (4, 3) object-frame camera


@dataclasses.dataclass(frozen=True)
class PredictedMesh:
    """The coloured surface of a field."""

    vertices: np.ndarray  # (V, 3) object frame
    faces: np.ndarray  # (F, 3) counter-clockwise seen from outside
    colours: np.ndarray  # (V, 3) in [0, 1]
    normals: np.ndarray | None  # (V, 3) unit vectors outward; None: those of the faces
    queries: int  # points at which the field was queried


def predict(
    query: FieldQuery,
    views: collections.abc.Sequence[View],
    resolution: int,
    iso: float,
    frame: frames.ModelFrame | None = None,
) -> list[FieldGrid]:
    """The fields of views of one object on a grid; colours only where the field is occupied.

    Args:
        query: the network.
        views: images and cameras.
        resolution: points along each axis.
        iso: value of the field at the surface.
        frame: the object's, as FieldQuery.encode takes it.
    """
    config = query.config
    images, cameras = zip(*[network_view(rgba, trans_mat, config) for rgba, trans_mat in views], strict=True)
    encoded = query.encode_views(images, cameras, frame)
    points = frames.voxel_centres(resolution)
    fields = []
    for view, geometry in zip(encoded, query.geometry_of_views(encoded, points), strict=True):
        colours = np.full((len(points), 3), -1, np.float32)
        occupied = query.occupied(geometry, iso)
        colours[occupied] = query.colour(view, points[occupied])
        fields.append(FieldGrid(resolution, geometry.astype(np.float32), colours))
    return fields


def predict_view(
    query: FieldQuery, database: Database, entry: ObjectEntry, view: int, resolution: int, iso: float
) -> FieldGrid:
    """predict() for one view of an object of the database."""
    pair = database.image(entry, view), database.trans_mat(entry, view)
    return predict(query, [pair], resolution, iso, object_frame(query.config, database, entry))[0]


def predict_views(
    query: FieldQuery, database: Database, entry: ObjectEntry, views: list[int], resolution: int, iso: float
) -> collections.abc.Iterator[FieldGrid | UserError]:
    """predict() for views of an object of the database, TOGETHER at a time.

    Yields:
        A field for each view, or the UserError that reading the view raised.
    """
    frame = object_frame(query.config, database, entry)
    for first in range(0, len(views), TOGETHER):
        pairs, errors = [], {}
        for view in views[first : first + TOGETHER]:
            try:
                pairs.append((database.image(entry, view), database.trans_mat(entry, view)))
            except UserError as error:
                errors[view] = error
        fields = iter(predict(query, pairs, resolution, iso, frame) if pairs else [])
        for view in views[first : first + TOGETHER]:
            yield errors[view] if view in errors else next(fields)


def sample_surface(query: FieldQuery, encoded: Encoded, resolution: int, iso: float) -> tuple[SparseGrid, int]:
    """The field near its surface, queried coarse to fine: a sparse grid, the number of queries."""
    return adaptive.sample_adaptively(
        lambda points: query.geometry(encoded, points),
        lambda n: query.geometry_of_grid(encoded, n),
        resolution,
        query.config.binary,
        iso,
    )


def extract_mesh(
    query: FieldQuery,
    encoded: Encoded,
    resolution: int,
    iso: float,
    *,
    inner_walls: bool = True,
    small_components: bool = True,
) -> PredictedMesh:
    """The coloured surface of an encoded image, queried coarse to fine: no dense grid is made.

    Args:
        query, encoded: the network and the image.
        resolution: cells along each axis.
        iso: value of the field at the surface.
        inner_walls: keep the walls of cavities, which a shell of occupied voxels has.
        small_components: keep pieces that are tiny beside the largest.

    Raises:
        UserError: the field has no surface at the iso value.
    """
    grid, queries = sample_surface(query, encoded, resolution, iso)
    mesh = marching.triangulate(grid)
    if not inner_walls:
        mesh = mesh.without_inner_walls()
    if not small_components:
        mesh = mesh.without_small_components()
    # one query gives geometry and colour, before the vertices' last move of a small part of a cell
    geometry, colours = query.geometry_and_colour(encoded, mesh.vertices())
    mesh.refine((geometry - iso) * (1 if query.config.binary else -1))
    return PredictedMesh(mesh.vertices(), mesh.faces, colours, mesh.normals(), queries + len(geometry))


def mesh_of_image(
    query: FieldQuery,
    rgba: np.ndarray,
    trans_mat: np.ndarray,
    resolution: int,
    iso: float,
    frame: frames.ModelFrame | None = None,
) -> PredictedMesh:
    """extract_mesh() of an (H, W, 4) uint8 image and its (4, 3) object-frame camera."""
    encoded = query.encode(*network_view(rgba, trans_mat, query.config), frame)
    return extract_mesh(query, encoded, resolution, iso)


def mesh_of_view(
    query: FieldQuery, database: Database, entry: ObjectEntry, view: int, resolution: int, iso: float
) -> PredictedMesh:
    """mesh_of_image() of a view of an object of the database."""
    frame = object_frame(query.config, database, entry)
    return mesh_of_image(query, database.image(entry, view), database.trans_mat(entry, view), resolution, iso, frame)
