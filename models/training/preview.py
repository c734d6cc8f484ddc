"""An image of what the network makes of a few validation views, for TensorBoard."""

import numpy as np

from data.network_input import network_view, object_frame
from data.shards import Database, ObjectEntry
from data.spread import spread
from models.inference.field_query import FieldQuery
from utils.geometry import frames
from utils.rendering.splat import splat

RESOLUTION = 32  # cells along an axis: a full-size network takes about a second for them
COUNT = 4  # objects


def validation_preview(query: FieldQuery, database: Database, entries: list[ObjectEntry], iso: float) -> np.ndarray:
    """(COUNT h, 3 w, 3) in [0, 1]: a row per object with its first view and both point clouds.

    Args:
        query: the network.
        database: of the objects.
        entries: the objects, of which COUNT are shown.
        iso: value of the field at the surface.
    """
    config = query.config
    rows = []
    for entry in spread(entries, COUNT):
        rgba = database.image(entry, 0)
        image, camera = network_view(rgba, database.trans_mat(entry, 0), config)
        encoded = query.encode(image, camera, object_frame(config, database, entry))
        points = frames.voxel_centres(RESOLUTION)
        points = points[query.occupied(query.geometry(encoded, points), iso)]
        index, colours = database.voxels(entry)
        size = config.img_h, config.img_w
        predicted = splat(points, query.colour(encoded, points), camera, *size, 2)
        true = splat(frames.centres_of(index), colours / 255, camera, *size, 1)
        rows.append(np.hstack([image[..., :3], predicted, true]))
    return np.vstack(rows)
