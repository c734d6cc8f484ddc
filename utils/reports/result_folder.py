"""The files of a reconstructed image, in a folder of its own."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from utils.errors import writing
from utils.files import replacing, temporary_folder, write_json
from utils.geometry.cameras import azimuth_elevation_distance
from utils.images.mask_parts import OBJECT
from utils.mesh.mesh import Mesh, coloured_mesh
from utils.rendering.likeness import likeness
from utils.rendering.raycast import Scene
from utils.rendering.turntable import over_photo, turntable, two_rows
from utils.reports.mesh_format import MeshFormat
from utils.reports.reconstruction import Reconstruction
from utils.stages import Stages

FRAME_MS = 200  # duration of a frame of turntable.gif
MESHES = ("mesh.glb", "mesh.ply", "mesh.obj", "mesh.mtl", "mesh_texture.png")  # what a mesh may be made of


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
            written = result.write(path, mesh_format)
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
        files = sorted(file.name for file in new.iterdir())
        write_json(new / "results.json", {**extra, **described, "files": files})
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


def _write_image(path: str | os.PathLike[str], *frames: np.ndarray) -> None:
    """Write a (H, W, 3 or 4) uint8 image as PNG, or several as the frames of an endless GIF."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    animation: dict[str, Any] = (
        {"save_all": True, "append_images": others, "duration": FRAME_MS, "loop": 0} if others else {}
    )
    with replacing(path) as temporary:
        first.save(temporary, **animation)
