"""A Mesh with all its materials as a GLB file.

Colours of materials and vertices are display (sRGB) values in a Mesh and linear light in glTF;
they are stored as float32. Textures are stored as PNG.
"""

import dataclasses
import json
import os
import struct
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from utils import files
from utils.mesh.light import linear_light
from utils.mesh.mesh import ABSENT, REPEAT, Emission, Material, Mesh, Wrap, shrink_texture

HEADER = 20  # bytes before the JSON text of a GLB file
WRAP_MODES: dict[Wrap, int] = {"repeat": 10497, "clamp": 33071, "mirror": 33648}  # by the numbers of OpenGL
NEAREST = 9728  # of a sampler's filter, likewise


def write_glb(path: str | os.PathLike[str], mesh: Mesh, asset: dict[str, Any] | None = None) -> None:
    """Write a mesh as GLB, with one primitive for each of its materials that has faces.

    Args:
        path: the file.
        mesh: the mesh; its frame is kept.
        asset: further properties of the file, such as its copyright; extras can hold any.

    Raises:
        ValueError: textures of emissions have coordinates of their own (`emission_uv`).
    """
    if mesh.emission_uv is not None:
        raise ValueError("textures of emissions with their own coordinates cannot be written")
    scene = trimesh.Scene()
    used = np.unique(mesh.face_material)
    for index in used:
        scene.add_geometry(_geometry(mesh, index))

    def complete(tree: dict[str, Any]) -> None:
        """Put in what trimesh would round to 8 bits, or leaves out."""
        tree["asset"] |= asset or {}
        for primitive in (primitive for part in tree["meshes"] for primitive in part["primitives"]):
            if "_COLOUR" in primitive["attributes"]:
                primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop("_COLOUR")
        for material in tree["materials"]:
            ours, look = mesh.materials[int(material["name"])], material["pbrMetallicRoughness"]
            look["baseColorFactor"] = [*linear_light(ours.factor[:3]).tolist(), float(ours.factor[3])]
            _set_sampler(tree, look.get("baseColorTexture"), ours)
            if ours.emission is not None:
                material["emissiveFactor"] = linear_light(ours.emission.factor).tolist()
                _set_sampler(tree, material.get("emissiveTexture"), ours.emission)

    data = trimesh.exchange.gltf.export_glb(scene, include_normals=True, tree_postprocessor=complete)
    with files.replacing(path) as temporary:
        temporary.write_bytes(data)


def _set_sampler(tree: dict[str, Any], use: dict[str, int] | None, look: Material | Emission) -> None:
    """Give a use of a texture the sampler of its look: wrap modes, whether texels are blended."""
    if use is None or (look.wrap == REPEAT and not look.nearest):
        return
    u, v = look.wrap
    samplers = tree.setdefault("samplers", [])
    filters = {"magFilter": NEAREST, "minFilter": NEAREST} if look.nearest else {}
    samplers.append({"wrapS": WRAP_MODES[u], "wrapT": WRAP_MODES[v], **filters})
    # a copy: two materials may share the picture and not the sampler
    tree["textures"].append({**tree["textures"][use["index"]], "sampler": len(samplers) - 1})
    use["index"] = len(tree["textures"]) - 1


def read_asset(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The properties of a GLB file that write_glb received as `asset`; {} if it is not a GLB."""
    try:
        with open(path, "rb") as file:
            magic, _, _, length, _ = struct.unpack("<4sIIII", file.read(HEADER))
            asset = json.loads(file.read(length))["asset"] if magic == b"glTF" else {}
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return {}
    return asset if isinstance(asset, dict) else {}


def shrink_textures(mesh: Mesh, longest: int) -> Mesh:
    """The mesh with textures, those of emissions too, of at most `longest` texels a side."""
    return dataclasses.replace(mesh, materials=[_shrunk(material, longest) for material in mesh.materials])


def _shrunk(material: Material, longest: int) -> Material:
    light = material.emission
    if light is not None:
        light = dataclasses.replace(light, image=_smaller(light.image, longest, opaque=True))
    image = _smaller(material.image, longest, opaque=material.alpha_cutoff <= 0)
    return dataclasses.replace(material, image=image, emission=light)


def _smaller(image: np.ndarray | None, longest: int, opaque: bool) -> np.ndarray | None:
    """A texture of at most `longest` texels a side; an `opaque` one is shown without its alpha."""
    if image is None or max(image.shape[:2]) <= longest:
        return image
    ratio = longest / max(image.shape[:2])
    height, width = (max(1, round(side * ratio)) for side in image.shape[:2])
    if opaque:
        image = np.concatenate([image[..., :3], np.full_like(image[..., 3:], 255)], 2)
    return shrink_texture(image, (width, height))


def _geometry(mesh: Mesh, index: int) -> trimesh.Trimesh:
    """The faces of one material, with the vertices they use."""
    faces = mesh.faces[mesh.face_material == index]
    used, faces = np.unique(faces, return_inverse=True)
    colours = mesh.colours[used]
    attributes = {}
    if (colours != 1).any():
        # trimesh would write COLOR_0 with 8 bits; complete() corrects the name
        linear = np.concatenate([linear_light(colours[:, :3]), colours[:, 3:]], 1)
        attributes["_COLOUR"] = linear.astype(np.float32)
    return trimesh.Trimesh(
        mesh.vertices[used],
        faces.reshape(-1, 3),
        vertex_normals=mesh.normals[used],
        visual=trimesh.visual.TextureVisuals(
            uv=mesh.uv[used], material=_material(mesh.materials[index], str(index), colours)
        ),
        vertex_attributes=attributes,
        process=False,
    )


def _material(material: Material, name: str, colours: np.ndarray) -> trimesh.visual.material.PBRMaterial:
    """A matt material of trimesh; `colours` are those of its vertices."""
    image, light = material.image, material.emission
    opaque = material.factor[3] == 1 and (colours[:, 3] == 1).all() and (image is None or (image[..., 3] == 255).all())
    if opaque or material.alpha_cutoff <= 0:
        mode: dict[str, Any] = {"alphaMode": "OPAQUE"}
    elif material.alpha_cutoff == ABSENT:  # what a Mesh has for blended materials
        mode = {"alphaMode": "BLEND"}
    else:
        mode = {"alphaMode": "MASK", "alphaCutoff": float(material.alpha_cutoff)}
    return trimesh.visual.material.PBRMaterial(
        name=name,
        metallicFactor=0.0,
        roughnessFactor=1.0,
        emissiveTexture=None if light is None or light.image is None else Image.fromarray(light.image[..., :3]),
        doubleSided=True,  # the faces of many files are not oriented
        baseColorTexture=None if image is None else Image.fromarray(image[..., :3] if opaque else image),
        **mode,
    )
