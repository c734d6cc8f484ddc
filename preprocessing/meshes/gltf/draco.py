"""Primitives that are compressed with Draco (KHR_draco_mesh_compression)."""

import DracoPy
import numpy as np

from preprocessing.meshes.gltf import schema
from preprocessing.meshes.gltf.accessors import DTYPES, Accessors, normalised
from preprocessing.meshes.gltf.buffers import Buffers


def decompress(
    primitive: schema.Primitive, draco: schema.Draco, accessors: Accessors, buffers: Buffers
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The triangles and attributes of a compressed primitive.

    Args:
        primitive: its accessors say which integers have how many bits and are normalised.
        draco: where the data are.
        accessors: of the file.
        buffers: of the file.

    Returns:
        faces: (F, 3).
        attributes: name -> (V, width).
    """
    try:
        mesh = DracoPy.decode(bytes(buffers.view(draco.buffer_view)))
        stored = {attribute["unique_id"]: np.asarray(attribute["data"]) for attribute in mesh.attributes}
        faces = np.asarray(mesh.faces).reshape(-1, 3)
    except Exception as error:  # the decoder raises its own kinds of errors; point clouds have no faces
        raise ValueError(f"Draco data cannot be decoded ({error})") from None
    attributes = {}
    for name, number in draco.attributes.items():
        if number not in stored:
            raise ValueError(f"Draco data have no attribute {number}, the {name}")
        values = stored[number].reshape(len(stored[number]), -1)
        if name in primitive.attributes:
            described = accessors.describe(primitive.attributes[name])
            if values.dtype.kind in "ui":  # the decoder gives all of them 32 bits
                values = values.astype(DTYPES[described.component_type])
            if described.normalized:
                values = normalised(values)
        attributes[name] = values
    return faces, attributes
