"""Mesh files with colours that viewers show: PLY, GLB and OBJ; and coloured points as OBJ.

Colours of vertices:
PLY   uchar red green blue alpha.
GLB   COLOR_0, normals and an unlit white material; without a material viewers show grey metal. The
      vertex colours of glTF are linear light, which viewers encode for the screen. Display (sRGB)
      colours are therefore decoded first, and stored as float32. (trimesh keeps COLOR_0 beside a
      material as an attribute of the vertices, and shows a texture alone.)
OBJ   'v x y z r g b' lines, which MeshLab, Blender and Open3D read.

Textures (utils.mesh.texture), display (sRGB) colours, as both formats expect them:
GLB   the texture as a PNG inside, in an unlit material; TEXCOORD_0 and normals.
OBJ   beside NAME.obj a NAME.mtl and a NAME_texture.png. NAME.png may well be the photograph.
PLY   has no standard for textures; none is written.

Materials are unlit (KHR_materials_unlit): the colours are those of a photograph, with its light in
them, and a viewer's light would come on top, so that every viewer shows another brightness. Viewers
without the extension show a matt material.
"""

import os
import pathlib
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from utils import files
from utils.errors import UserError
from utils.mesh.light import linear_light

SUFFIXES = (".ply", ".glb", ".obj")
UNLIT = "KHR_materials_unlit"


def check_suffix(path: str | os.PathLike[str]) -> None:
    """UserError unless the suffix names a mesh format; worth a call before a long computation."""
    if pathlib.Path(path).suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a mesh is written as one of {' '.join(SUFFIXES)}")


def write_mesh(
    path: str | os.PathLike[str],
    vertices: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray,
    normals: np.ndarray | None = None,
) -> None:
    """Write a mesh with vertex colours; the suffix chooses the format.

    Args:
        path: file to write: .ply, .glb or .obj.
        vertices: (V, 3).
        faces: (F, 3).
        colours: (V, 3) display colours in [0, 1].
        normals: (V, 3) normals of the surface, which GLB files hold; default: computed from the
            faces.

    Raises:
        UserError: the suffix is another one.
    """
    check_suffix(path)
    suffix = pathlib.Path(path).suffix.lower()
    vertices, faces, colours = np.asarray(vertices), np.asarray(faces), np.clip(colours, 0, 1)
    with files.replacing(path) as temporary:
        if suffix == ".glb":
            _write_glb(temporary, vertices, faces, colours, normals)
        else:
            {".ply": _write_ply, ".obj": _write_obj}[suffix](temporary, vertices, faces, colours)


def write_textured(
    path: str | os.PathLike[str],
    vertices: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    normals: np.ndarray | None = None,
) -> None:
    """Write a mesh with a texture as GLB or OBJ.

    Args:
        path: file to write: .glb or .obj.
        vertices: (V, 3); vertices on seams of the texture are repeated.
        faces: (F, 3).
        uv: (V, 2) texture coordinates in [0, 1], v up.
        texture: (H, W, 3) uint8, row 0 at v = 1.
        normals: (V, 3) normals of the surface; default: computed from the faces.

    Raises:
        UserError: the format has no textures.
    """
    path = pathlib.Path(path)
    check_suffix(path)
    if path.suffix.lower() == ".ply":
        raise UserError(f"{path}: PLY files have no textures: write .glb or .obj, or vertex colours")
    vertices, faces, uv = np.asarray(vertices), np.asarray(faces), np.asarray(uv)
    if normals is None:
        normals = _normals(vertices, faces)
    write = {".glb": _write_textured_glb, ".obj": _write_textured_obj}[path.suffix.lower()]
    write(path, vertices, faces, uv, texture, np.asarray(normals))


def write_points(path: str | os.PathLike[str], points: np.ndarray, colours: np.ndarray) -> None:
    """Write (N, 3) points and (N, 3) colours in [0, 1] as an OBJ of 'v x y z r g b' lines."""
    if pathlib.Path(path).suffix.lower() != ".obj":
        raise UserError(f"{path}: coloured points are written as .obj")
    with files.replacing(path) as temporary:
        _write_obj(temporary, np.asarray(points), np.zeros((0, 3), int), np.clip(colours, 0, 1))


def _write_ply(path: pathlib.Path, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
    # process=False, here and below: processing would merge and reorder vertices
    trimesh.Trimesh(vertices, faces, vertex_colors=np.rint(255 * colours).astype(np.uint8), process=False).export(path)


def _material(name: str, **texture: Any) -> trimesh.visual.material.PBRMaterial:
    """A white material without gloss, which _unlit completes."""
    return trimesh.visual.material.PBRMaterial(
        name=name, baseColorFactor=[255, 255, 255, 255], metallicFactor=0.0, roughnessFactor=1.0, **texture
    )


def _unlit(tree: dict[str, Any]) -> None:
    """Have viewers show the colours of all materials as they are."""
    tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", []), UNLIT})
    for material in tree["materials"]:
        material["extensions"] = {UNLIT: {}}


def _write_glb(
    path: pathlib.Path, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, normals: np.ndarray | None
) -> None:
    mesh = trimesh.Trimesh(vertices, faces, vertex_normals=normals, process=False)
    mesh.visual = trimesh.visual.TextureVisuals(material=_material("vertex colours"))
    # trimesh writes COLOR_0 with 8 bits, too few for dark colours in linear light. So it gets
    # floats under a name of ours, and the name is corrected at the end.
    mesh.vertex_attributes["_COLOUR"] = linear_light(colours).astype(np.float32)

    def complete(tree: dict[str, Any]) -> None:
        attributes = tree["meshes"][0]["primitives"][0]["attributes"]
        attributes["COLOR_0"] = attributes.pop("_COLOUR")
        _unlit(tree)

    path.write_bytes(
        trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh), include_normals=True, tree_postprocessor=complete)
    )


def _write_obj(path: pathlib.Path, points: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
    """Points with seven significant digits, colours with four decimals."""
    rows = np.concatenate([points, colours], 1)
    with open(path, "w") as out:
        out.write("v %.7g %.7g %.7g %.4f %.4f %.4f\n" * len(rows) % tuple(rows.ravel().tolist()))
        out.write("f %d %d %d\n" * len(faces) % tuple((faces.ravel() + 1).tolist()))


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals; vertices at one place, on both sides of a seam, get the same one."""
    places, place = np.unique(vertices, axis=0, return_inverse=True)
    return np.array(trimesh.Trimesh(places, place.reshape(-1)[faces], process=False).vertex_normals)[place.reshape(-1)]


def _write_textured_glb(
    path: pathlib.Path,
    vertices: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    normals: np.ndarray,
) -> None:
    material = _material("texture", baseColorTexture=Image.fromarray(texture))
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    mesh = trimesh.Trimesh(vertices, faces, vertex_normals=normals, visual=visual, process=False)
    with files.replacing(path) as temporary:
        temporary.write_bytes(
            trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh), include_normals=True, tree_postprocessor=_unlit)
        )


def _write_textured_obj(
    path: pathlib.Path,
    vertices: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    normals: np.ndarray,
) -> None:
    """The OBJ file is put in place last, so that the files it names always exist."""
    if len(path.name.splitlines()) > 1 or "\\" in path.name or not _is_unicode(path.name):
        raise UserError(
            f"{path.name!r}: the name of a textured OBJ, which stands in the file, is UTF-8 without line breaks and "
            "backslashes: give another one"
        )
    material, image = path.with_suffix(".mtl"), path.with_name(f"{path.stem}_texture.png")
    with (
        files.replacing(path) as new,
        files.replacing(material) as new_material,
        files.replacing(image) as new_image,
    ):
        Image.fromarray(texture).save(new_image)
        look = f"newmtl texture\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {_beside(image)}\n"
        new_material.write_text(look, encoding="utf-8")
        with open(new, "w", encoding="utf-8") as out:
            out.write(f"mtllib {_beside(material)}\nusemtl texture\n")
            out.write("v %.7g %.7g %.7g\n" * len(vertices) % tuple(vertices.ravel().tolist()))
            out.write("vt %.6f %.6f\n" * len(uv) % tuple(uv.ravel().tolist()))
            out.write("vn %.4f %.4f %.4f\n" * len(normals) % tuple(normals.ravel().tolist()))
            out.write("f %d/%d/%d %d/%d/%d %d/%d/%d\n" * len(faces) % tuple(np.repeat(faces.ravel() + 1, 3).tolist()))


def _is_unicode(name: str) -> bool:
    """Whether the bytes of a file's name are UTF-8, so that it can be written into a text."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def _beside(path: pathlib.Path) -> str:
    """How an OBJ or MTL names a file beside it: readers take -s for an option, and trim blanks."""
    return f"./{path.name}" if path.name.startswith(("-", " ", "\t")) else path.name
