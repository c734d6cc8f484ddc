"""Coloured mesh files whose colours show up in viewers: PLY, GLB, OBJ; and coloured points as OBJ.

PLY   colours of the vertices as uchar red green blue alpha
GLB   COLOR_0, normals, and a matt white material (without a material some viewers show grey). glTF's vertex colours are linear
      light: viewers encode them for the screen, so display (sRGB) colours are decoded first, and stored as float32
OBJ   'v x y z r g b': MeshLab, Blender and Open3D read it
"""

import pathlib

import numpy as np

from utils import files
from utils.cli import UserError

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

    path.write_bytes(trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh), include_normals=True, tree_postprocessor=rename))


def _write_obj(path, points, faces, colours):
    """Points with seven significant digits, colours with four decimals."""
    rows = np.concatenate([points, colours], 1)
    with open(path, "w") as out:
        out.write("v %.7g %.7g %.7g %.4f %.4f %.4f\n" * len(rows) % tuple(rows.ravel().tolist()))
        out.write("f %d %d %d\n" * len(faces) % tuple((faces.ravel() + 1).tolist()))
