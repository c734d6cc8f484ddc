"""The files of a reconstructed image, in a folder of its own."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import trimesh
from PIL import Image

from utils.files import replacing, write_json
from utils.geometry.cameras import azimuth_elevation_distance
from utils.mesh.texture import bake, unwrap
from utils.mesh.writers import write_mesh, write_textured
from utils.rendering.turntable import over_photo, scene_of, turntable, two_rows
from utils.stages import Stages

FRAME_MS = 200  # duration of a frame of turntable.gif


class Reconstruction(Protocol):
    """The parts of models.inference.reconstruct.Reconstruction that are written or shown."""

    photo: np.ndarray  # (H, W, 3) uint8 the photograph, on white where it is transparent
    mask: np.ndarray  # (H, W) uint8, 255 where the object is
    foreground: str  # where the mask came from
    notes: list[str]  # one line each
    seen: np.ndarray  # (h, w, 3 or 4) in [0, 1], the image as the network saw it
    camera: np.ndarray  # (4, 3) trans_mat of the photograph
    camera_source: str
    iso: float  # value of the field at the surface
    vertices: np.ndarray  # (V, 3) object frame
    faces: np.ndarray  # (F, 3)
    colours: np.ndarray  # (V, 3) in [0, 1]
    normals: np.ndarray | None  # (V, 3) unit

    def colour_of(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) object frame -> colours (N, 3) in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class MeshFormat:
    """How the mesh of a reconstruction is written."""

    suffix: str = "glb"  # glb, ply or obj
    texture_size: int | None = None  # side of the texture in pixels; None: colours at the vertices
    centre: Sequence[float] = (0.0, 0.0, 0.0)  # of the mesh's own units x: object frame p = (x - centre) * scale
    scale: float = 1.0


def write_results(
    folder: pathlib.Path,
    result: Reconstruction,
    stages: Stages,
    mesh_format: MeshFormat,
    extra: Mapping[str, Any],
) -> str:
    """Write the mesh, input.png, camera.txt, overlay.png, turntable.png and .gif, results.json.

    Files of an earlier reconstruction are removed first. results.json is written last, so a folder
    that has one is complete.

    Args:
        folder: created where it does not exist.
        result: the reconstruction.
        stages: times the writing; the seconds of all its stages go into results.json.
        mesh_format: format, texture and units of the mesh.
        extra: further entries of results.json.

    Returns:
        A line that describes the mesh, then a line for every note.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (folder / "results.json", *folder.glob("mesh.*"), *folder.glob("mesh_*")):
        stale.unlink(missing_ok=True)
    path = folder / f"mesh.{mesh_format.suffix}"
    with stages("texture"):
        vertices, faces = write_result_mesh(path, result, mesh_format), result.faces
    with stages("views"):
        scene = scene_of(result.vertices, faces, result.colours)
        frames = turntable(scene)
        _write_image(folder / "input.png", np.rint(255 * result.seen).astype(np.uint8))
        _write_image(folder / "turntable.png", two_rows(frames))
        _write_image(folder / "turntable.gif", *frames)
        _write_image(folder / "overlay.png", over_photo(scene, result.photo, result.mask, result.camera))
        with replacing(folder / "camera.txt") as temporary:
            np.savetxt(temporary, result.camera, fmt="%.9g")
    closed = bool(trimesh.Trimesh(vertices, faces, process=False).is_watertight)
    write_json(folder / "results.json", {**extra, **_described(result, vertices, closed, stages), "mesh": path.name})
    seconds = sum(stages.seconds.values())
    notes = "".join(f"\n  note: {note}" for note in result.notes)
    return f"{path} ({len(faces)} faces, {'closed' if closed else 'NOT closed'}, {seconds:.1f} s){notes}"


def write_result_mesh(path: pathlib.Path, result: Reconstruction, mesh_format: MeshFormat) -> np.ndarray:
    """Write the mesh alone; returns its vertices (V, 3) in the units of the file."""
    vertices = result.vertices / mesh_format.scale + np.asarray(mesh_format.centre)
    if mesh_format.texture_size:
        _write_with_texture(path, result, vertices, mesh_format.texture_size)
    else:
        write_mesh(path, vertices, result.faces, result.colours)
    return vertices


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
            "azimuth": azimuth,
            "elevation": elevation,
            "distance": distance,
            "trans_mat": np.asarray(result.camera).tolist(),
            "frame": "object frame to pixels of the image",
        },
        "image": {"height": result.mask.shape[0], "width": result.mask.shape[1]},
        "foreground": {"source": result.foreground, "share": float((result.mask >= 128).mean())},
        "surface": {
            "vertices": len(vertices),
            "faces": len(result.faces),
            "closed": closed,
            "box": [vertices.min(0).tolist(), vertices.max(0).tolist()],
        },
        "iso": result.iso,
        "notes": result.notes,
        "seconds": stages.seconds,
    }


def _write_with_texture(path: pathlib.Path, result: Reconstruction, vertices: np.ndarray, size: int) -> None:
    """Write the mesh with a texture into which the field's own colours are baked.

    Args:
        path: of the mesh file.
        result: the reconstruction.
        vertices: (V, 3) in the units of the mesh file.
        size: side of the texture in pixels.
    """
    index, faces, uv = unwrap(result.vertices, result.faces, size)
    texture = bake(result.vertices[index], faces, uv, size, result.colour_of)
    normals = None if result.normals is None else result.normals[index]
    write_textured(path, vertices[index], faces, uv, texture, normals)


def _write_image(path: str | os.PathLike[str], *frames: np.ndarray) -> None:
    """Write a (H, W, 3 or 4) uint8 image as PNG, or several as the frames of an endless GIF."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    animation: dict[str, Any] = (
        {"save_all": True, "append_images": others, "duration": FRAME_MS, "loop": 0} if others else {}
    )
    with replacing(path) as temporary:
        first.save(temporary, **animation)
