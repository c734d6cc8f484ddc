"""The files of a reconstructed image, in a folder of its own."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import trimesh
from PIL import Image

from utils.errors import UserError, writing
from utils.files import replacing, temporary_folder, write_json
from utils.geometry.cameras import azimuth_elevation_distance
from utils.images.mask_parts import OBJECT
from utils.mesh.mesh import Material, Mesh, coloured_mesh
from utils.mesh.texture import bake, texel_width, unwrap
from utils.mesh.writers import write_mesh, write_textured
from utils.rendering.likeness import likeness
from utils.rendering.photo_colours import PhotoColours
from utils.rendering.ray_surface import smooth_normals
from utils.rendering.raycast import Scene
from utils.rendering.turntable import over_photo, turntable, two_rows
from utils.stages import Stages

FRAME_MS = 200  # duration of a frame of turntable.gif
MESHES = ("mesh.glb", "mesh.ply", "mesh.obj", "mesh.mtl", "mesh_texture.png")  # what a mesh may be made of
TEXTURES = ("auto", "vertex", "atlas")  # a texture where that suits, colours at the vertices, a texture
SIZES = (64, 8192)  # of a texture's side, pixels
UNWRAPPED = 50_000  # faces up to which "auto" makes a texture: the vertices of more are dense enough for colours


class Reconstruction(Protocol):
    """The parts of models.inference.reconstruct.Reconstruction that are written or shown."""

    photo: np.ndarray  # (H, W, 3) uint8 the photograph, on white where it is transparent
    mask: np.ndarray  # (H, W) uint8, 255 where the object is
    foreground: str  # where the mask came from
    notes: list[str]  # one line each
    warnings: list[str]  # one line each
    category: dict[str, str | float | None] | None  # of the object: name, if sure, and probability
    novelty: dict[str, float | bool | None]  # how far the image is from what the weights were trained on
    seen: np.ndarray  # (h, w, 3 or 4) in [0, 1], the image as the network saw it
    size: tuple[int, int]  # height and width of the image as it was given; `photo` may be smaller
    photo_camera: np.ndarray  # (4, 3) trans_mat of `photo`
    camera_source: str
    camera_choice: dict[str, Any] | None  # support of an estimated one, and the likeliest other one
    iso: float  # value of the field at the surface
    iso_at_bound: bool  # whether it was relaxed as far as it may be, to cover the mask
    vertices: np.ndarray  # (V, 3) object frame
    faces: np.ndarray  # (F, 3)
    extracted_faces: int  # number of faces before they were merged
    colours: np.ndarray  # (V, 3) in [0, 1]
    field_colours: np.ndarray  # (V, 3) in [0, 1]: the same, of the field alone
    photo_colours: PhotoColours | None  # None: colours are the field's
    normals: np.ndarray | None  # (V, 3) unit

    @property
    def camera(self) -> np.ndarray:
        """(4, 3) trans_mat of the image as it was given."""

    def colour_of(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) object frame -> colours (N, 3) in [0, 1], of the field."""


@dataclasses.dataclass(frozen=True)
class MeshFormat:
    """How the mesh of a reconstruction is written."""

    suffix: str = "glb"  # glb, ply or obj
    texture: str = "auto"  # one of TEXTURES
    size: int = 512  # of the side of a texture, pixels: some three texels on the edge of a face
    centre: Sequence[float] = (0.0, 0.0, 0.0)  # of the mesh's own units x: object frame p = (x - centre) * scale
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.texture not in TEXTURES:
            raise UserError(f"texture {self.texture}: give {', '.join(TEXTURES)}")
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise UserError(f"texture size {self.size}: give {SIZES[0]} to {SIZES[1]} pixels")

    def is_textured(self, faces: int) -> bool:
        """Whether a mesh of so many faces gets a texture; else it has colours at its vertices."""
        return self.texture == "atlas" or (self.texture == "auto" and self.suffix != "ply" and faces <= UNWRAPPED)

    def own_units(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) object frame -> (V, 3) in the units of the file."""
        return vertices / self.scale + np.asarray(self.centre)


def write_results(
    folder: pathlib.Path,
    result: Reconstruction,
    stages: Stages,
    mesh_format: MeshFormat,
    extra: Mapping[str, Any],
) -> str:
    """Write the mesh, input.png, camera.txt, overlay.png, turntable.png and .gif, results.json.

    All of them are written before they take the place of those of an earlier reconstruction, which
    stay where that fails. results.json comes last, so a folder that has one is complete. Files of
    other names are left alone.

    Args:
        folder: created where it does not exist.
        result: the reconstruction.
        stages: times the writing; the seconds of all its stages go into results.json.
        mesh_format: format, texture and units of the mesh.
        extra: further entries of results.json.

    Returns:
        A line that describes the mesh, then lines for what was found, the warnings and the notes.
    """
    with _replacing_results(folder) as new:
        path = new / f"mesh.{mesh_format.suffix}"
        with stages("texture"):
            written = write_result_mesh(path, result, mesh_format)
        vertices, faces = mesh_format.own_units(result.vertices), result.faces
        with stages("views"):
            scene = Scene(written)
            colours = _described_colours(result, scene, written)
            frames = turntable(scene)
            _write_image(new / "input.png", np.rint(255 * result.seen).astype(np.uint8))
            _write_image(new / "turntable.png", two_rows(frames))
            _write_image(new / "turntable.gif", *frames)
            _write_image(new / "overlay.png", over_photo(scene, result.photo, result.mask, result.photo_camera))
            with replacing(new / "camera.txt") as temporary:
                np.savetxt(temporary, result.camera, fmt="%.9g")
        closed = bool(trimesh.Trimesh(vertices, faces, process=False).is_watertight)
        described = {**_described(result, vertices, closed, stages), "colours": colours, "mesh": path.name}
        write_json(new / "results.json", {**extra, **described})
    faces_text = face_count(len(faces), result.extracted_faces)
    facts = [faces_text, "closed" if closed else "NOT closed", f"{sum(stages.seconds.values()):.1f} s"]
    if "photo" in colours["psnr"]:
        facts.append("like the image by {photo:.1f} dB, with the field's colours {field:.1f}".format(**colours["psnr"]))
    lines = [f"{folder / path.name} ({', '.join(facts)})", f"  found: {_found(described)}"]
    lines += [f"  warning: {text}" for text in result.warnings] + [f"  note: {text}" for text in result.notes]
    return "\n".join(lines)


@contextlib.contextmanager
def _replacing_results(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield an empty folder, whose files replace those of an earlier reconstruction in `folder`
    when the block succeeds.
    """
    with temporary_folder(folder, "new") as new:
        yield new
        with writing(folder):
            if (folder / "results.json").exists():  # without it a mesh is not ours
                (folder / "results.json").unlink()
                for name in MESHES:
                    if not (new / name).exists():
                        (folder / name).unlink(missing_ok=True)
            for path in sorted(new.iterdir(), key=lambda path: path.name == "results.json"):
                os.replace(path, folder / path.name)


def _found(described: Mapping[str, Any]) -> str:
    """What was found in an image, for the terminal, of the entries of results.json."""
    camera, mask, novelty = described["camera"], described["foreground"], described["novelty"]
    angles = f"azimuth {camera['azimuth']:.0f}, elevation {camera['elevation']:.0f}, distance {camera['distance']:.2f}"
    support = camera.get("support")
    parts = [
        f"mask {100 * mask['share']:.0f} % of the image ({mask['source']})",
        f"camera {angles} ({camera['source']}{f', support {support:.2f}' if support is not None else ''})",
        f"iso value {described['iso']:.4g}{' (at its bound)' if described['iso_at_bound'] else ''}",
    ]
    if described["category"]:
        parts.append(f"category {category_text(described['category'])}")
    if novelty["distance"] is not None:
        parts.append(f"distance to the known images {novelty['distance']:.2f} of the limit")
    parts.append(f"overlap with the mask {novelty['overlap']:.2f}")
    return "; ".join(parts)


def category_text(category: Mapping[str, Any]) -> str:
    """The entry of results.json on the category, in words."""
    if category["name"] is None:
        return "not sure"
    return f"{category['name'].replace('_', ' ')} (probability {category['probability']:.2f})"


def write_result_mesh(path: pathlib.Path, result: Reconstruction, mesh_format: MeshFormat) -> Mesh:
    """Write the mesh alone; returns it in the object frame, with the look that was written."""
    if not mesh_format.is_textured(len(result.faces)):
        write_mesh(path, mesh_format.own_units(result.vertices), result.faces, result.colours, result.normals)
        return coloured_mesh(result.vertices, result.faces, result.colours, result.normals)
    mesh = _textured(result, mesh_format.size)
    texture = np.ascontiguousarray(mesh.materials[0].image)[..., :3]
    normals = None if result.normals is None else mesh.normals
    write_textured(path, mesh_format.own_units(mesh.vertices), mesh.faces, mesh.uv, texture, normals)
    return mesh


def face_count(faces: int, extracted: int) -> str:
    """The number of faces, in words, and that of before they were merged."""
    return f"{faces} faces" if faces == extracted else f"{faces} faces, merged from {extracted}"


def _described(result: Reconstruction, vertices: np.ndarray, closed: bool, stages: Stages) -> dict[str, Any]:
    """The entries of results.json that follow from the reconstruction.

    Args:
        result: the reconstruction.
        vertices: (V, 3) in the units of the mesh file.
        closed: whether the mesh is watertight.
        stages: of the whole reconstruction.
    """
    azimuth, elevation, distance = (float(x) for x in azimuth_elevation_distance(result.camera))
    return {
        "camera": {
            "source": result.camera_source,
            **(result.camera_choice or {}),
            "azimuth": azimuth,
            "elevation": elevation,
            "distance": distance,
            "trans_mat": np.asarray(result.camera).tolist(),
            "frame": "object frame to pixels of the image",
        },
        "image": {"height": result.size[0], "width": result.size[1]},
        "foreground": {"source": result.foreground, "share": float((result.mask >= OBJECT).mean())},
        "surface": {
            "vertices": len(vertices),
            "faces": len(result.faces),
            "extracted_faces": result.extracted_faces,
            "closed": closed,
            "box": [vertices.min(0).tolist(), vertices.max(0).tolist()],
        },
        "iso": result.iso,
        "iso_at_bound": result.iso_at_bound,
        "category": result.category,
        "novelty": result.novelty,
        "warnings": result.warnings,
        "notes": result.notes,
        "seconds": stages.seconds,
    }


def _described_colours(result: Reconstruction, scene: Scene, written: Mesh) -> dict[str, Any]:
    """The entry of results.json on colours.

    Args:
        result: the reconstruction.
        scene: of the mesh.
        written: the mesh with the look of its file.
    """
    of_field = coloured_mesh(result.vertices, result.faces, result.field_colours)
    looks = {"field": of_field} if result.photo_colours is None else {"field": of_field, "photo": written}
    psnr = likeness(scene, looks, result.photo, result.mask, result.photo_camera)
    if result.photo_colours is None:
        return {"source": "field", "psnr": psnr}
    return {"source": "photo", "psnr": psnr, **result.photo_colours.described()}


def _textured(result: Reconstruction, size: int) -> Mesh:
    """The mesh with a texture of `size` texels a side, in the object frame."""
    index, faces, uv = unwrap(result.vertices, result.faces, size)
    vertices = result.vertices[index]
    normals = (smooth_normals(result.vertices, result.faces) if result.normals is None else result.normals)[index]
    spacing = texel_width(vertices, faces, uv, size)

    def colour_of(points: np.ndarray, upright: np.ndarray) -> np.ndarray:
        if result.photo_colours is None:
            return result.colour_of(points)
        return result.photo_colours(points, upright, lambda part: result.colour_of(points[part]), spacing)

    texture = bake(vertices, faces, uv, size, colour_of, normals)
    image = np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)])
    white = np.ones((len(vertices), 4))
    return Mesh(vertices, faces, normals, uv, white, np.zeros(len(faces), np.int64), [Material(np.ones(4), image)])


def _write_image(path: str | os.PathLike[str], *frames: np.ndarray) -> None:
    """Write a (H, W, 3 or 4) uint8 image as PNG, or several as the frames of an endless GIF."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    animation: dict[str, Any] = (
        {"save_all": True, "append_images": others, "duration": FRAME_MS, "loop": 0} if others else {}
    )
    with replacing(path) as temporary:
        first.save(temporary, **animation)
