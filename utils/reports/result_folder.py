"""The files of a reconstructed picture, in a folder of its own."""

import numpy as np

from utils.files import replacing, write_json
from utils.mesh.writers import write_mesh, write_textured
from utils.rendering.turntable import over_photo, scene_of, sheet, turntable

FRAME_MS = 200  # of the turning picture


def write_results(folder, result, stages, format, atlas, centre, scale, more):
    """Write mesh, input.png, camera.txt, overlay.png, turntable.png and .gif, then results.json; the line that tells of it.

    result: models.inference.reconstruct.Reconstruction. format: glb, ply or obj. atlas: side of the texture in pixels, None: colours at the
    vertices. centre (3,), scale: of the mesh's own units, p = (x - centre) * scale. more: dict for results.json.
    """
    import trimesh

    folder.mkdir(parents=True, exist_ok=True)
    for stale in (
        folder / "results.json",
        *folder.glob("mesh.*"),
        *folder.glob("mesh_*"),
    ):  # of other settings, or of a run that was killed
        stale.unlink(missing_ok=True)
    path = folder / f"mesh.{format}"
    with stages("texture"):
        vertices, faces = result.vertices / scale + np.asarray(centre), result.faces
        if atlas:
            _write_atlas(path, result, vertices, atlas)
        else:
            write_mesh(path, vertices, faces, result.colours)
    with stages("pictures"):
        scene = scene_of(result.vertices, faces, result.colours)
        turned = turntable(scene)
        _write_picture(folder / "input.png", np.rint(255 * result.seen).astype(np.uint8))
        _write_picture(folder / "turntable.png", sheet(turned))
        _write_picture(folder / "turntable.gif", *turned)
        _write_picture(folder / "overlay.png", over_photo(scene, result.photo, result.mask, result.camera))
        with replacing(folder / "camera.txt") as temporary:
            np.savetxt(temporary, result.camera, fmt="%.9g")
    closed = bool(trimesh.Trimesh(vertices, faces, process=False).is_watertight)
    write_json(folder / "results.json", {**more, **_describe(result, vertices, closed, stages), "mesh": path.name})
    notes = "".join(f"\n  note: {note}" for note in result.notes)
    return f"{path} ({len(faces)} faces, {'closed' if closed else 'NOT closed'}, {sum(stages.seconds.values()):.1f} s){notes}"


def _describe(result, vertices, closed, stages):
    from utils.geometry.cameras import azimuth_elevation_distance

    azimuth, elevation, distance = (float(x) for x in azimuth_elevation_distance(result.camera))
    box = [vertices.min(0).tolist(), vertices.max(0).tolist()]
    camera = {"source": result.camera_source, "azimuth": azimuth, "elevation": elevation, "distance": distance}
    return {
        "camera": {
            **camera,
            "trans_mat": np.asarray(result.camera).tolist(),
            "frame": "object frame to pixels of the picture",
        },
        "picture": {"height": result.mask.shape[0], "width": result.mask.shape[1]},
        "foreground": {"source": result.foreground, "share": float((result.mask >= 128).mean())},
        "surface": {"vertices": len(vertices), "faces": len(result.faces), "closed": closed, "box": box},
        "level": result.level,
        "notes": result.notes,
        "seconds": stages.seconds,
    }


def _write_atlas(path, result, vertices, size):
    """The mesh with a texture whose texels have the field's own colours."""
    from utils.mesh.texture import bake, unwrap

    index, faces, uv = unwrap(result.vertices, result.faces, size)
    texture = bake(result.vertices[index], faces, uv, size, result.colour_of)
    normals = None if result.normals is None else result.normals[index]
    write_textured(path, vertices[index], faces, uv, texture, normals)


def _write_picture(path, *pictures):
    """(H, W, 3 or 4) uint8 pictures as PNG, or several as a GIF that turns for ever."""
    from PIL import Image

    images = [Image.fromarray(picture) for picture in pictures]
    with replacing(path) as temporary:
        moving = (
            {"save_all": True, "append_images": images[1:], "duration": FRAME_MS, "loop": 0} if len(images) > 1 else {}
        )
        images[0].save(temporary, **moving)
