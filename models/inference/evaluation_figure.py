"""figure.png of an evaluation: which objects it shows, and what its row shows of each."""

from collections.abc import Sequence

from data.network_input import network_image
from data.shards import Database, ObjectEntry
from data.spread import spread_by_category
from models.inference.evaluated_views import Row
from models.inference.field_query import FieldQuery
from models.inference.predict import predict_view
from utils.errors import UserError
from utils.geometry import frames
from utils.metrics import registry
from utils.metrics.voxel_metrics import true_voxels
from utils.rendering.figure import FigureRow
from utils.surface.dense import coloured_surface


def shown_objects(entries: Sequence[ObjectEntry], wanted: int | Sequence[str]) -> list[ObjectEntry]:
    """The objects that the figure shows.

    Args:
        entries: those that it can show.
        wanted: names, whose order the figure has, or how many of every category, evenly spaced over
            its objects.
    """
    if not isinstance(wanted, int):
        named = {entry.name: entry for entry in entries}
        return [named[name] for name in wanted if name in named]
    return spread_by_category(entries, wanted)


def figure_row(
    query: FieldQuery, database: Database, entry: ObjectEntry, view: int, row: Row, names: Sequence[str], iso: float
) -> FigureRow:
    """The row of one view of an object.

    Args:
        query: the network.
        database: that has the view.
        entry: the object.
        view: index of the view.
        row: its metrics.
        names: of the metrics in the title.
        iso: value of the field at the surface.
    """
    field = predict_view(query, database, entry, view, frames.VOXELS, iso)
    try:
        mesh = coloured_surface(field, query.config.binary, iso)
    except UserError:
        mesh = None
    values = [f"{registry.METRICS[name].heading} {registry.METRICS[name].text(row[name])}" for name in names]
    title = f"{entry.category} {entry.object_id}\n{'  '.join(values)}"
    image = network_image(database.image(entry, view), query.config)[..., :3]
    return FigureRow(title, image, mesh, true_voxels(*database.voxels(entry)))
