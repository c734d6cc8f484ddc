"""The layouts that gen_db.py reads: finding their objects, reading one of them."""

from data import categories, external_layouts, raw_layout
from preprocessing.meshes.find import find_meshes
from preprocessing.readers import disn, im2avatar, original, r2n2
from utils.errors import UserError

READERS = {"im2avatar": im2avatar, "original": original, "disn": disn, "r2n2": r2n2}


def guess(root):
    """The layout of a folder by its files, Im2Avatar's first (the original keeps its files beside them); None if none is."""
    if next(root.glob("*/*/views"), None):
        return "im2avatar"
    return next(
        (layout for layout, file in external_layouts.GEOMETRY.items() if next(root.glob(f"*/*/{file}"), None)), None
    )


def find_objects(layout, root, images=None, meshes=None):
    """Every object of a folder: RawObject or ForeignObject, sorted by category and id.

    images: the folder of the views, if it is another; meshes: the folder of the meshes they were made of.
    """
    try:
        if layout == "im2avatar":
            return raw_layout.find_objects(root)
        if meshes:
            meshes = {(categories.name(category), object_id): path for category, object_id, path in find_meshes(meshes)}
        return external_layouts.find_objects(layout, root, images, meshes)
    except UserError as error:
        other = guess(root)
        if other in (None, layout):
            raise
        raise UserError(f"{error}; it looks like --format {other}") from None


def try_object(source, options):
    """The ObjectRecord of an object, or the reason (str) why there is none; for worker processes."""
    try:
        reader = im2avatar if isinstance(source, raw_layout.RawObject) else READERS[source.layout]
        return reader.read_object(source, options)
    except UserError as error:
        return str(error)
    except Exception as error:  # one strange object must not end the run over all others
        return f"{source.folder}: {type(error).__name__}: {error}"
