"""What a network predicts for one image: the field on a grid, its surface voxels, its mesh."""

import numpy as np

from data.network_input import network_camera, network_image, object_frame
from utils.errors import UserError
from utils.geometry import frames
from utils.surface import adaptive, dense, field_grid, field_voxels, marching
from utils.surface.field_grid import FieldGrid

TOGETHER = 4  # views: at full size each takes 80 MB while it is worked on, and the encoder some more


def predict(query, views, resolution, iso, frame=None):
    """FieldQuery, [((H, W, 4) uint8 view, its (4, 3) object-frame camera)] of one object -> a FieldGrid of resolution^3 points for each.

    frame: the object's ModelFrame, as FieldQuery.encode takes it. What depends on the points alone is computed once for all views,
    colours are asked where the field is occupied.
    """
    config = query.config
    images = [network_image(rgba, config) for rgba, _ in views]
    encoded = query.encode_views(images, [network_camera(matrix, rgba, config) for rgba, matrix in views], frame)
    points = frames.voxel_centres(resolution)
    fields = []
    for view, geometry in zip(encoded, query.geometry_of_views(encoded, points), strict=True):
        colours = np.full((len(points), 3), -1, np.float32)
        occupied = query.occupied(geometry, iso)
        colours[occupied] = query.colour(view, points[occupied])
        fields.append(FieldGrid(resolution, geometry.astype(np.float32), colours))
    return fields


def predict_view(query, database, entry, view, resolution, iso):
    """predict() for one view of an object of the database."""
    picture = database.image(entry, view), database.trans_mat(entry, view)
    return predict(query, [picture], resolution, iso, object_frame(query.config, database, entry))[0]


def predict_views(query, database, entry, views, resolution, iso):
    """predict() for views of an object of the database, TOGETHER at a time: yields a FieldGrid for each, or the UserError of reading it."""
    frame = object_frame(query.config, database, entry)
    for first in range(0, len(views), TOGETHER):
        pictures, errors = [], {}
        for view in views[first : first + TOGETHER]:
            try:
                pictures.append((database.image(entry, view), database.trans_mat(entry, view)))
            except UserError as error:
                errors[view] = error
        fields = iter(predict(query, pictures, resolution, iso, frame) if pictures else [])
        for view in views[first : first + TOGETHER]:
            yield errors[view] if view in errors else next(fields)


def surface_voxels(field, binary, iso):
    """Field -> predicted surface voxels (K, 3) in the voxel frame, their colours (K, 3).

    binary: the occupied cells, none where the field is empty. SDF: the extracted surface, voxelised as the truth is;
    UserError where there is none.
    """
    if binary:
        return field_voxels.binary_voxels(field, iso)
    return field_voxels.sdf_surface_voxels(*coloured_surface(field, binary, iso))


def coloured_surface(field, binary, iso, fill=False):
    """Field -> vertices (V, 3) object frame, faces (F, 3), colours (V, 3); UserError where there is no surface."""
    vertices, faces = dense.extract(field.grid(), binary, iso, fill, field.line)
    return vertices, faces, field_grid.interpolate_colours(vertices, field)


def sampled_surface(query, encoded, resolution, iso):
    """FieldQuery, Encoded -> the finest utils.surface.sparse_grid.Level of what its surface needs, number of points asked."""
    return adaptive.sample_adaptively(
        lambda points: query.geometry(encoded, points),
        lambda n: query.geometry_of_grid(encoded, n), resolution, query.config.binary, iso,
    )  # fmt: skip


def textured_mesh(query, rgba, trans_mat, resolution, iso, fill=False, frame=None):
    """The coloured surface of one image: FieldQuery, (H, W, 4) uint8 view, its (4, 3) object-frame camera, ModelFrame as in predict ->
    what encoded_mesh gives."""
    config = query.config
    encoded = query.encode(network_image(rgba, config), network_camera(trans_mat, rgba, config), frame)
    return encoded_mesh(query, encoded, resolution, iso, fill)


def encoded_mesh(query, encoded, resolution, iso, fill=False, crumbs=True):
    """The coloured surface of an Encoded image, asked coarse to fine; nothing dense of the resolution is made.

    fill: without the inner walls of a shell; crumbs False: without pieces that are tiny beside the largest. -> vertices (V, 3) object frame,
    faces (F, 3), colours (V, 3) in [0, 1], normals (V, 3), number of points asked. UserError where there is no surface.
    """
    config = query.config
    level, asked = sampled_surface(query, encoded, resolution, iso)
    mesh = marching.triangulate(level)
    if fill:
        mesh = mesh.without_inner_walls()
    if not crumbs:
        mesh = mesh.without_small_components()
    # colours are asked along with the geometry, before the vertices make their last move, of a small part of a cell
    geometry, colours = query.geometry_and_colour(encoded, mesh.vertices())
    mesh.refine((geometry - iso) * (1 if config.binary else -1))
    return mesh.vertices(), mesh.faces, colours, mesh.normals(), asked + len(geometry)


def textured_view(query, database, entry, view, resolution, iso):
    """textured_mesh() of a view of an object of the database -> vertices, faces, colours."""
    picture = database.image(entry, view), database.trans_mat(entry, view)
    return textured_mesh(query, *picture, resolution, iso, frame=object_frame(query.config, database, entry))[:3]
