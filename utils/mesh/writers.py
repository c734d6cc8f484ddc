"""Coloured and textured mesh files whose colours show up in viewers: PLY, GLB, OBJ; and coloured points as OBJ.

PLY   colours of the vertices as uchar red green blue alpha
GLB   COLOR_0, normals, and a matt white material (without a material some viewers show grey). glTF's vertex colours are linear
      light: viewers encode them for the screen, so display (sRGB) colours are decoded first, and stored as float32
OBJ   'v x y z r g b': MeshLab, Blender and Open3D read it

With a texture (utils.mesh.texture), display (sRGB) colours, as all of these formats want them:
GLB   the texture as PNG inside, in a matt material; TEXCOORD_0, normals
OBJ   beside NAME.obj a NAME.mtl and a NAME_texture.png (not NAME.png, which may well be the photograph)
PLY   has no standard for textures, and none is written
"""

import pathlib

import numpy as np

from utils import files
from utils.errors import UserError

SUFFIXES = (".ply", ".glb", ".obj")


def check_suffix(path):
    """UserError unless the name ends in a format that can be written (worth asking before a long computation)."""
    if pathlib.Path(path).suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: a mesh is written as one of {' '.join(SUFFIXES)}")


def write_mesh(path, vertices, faces, colours):
    """Write (V, 3) vertices, (F, 3) faces, (V, 3) display colours in [0, 1]; the suffix chooses the format."""
    check_suffix(path)
    write = {".ply": _write_ply, ".glb": _write_glb, ".obj": _write_obj}[pathlib.Path(path).suffix.lower()]
    with files.replacing(path) as temporary:
        write(temporary, np.asarray(vertices), np.asarray(faces), np.clip(colours, 0, 1))


def write_textured(path, vertices, faces, uv, texture, normals=None):
    """Write (V, 3) vertices, (F, 3) faces, (V, 2) uv in [0, 1], v up, and a (H, W, 3) uint8 texture, row 0 at v = 1, as GLB or OBJ.

    normals (V, 3): those of the surface, for vertices that are there several times, at the seams of the texture; default: made of the faces.
    UserError for a format without textures.
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


def write_points(path, points, colours):
    """Write (N, 3) points and (N, 3) colours in [0, 1] as an OBJ of 'v x y z r g b' lines."""
    if pathlib.Path(path).suffix.lower() != ".obj":
        raise UserError(f"{path}: coloured points are written as .obj")
    with files.replacing(path) as temporary:
        _write_obj(temporary, np.asarray(points), np.zeros((0, 3), int), np.clip(colours, 0, 1))


def linear_light(colours):
    """Display values (sRGB) in [0, 1] -> linear light (IEC 61966-2-1)."""
    return np.where(colours <= 0.04045, colours / 12.92, ((np.maximum(colours, 0.04045) + 0.055) / 1.055) ** 2.4)


def _write_ply(path, vertices, faces, colours):
    import trimesh

    # process=False, here and below: processing would merge and reorder vertices
    trimesh.Trimesh(vertices, faces, vertex_colors=np.rint(255 * colours).astype(np.uint8), process=False).export(path)


def _write_glb(path, vertices, faces, colours):
    import trimesh

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    matt = trimesh.visual.material.PBRMaterial(
        name="vertex colours", baseColorFactor=[255, 255, 255, 255], metallicFactor=0.0, roughnessFactor=1.0
    )
    mesh.visual = trimesh.visual.TextureVisuals(material=matt)
    # trimesh writes COLOR_0 with 8 bits, too few for dark colours in linear light: hand over floats and give them their name
    mesh.vertex_attributes["_COLOUR"] = linear_light(colours).astype(np.float32)

    def rename(tree):
        attributes = tree["meshes"][0]["primitives"][0]["attributes"]
        attributes["COLOR_0"] = attributes.pop("_COLOUR")

    path.write_bytes(
        trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh), include_normals=True, tree_postprocessor=rename)
    )


def _write_obj(path, points, faces, colours):
    """Points with seven significant digits, colours with four decimals."""
    rows = np.concatenate([points, colours], 1)
    with open(path, "w") as out:
        out.write("v %.7g %.7g %.7g %.4f %.4f %.4f\n" * len(rows) % tuple(rows.ravel().tolist()))
        out.write("f %d %d %d\n" * len(faces) % tuple((faces.ravel() + 1).tolist()))


def _normals(vertices, faces):
    """(V, 3) unit normals; vertices at the same place, on both sides of a seam, get the same."""
    import trimesh

    places, place = np.unique(vertices, axis=0, return_inverse=True)
    return np.array(trimesh.Trimesh(places, place.reshape(-1)[faces], process=False).vertex_normals)[place.reshape(-1)]


def _write_textured_glb(path, vertices, faces, uv, texture, normals):
    import trimesh
    from PIL import Image

    matt = trimesh.visual.material.PBRMaterial(
        name="texture",
        baseColorTexture=Image.fromarray(texture),
        baseColorFactor=[255, 255, 255, 255],
        metallicFactor=0.0,
        roughnessFactor=1.0,
    )
    visual = trimesh.visual.TextureVisuals(uv=uv, material=matt)
    mesh = trimesh.Trimesh(vertices, faces, vertex_normals=normals, visual=visual, process=False)
    with files.replacing(path) as temporary:
        temporary.write_bytes(trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh), include_normals=True))


def _write_textured_obj(path, vertices, faces, uv, texture, normals):
    """The OBJ takes its place last: while it is there, so are the files that it names."""
    from PIL import Image

    material, picture = path.with_suffix(".mtl"), path.with_name(f"{path.stem}_texture.png")
    with (
        files.replacing(path) as new,
        files.replacing(material) as new_material,
        files.replacing(picture) as new_picture,
    ):
        Image.fromarray(texture).save(new_picture)
        new_material.write_text(f"newmtl texture\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture.name}\n")
        with open(new, "w") as out:
            out.write(f"mtllib {material.name}\nusemtl texture\n")
            out.write("v %.7g %.7g %.7g\n" * len(vertices) % tuple(vertices.ravel().tolist()))
            out.write("vt %.6f %.6f\n" * len(uv) % tuple(uv.ravel().tolist()))
            out.write("vn %.4f %.4f %.4f\n" * len(normals) % tuple(normals.ravel().tolist()))
            out.write("f %d/%d/%d %d/%d/%d %d/%d/%d\n" * len(faces) % tuple(np.repeat(faces.ravel() + 1, 3).tolist()))
