"""Layouts of other projects: finding their objects and the files of each object.

The names of the files stand in the readers (preprocessing/readers/). A layout may keep its views in
another folder than the rest; both folders are ordered as <category>/<object>/.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

from data import categories
from data.raw_layout import check_name, hidden
from utils.errors import UserError
from utils.files import natural


@dataclasses.dataclass(frozen=True)
class ExternalLayout:
    """File names of one layout, below the folder <category>/<object>/ of an object."""

    geometry: str  # the file of shape or cameras; a folder that has it has this layout
    views: str  # the folder of the views; "": the object's own folder
    suffix: str  # of the views' files

    @property
    def glob(self) -> str:
        """Pattern that matches one file of each object, below the root."""
        return f"*/*/{self.geometry}"

    def find_objects(
        self,
        root: str | os.PathLike[str],
        images: str | os.PathLike[str] | None = None,
        meshes: Mapping[tuple[str, str], pathlib.Path] | None = None,
    ) -> list["ExternalObject"]:
        """Every object of a folder, sorted by category and id.

        Args:
            root: the folder.
            images: the folder of the views; None: `root` holds them too.
            meshes: the known meshes, {(category name, object id): path}.

        Raises:
            UserError: a folder does not exist, or `root` has no object of this layout.
        """
        root, images = pathlib.Path(root), pathlib.Path(images or root)
        for folder in (root, images):
            if not folder.is_dir():
                raise UserError(f"{folder} is not a folder")
        objects = []
        for path in sorted(path for path in root.glob(self.glob) if not hidden(path, root)):
            category, object_id = path.relative_to(root).parts[:2]
            views = (images / spelling / object_id for spelling in categories.spellings(category))
            views_folder = next((folder for folder in views if folder.is_dir()), images / category / object_id)
            mesh = (meshes or {}).get((categories.name(category), object_id))
            folder = root / category / object_id
            check_name(folder)
            objects.append(ExternalObject(self, category, object_id, folder, views_folder / self.views, mesh))
        if not objects:
            raise UserError(f"{root} holds no <category>/<object>/{self.geometry}")
        return objects


@dataclasses.dataclass(frozen=True)
class ExternalObject:
    """Paths of one object in another project's layout."""

    layout: ExternalLayout
    category: str
    object_id: str
    folder: pathlib.Path
    views_folder: pathlib.Path
    mesh: pathlib.Path | None  # the mesh the object was made of, where it is known

    @property
    def geometry(self) -> pathlib.Path:
        """The file of shape or cameras."""
        return self.folder / self.layout.geometry

    def views(self) -> list[pathlib.Path]:
        """Files of the views in the natural order of their names; UserError where there is none."""
        files = [
            path
            for path in self.views_folder.glob(f"*{self.layout.suffix}")
            if path.name != self.layout.geometry and not path.name.startswith(".")
        ]
        if not files:
            raise UserError(f"{self.views_folder}: holds no views (*{self.layout.suffix})")
        return sorted(files, key=lambda path: natural(path.stem))
