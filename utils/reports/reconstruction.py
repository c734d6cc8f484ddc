"""A reconstructed image: what was found in it, its coloured mesh, and the field at other points."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import trimesh

from utils.geometry.cameras import resize_camera
from utils.mesh.mesh import Material, Mesh, coloured_mesh
from utils.mesh.texture import bake, texel_width, unwrap
from utils.mesh.writers import check_suffix, write_mesh, write_textured
from utils.rendering import turntable
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import smooth_normals
from utils.reports.mesh_format import MeshFormat


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A reconstructed image. Cameras are (4, 3), object frame to pixels."""

    size: tuple[int, int]  # height and width of the image as it was given
    photo: np.ndarray  # (H, W, 3) uint8 the image, smaller where it was large, on white where it is transparent
    mask: np.ndarray  # (H, W) uint8 255 where the object is
    foreground: str  # where the mask came from
    notes: list[str]  # remarks for the user, one line each
    warnings: list[str]  # why the mesh may be wrong, one line each
    category: dict[str, str | float | None] | None  # name (None: not sure), probability; None: no classifier
    novelty: dict[str, float | None]  # distance from what was trained over its limit, overlap of the outlines
    seen: np.ndarray  # (img_h, img_w, 3 or 4) float32 in [0, 1]: the image as the network saw it
    photo_camera: np.ndarray  # of photo
    camera_source: str
    camera_choice: dict[str, Any] | None  # support of an estimated one, and the likeliest other one
    iso: float  # value of the field at the surface
    iso_at_bound: bool  # whether it was relaxed as far as it may be, to cover the mask
    vertices: np.ndarray  # (V, 3) object frame
    faces: np.ndarray  # (F, 3)
    extracted_faces: int  # number of faces before they were merged
    colours: np.ndarray  # (V, 3) in [0, 1]
    field_colours: np.ndarray  # (V, 3) in [0, 1]: the same, of the field alone
    photo_colours: PhotoColours | None  # of points, the image's where it shows them; None: colours are the field's
    normals: np.ndarray | None  # (V, 3) unit; None: those of the faces
    # (N, 3) object-frame points -> (N,) field: logit of occupancy, or signed distance
    field: Callable[[np.ndarray], np.ndarray]
    # (N, 3) object-frame points -> (N, 3) colours in [0, 1], from the field
    colour_of: Callable[[np.ndarray], np.ndarray]

    @property
    def camera(self) -> np.ndarray:
        """(4, 3) camera of the image as it was given, which `reconstruct` takes."""
        return resize_camera(self.photo_camera, self.mask.shape, self.size)

    @property
    def mesh(self) -> Mesh:
        """The surface with vertex colours, in the object frame."""
        return coloured_mesh(self.vertices, self.faces, self.colours)

    def to_trimesh(self) -> trimesh.Trimesh:
        """The same as a trimesh.Trimesh."""
        colours = np.rint(255 * np.clip(self.colours, 0, 1)).astype(np.uint8)
        return trimesh.Trimesh(self.vertices, self.faces, vertex_colors=colours, process=False)

    def save(
        self, path: str | os.PathLike[str], texture: str = MeshFormat.texture, texture_size: int | None = None
    ) -> None:
        """Write the mesh as .glb, .ply or .obj.

        Args:
            path: its suffix chooses the format.
            texture: "atlas", a UV texture; "vertex", colours at the vertices; "auto", a texture
                where the format has them and the faces are not too many or a size is given.
            texture_size: side of a UV texture in pixels, 64 to 8192; default: 512.

        Raises:
            UserError: an unknown format or texture, a size out of range or without a texture.
        """
        path = pathlib.Path(path)
        check_suffix(path)
        self.write(path, MeshFormat(path.suffix.lower().removeprefix("."), texture, texture_size))

    def write(self, path: pathlib.Path, mesh_format: MeshFormat) -> Mesh:
        """Write the mesh alone; returns it in the object frame, with the look that was written."""
        if not mesh_format.is_textured(len(self.faces)):
            write_mesh(path, mesh_format.own_units(self.vertices), self.faces, self.colours, self.normals)
            return coloured_mesh(self.vertices, self.faces, self.colours, self.normals)
        mesh = self._textured(mesh_format.texels)
        texture = np.ascontiguousarray(mesh.materials[0].image)[..., :3]
        normals = None if self.normals is None else mesh.normals
        write_textured(path, mesh_format.own_units(mesh.vertices), mesh.faces, mesh.uv, texture, normals)
        return mesh

    def turntable(self) -> list[np.ndarray]:
        """Images (H, W, 3) uint8 of the mesh from all around."""
        return turntable.turntable(turntable.scene_of(self.vertices, self.faces, self.colours))

    def _textured(self, size: int) -> Mesh:
        """The mesh with a texture of `size` texels a side, in the object frame."""
        index, faces, uv = unwrap(self.vertices, self.faces, size)
        vertices = self.vertices[index]
        normals = (smooth_normals(self.vertices, self.faces) if self.normals is None else self.normals)[index]
        spacing = texel_width(vertices, faces, uv, size)

        def colour_of(points: np.ndarray, upright: np.ndarray) -> np.ndarray:
            if self.photo_colours is None:
                return self.colour_of(points)
            return self.photo_colours(points, upright, lambda part: self.colour_of(points[part]), spacing)

        texture = bake(vertices, faces, uv, size, colour_of, normals)
        image = np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)])
        white = np.ones((len(vertices), 4))
        return Mesh(vertices, faces, normals, uv, white, np.zeros(len(faces), np.int64), [Material(np.ones(4), image)])
