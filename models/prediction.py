"""What a network predicts for one image: the field on a grid, its surface voxels, its mesh."""

import numpy as np

from data.samples import network_camera, network_image, object_frame
from utils import brick_mesh, coarse_to_fine, frames, metrics, surface_mesh
from utils.txt_field import Field


def predict(query, rgba, trans_mat, resolution, iso, frame=None):
    """FieldQuery, (H, W, 4) uint8 view, its (4, 3) object-frame camera -> Field of resolution^3 points.

    frame: the object's ModelFrame, as FieldQuery.encode takes it.
    """
    config = query.config
    encoded = query.encode(network_image(rgba, config), network_camera(trans_mat, rgba.shape[:2], config), frame)
    points = frames.voxel_centres(resolution)
    geometry = query.geometry(encoded, points)
    colours = np.full((len(points), 3), -1, np.float32)
    occupied = query.occupied(geometry, iso)
    colours[occupied] = query.colour(encoded, points[occupied])
    return Field(resolution, geometry.astype(np.float32), colours)


def predict_view(query, database, entry, view, resolution, iso):
    """predict() for a view of an object of the database."""
    frame = object_frame(query.config, database, entry)
    return predict(query, database.image(entry, view), database.trans_mat(entry, view), resolution, iso, frame)


def surface_voxels(field, binary, iso):
    """Field -> predicted surface voxels (K, 3) in the voxel frame, their colours (K, 3).

    binary: the occupied cells, none where the field is empty. SDF: the extracted surface, voxelised as the truth is;
    UserError where there is none.
    """
    if binary:
        return metrics.binary_voxels(field, iso)
    return metrics.sdf_surface_voxels(*coloured_surface(field, binary, iso))


def coloured_surface(field, binary, iso, fill=False):
    """Field -> vertices (V, 3) object frame, faces (F, 3), colours (V, 3); UserError where there is no surface."""
    vertices, faces = surface_mesh.extract(field.grid(), binary, iso, fill, field.line)
    return vertices, faces, surface_mesh.interpolate_colours(vertices, field)


def sampled_surface(query, encoded, resolution, iso):
    """FieldQuery, Encoded -> the finest utils.bricks.Level of what its surface needs, number of points asked."""
    return coarse_to_fine.sample(
        lambda points: query.geometry(encoded, points),
        lambda n: query.geometry_of_grid(encoded, n), resolution, query.config.binary, iso,
    )  # fmt: skip


def textured_mesh(query, rgba, trans_mat, resolution, iso, fill=False, frame=None):
    """The coloured surface of one image, asked coarse to fine; nothing dense of the resolution is made.

    query, rgba, trans_mat and frame as predict takes them -> vertices (V, 3) object frame, faces (F, 3),
    colours (V, 3) in [0, 1], normals (V, 3), number of points asked. UserError where there is no surface.
    """
    config = query.config
    encoded = query.encode(network_image(rgba, config), network_camera(trans_mat, rgba.shape[:2], config), frame)

    level, asked = sampled_surface(query, encoded, resolution, iso)
    mesh = brick_mesh.triangulate(level)
    if fill:
        mesh = mesh.without_inner_walls()
    # colours are asked along with the geometry, before the vertices make their last move, of a small part of a cell
    geometry, colours = query.geometry_and_colour(encoded, mesh.vertices())
    mesh.refine((geometry - iso) * (1 if config.binary else -1))
    return mesh.vertices(), mesh.faces, colours, mesh.normals(), asked + len(geometry)
