"""glTF files written by hand, and a square with a picture whose quarters tell where they are."""

import base64
import io
import json
import struct

import numpy as np
from PIL import Image

from preprocessing.meshes.load import load_mesh
from utils.mesh import sampling

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
QUARTERS = np.array([[[220, 30, 30], [30, 180, 30]], [[30, 60, 220], [230, 210, 30]]], np.uint8)  # seen from +z
CORNERS = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
UV = np.array([[0.0, 1], [1, 1], [1, 0], [0, 0]])  # v down
INDICES = np.array([0, 1, 2, 0, 2, 3])


def png(pixels=None, file_format="PNG", **options):
    """The bytes of an image file, by default of the quarters, 64 x 64."""
    pixels = np.kron(QUARTERS, np.ones((32, 32, 1), np.uint8)) if pixels is None else np.asarray(pixels, np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, file_format, **options)
    return out.getvalue()


class File:
    """A header, and its only buffer."""

    def __init__(self):
        self.header = {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
        }
        self.data = b""

    def view(self, content, **more):
        """A buffer view of bytes; returns its index."""
        self.data += b"\0" * (-len(self.data) % 8)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content), **more}
        self.header["bufferViews"].append(view)
        self.data += content
        return len(self.header["bufferViews"]) - 1

    def array(self, values, dtype="f4", stride=None, **more):
        """An accessor of (N,) or (N, width) values; returns its index. `stride`: bytes."""
        values = np.asarray(values)
        values = np.ascontiguousarray(values.reshape(len(values), -1).astype(f"<{dtype}"))
        content, size = values.tobytes(), values.shape[1] * values.itemsize
        if stride:
            content = b"".join(content[i : i + size].ljust(stride, b"\7") for i in range(0, len(content), size))
        view = self.view(content, **({"byteStride": stride} if stride else {}))
        return self.accessor(COMPONENTS[dtype], len(values), TYPES[values.shape[1]], bufferView=view, **more)

    def accessor(self, component, count, kind, **more):
        """An accessor by its parts; returns its index."""
        self.header["accessors"].append({"componentType": component, "count": count, "type": kind, **more})
        return len(self.header["accessors"]) - 1

    def add(self, kind, **item):
        """Append to a list of the header; returns the index."""
        self.header.setdefault(kind, []).append(item)
        return len(self.header[kind]) - 1

    def texture(self, content=None, sampler=None):
        """A texture of the bytes of an image; returns its index."""
        image = self.add("images", bufferView=self.view(png() if content is None else content), mimeType="image/png")
        more = {} if sampler is None else {"sampler": self.add("samplers", **sampler)}
        return self.add("textures", source=image, **more)

    def square(self, position=CORNERS, uv=UV, indices=INDICES, material=None, **primitive):
        """The mesh of a square; returns its primitive."""
        attributes = {"POSITION": position if isinstance(position, int) else self.array(position)}
        if uv is not None:
            attributes["TEXCOORD_0"] = uv if isinstance(uv, int) else self.array(uv)
        primitive = {"attributes": attributes, "material": 0, **primitive}
        if indices is not None:
            primitive["indices"] = indices if isinstance(indices, int) else self.array(indices, "u2")
        self.add("meshes", primitives=[primitive])
        if material is None:
            material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": self.texture()}}}
        self.add("materials", **material)
        return primitive

    def glb(self):
        """The bytes of a .glb file."""
        text = json.dumps(self.header | {"buffers": [{"byteLength": len(self.data)}]}).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        size = 28 + len(text) + len(data)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
        return struct.pack("<4sII", b"glTF", 2, size) + chunks

    def gltf(self):
        """The bytes of a .gltf file with its buffer inside."""
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        return json.dumps(self.header | {"buffers": [{"byteLength": len(self.data), "uri": uri}]}).encode()

    def load(self, folder, suffix=".glb"):
        """Write the file and read it as a Mesh."""
        path = folder / f"file{suffix}"
        path.write_bytes(self.glb() if suffix == ".glb" else self.gltf())
        return load_mesh(path)


def quarters(points):
    """(N, 3) points of the square -> (N, 3) colours of its quarters."""
    return QUARTERS[(points[:, 1] < 0).astype(int), (points[:, 0] > 0).astype(int)]


def assert_is_square(mesh, turn=None):
    """The mesh is the square with its picture, turned by a matrix."""
    turn = np.eye(3) if turn is None else turn
    points, colours = sampling.sample_surface(mesh, 1000, np.random.default_rng(0))
    points = points @ np.linalg.inv(turn).T
    corners = np.unique((mesh.vertices[mesh.faces].reshape(-1, 3) @ np.linalg.inv(turn).T).round(3), axis=0)
    assert np.array_equal(corners, np.unique(CORNERS, axis=0))
    inner = (np.abs(points[:, :2]) > 0.02).all(1) & (np.abs(points[:, :2]) < 0.48).all(1)
    assert inner.sum() > 800 and np.abs(colours[inner].astype(int) - quarters(points[inner])).max() <= 2
    a, b, c = (mesh.vertices[mesh.faces[:, k]] @ np.linalg.inv(turn).T for k in range(3))
    assert np.allclose(np.cross(b - a, c - a).sum(0), [0, 0, 2], atol=1e-3)  # seen from +z, both triangles


def mean_colour(mesh):
    """(3,) mean colour of a surface."""
    return sampling.sample_surface(mesh, 2000, np.random.default_rng(0))[1].mean(0)


def colours_at(mesh, points):
    """(N, 3) colours of the flat mesh at (N, 2) points x, y."""
    places, colours = sampling.sample_surface(mesh, 20000, np.random.default_rng(0))
    nearest = ((places[None, :, :2] - np.asarray(points)[:, None]) ** 2).sum(2).argmin(1)
    return colours[nearest]
