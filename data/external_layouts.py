"""Layouts of other projects: where every file of an object lives. Nothing else spells these names.

The original's, points and views in two folders or in one; voxel coordinates are whole numbers in -32..31:
    <root>/<category>/<object>/models/voxel.h5          voxel_pt (N,3), voxel_val (N,3): RGB in [0,1], in the second half -1 (empty)
    <images>/<category>/<object>/h5/<view>.h5           img_arr (H,W,3|4), trans_mat (4,3): voxel coordinates to pixels
DISN's, likewise in two folders or in one:
    <root>/<category>/<object>/ori_sample.h5            pc_sdf_original, pc_sdf_sample (N,4), norm_params (4,), sdf_params (6,)
    <images>/<category>/<object>/<view>.h5              img_arr (H,W,4) uint8 BGRA, trans_mat (4,3), regress_mat, K, RT, obj_rot_mat
3D-R2N2's renderings (ShapeNetRendering), beside the meshes they were made of (ShapeNetCore.v1):
    <root>/<category>/<object>/rendering/<view>.png                RGBA
    <root>/<category>/<object>/rendering/rendering_metadata.txt    rows: azimuth, elevation, in-plane rotation, distance, field of view
"""

import dataclasses
import pathlib

from data import categories
from data.raw_layout import natural
from utils.errors import UserError

GEOMETRY = {"original": "models/voxel.h5", "disn": "ori_sample.h5", "r2n2": "rendering/rendering_metadata.txt"}
VIEWS = {"original": "h5", "disn": "", "r2n2": "rendering"}
SUFFIX = {"original": ".h5", "disn": ".h5", "r2n2": ".png"}


@dataclasses.dataclass(frozen=True)
class ExternalObject:
    """Paths of one object in another project's layout."""

    layout: str  # 'original', 'disn' or 'r2n2'
    category: str
    object_id: str
    folder: pathlib.Path
    views_folder: pathlib.Path
    mesh: pathlib.Path | None  # the mesh it was made of, where that is known

    @property
    def geometry(self):
        """voxel.h5, ori_sample.h5 or rendering_metadata.txt."""
        return self.folder / GEOMETRY[self.layout]

    def views(self):
        """Files of the views in their order (natural sort of the names); UserError if there is none."""
        files = [path for path in self.views_folder.glob(f"*{SUFFIX[self.layout]}") if path.name != GEOMETRY["disn"]]
        files = sorted((path for path in files if not path.name.startswith(".")), key=lambda path: natural(path.stem))
        if not files:
            raise UserError(f"{self.views_folder}: holds no views (*{SUFFIX[self.layout]})")
        return files


def find_objects(layout, root, images=None, meshes=None):
    """Every object of a folder, sorted by category and id.

    images: the folder of the views, root where they are together; meshes: {(category name, object id): path} or None.
    UserError where the folder holds no object of this layout.
    """
    root, images = pathlib.Path(root), pathlib.Path(images or root)
    for folder in (root, images):
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder")
    found = []
    for path in sorted(root.glob(f"*/*/{GEOMETRY[layout]}")):
        folder = root.joinpath(*path.relative_to(root).parts[:2])
        category, object_id = folder.parent.name, folder.name
        spelled = next(
            (each for each in categories.spellings(category) if (images / each / object_id).is_dir()), category
        )
        mesh = (meshes or {}).get((categories.name(category), object_id))
        found.append(
            ExternalObject(layout, category, object_id, folder, images / spelled / object_id / VIEWS[layout], mesh)
        )
    if not found:
        raise UserError(f"{root} holds no <category>/<object>/{GEOMETRY[layout]}")
    return found
