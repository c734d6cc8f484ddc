"""The raw layout: the place of every file of a raw folder. No other file spells these names.

  <root>/<category>/<object>/views/*.png
      the views, RGB or RGBA, in the natural order of their names
  <root>/<category>/<object>/models/model_normalized_64.h5
      data (64,64,64,3): colour in [0,1] of the surface voxels, -1 elsewhere
  <root>/<category>/<object>/models/64_<view name>_coor.h5
      data (64,64,64,2): image (x, y) in [0,1] of the surface voxels, -1 elsewhere
Four more files are written by this project's renderer; Im2Avatar's data set has none of them:
  <root>/render.json
      the settings of the renderer
  <root>/<category>/<object>/source.json
      SHA-256 of the mesh file and of the files that it names, by their paths from its folder; null
      for names that led to no file
  <root>/<category>/<object>/cameras.h5
      trans_mat (V,4,3), K (V,3,3), RT (V,3,4), float64
  <root>/<category>/<object>/models/surface.h5
      sdf_points (P,3), sdf (P,), points (S,3), colours (S,3) uint8; attributes centre (3,) and
      scale: p = (x - centre) * scale; and inside, the share of the cube that is inside the object
"""

import dataclasses
import os
import pathlib
import re
from typing import Any

import numpy as np

from utils import hdf5, hdf5_limits
from utils.errors import UserError
from utils.files import natural, read_json_object, write_json

STRETCHED = "_stretched"  # ends, with a number, the id of a stretched copy of an object


def origin(object_id: str) -> str:
    """The id of the object that an object is a stretched copy of; its own if it is none."""
    return re.sub(rf"{STRETCHED}\d+$", "", object_id)


@dataclasses.dataclass(frozen=True)
class RawObject:
    """Paths of one object of a raw folder."""

    root: pathlib.Path
    category: str
    object_id: str

    @property
    def folder(self) -> pathlib.Path:
        return self.root / self.category / self.object_id

    @property
    def views_folder(self) -> pathlib.Path:
        return self.folder / "views"

    @property
    def colour_volume(self) -> pathlib.Path:
        return self.folder / "models" / "model_normalized_64.h5"

    @property
    def cameras(self) -> pathlib.Path:
        return self.folder / "cameras.h5"

    @property
    def source(self) -> pathlib.Path:
        return self.folder / "source.json"

    @property
    def surface(self) -> pathlib.Path:
        return self.folder / "models" / "surface.h5"

    def view(self, name: str) -> pathlib.Path:
        """The image of a view."""
        return self.views_folder / f"{name}.png"

    def flow_volume(self, name: str) -> pathlib.Path:
        """The flow volume of a view."""
        return self.folder / "models" / f"64_{name}_coor.h5"

    def whole(self, views: int) -> bool:
        """Whether all files of the renderer are there, of so many views, and none is empty."""
        names = self.view_names()
        files = [self.colour_volume, self.cameras, self.surface]
        files += [path for name in names for path in (self.view(name), self.flow_volume(name))]
        return len(names) == views and all(path.is_file() and path.stat().st_size for path in files)

    def view_names(self) -> list[str]:
        """Names of the views in their natural order."""
        names = [path.stem for path in self.views_folder.glob("*.png") if not path.name.startswith(".")]
        return sorted(names, key=natural)


# The settings of the renderer that say what views look like.
VIEW_SETTINGS = ("image_size", "elevation", "azimuth", "distance", "focal", "light")


def render_settings_path(root: pathlib.Path) -> pathlib.Path:
    """The file of a raw folder in which the renderer keeps its settings.

    A database and a run have it too: the settings of the views that they are made from.
    """
    return root / "render.json"


def render_settings(root: pathlib.Path) -> dict[str, Any] | None:
    """The settings of the renderer that wrote a raw folder; None if it was made by other means.

    Also those of a database or a run.
    """
    path = render_settings_path(root)
    if not path.exists():
        return None
    return read_json_object(path, "settings of render_views.py")


def hand_on_render_settings(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copy the settings of a folder's views, if it has some, to one that is made from it."""
    settings = render_settings(source)
    if settings is not None:
        write_json(render_settings_path(target), settings)


def hidden(path: pathlib.Path, root: pathlib.Path) -> bool:
    """Whether a part of a path below `root` is hidden: what was deleted, or is being written."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def check_name(folder: pathlib.Path) -> None:
    """UserError if category and id of an object, the names of folders, are not UTF-8."""
    try:
        "/".join(folder.parts[-2:]).encode()
    except UnicodeEncodeError:
        raise UserError(f"{folder}: its name is not UTF-8: rename it") from None


def find_objects(root: str | os.PathLike[str]) -> list[RawObject]:
    """Every object of a raw folder, sorted by category and id; UserError where there is none."""
    root = pathlib.Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder of <category>/<object>/views")
    folders = sorted(path.parent for path in root.glob("*/*/views") if path.is_dir() and not hidden(path, root))
    if not folders:
        raise UserError(f"{root} holds no <category>/<object>/views folder")
    for folder in folders:
        check_name(folder)
    return [RawObject(root, folder.parent.name, folder.name) for folder in folders]


def original_units(view: str | os.PathLike[str]) -> tuple[tuple[float, ...], float]:
    """Centre (x, y, z) and scale, p = (x - centre) * scale, of the mesh that a view in a raw folder
    shows.
    """
    parents = pathlib.Path(view).absolute().parents
    path = parents[1] / "models" / "surface.h5" if len(parents) > 1 else None
    if path is None or not path.is_file():
        layout = "<object>/views/*.png beside <object>/models/surface.h5"
        raise UserError(f"{view}: original units need a view of a raw folder ({layout})")
    try:
        hdf5.check(path)
        with hdf5_limits.opened(path) as file:
            centre, scale = np.asarray(file.attrs["centre"], np.float64), float(file.attrs["scale"])
    except hdf5_limits.DAMAGED as error:
        raise UserError(f"{path} cannot be used: {error}") from None
    if centre.shape != (3,) or not np.isfinite([*centre, scale]).all() or scale <= 0:
        raise UserError(f"{path} cannot be used: its centre must be three finite numbers, its scale one above 0")
    return tuple(map(float, centre)), scale
