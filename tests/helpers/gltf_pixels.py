"""What a viewer shows of a GLB file whose materials are unlit, after the specification of glTF 2.0.

The base colour is factor x COLOR_0 x texture, all in linear light; the texture is stored in sRGB.
KHR_materials_unlit: the colour of a pixel is the base colour, encoded in sRGB.
"""

import io

import numpy as np
import pygltflib
from PIL import Image

COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def decode(srgb):
    """sRGB in [0, 1] -> linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def encode(linear):
    """Linear light in [0, 1] -> sRGB."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


class Viewer:
    """The only primitive of a file, seen along -z without perspective."""

    def __init__(self, path):
        self.file = pygltflib.GLTF2().load(str(path))
        (self.primitive,) = [part for mesh in self.file.meshes for part in mesh.primitives]
        self.material = self.file.materials[self.primitive.material]
        assert "KHR_materials_unlit" in self.material.extensions, "the colour depends on the light of the viewer"
        assert "KHR_materials_unlit" in self.file.extensionsUsed
        assert "KHR_materials_unlit" not in (self.file.extensionsRequired or [])
        self.positions = self.array(self.primitive.attributes.POSITION).astype(float)
        self.faces = self.array(self.primitive.indices).reshape(-1, 3).astype(int)

    def array(self, index):
        accessor = self.file.accessors[index]
        view, dtype, width = self.file.bufferViews[accessor.bufferView], COMPONENTS[accessor.componentType], 0
        width = WIDTHS[accessor.type]
        start = view.byteOffset + (accessor.byteOffset or 0)
        values = np.frombuffer(self.file.binary_blob(), dtype, accessor.count * width, start).reshape(-1, width)
        return values / np.iinfo(dtype).max if accessor.normalized else values

    def texture(self):
        """(H, W, 3) linear light."""
        use = self.material.pbrMetallicRoughness.baseColorTexture
        view = self.file.bufferViews[self.file.images[self.file.textures[use.index].source].bufferView]
        data = self.file.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
        return decode(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) / 255)

    def pixel(self, x, y):
        """The colour (3,) in [0, 255] at a place of the screen, of the nearest triangle."""
        corners = self.positions[self.faces]
        edges = corners[:, 1:, :2] - corners[:, :1, :2]
        determinant = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
        usable = abs(determinant) > 1e-12
        d = np.array([x, y]) - corners[:, 0, :2]
        with np.errstate(all="ignore"):
            b = (d[:, 0] * edges[:, 1, 1] - d[:, 1] * edges[:, 1, 0]) / determinant
            c = (edges[:, 0, 0] * d[:, 1] - edges[:, 0, 1] * d[:, 0]) / determinant
            weights = np.stack([1 - b - c, b, c], 1)
            inside = usable & (weights >= 0).all(1)
            depth = np.where(inside, (weights * corners[..., 2]).sum(1), -np.inf)
        face = depth.argmax()
        assert inside[face], "nothing is there"
        return np.rint(255 * encode(np.clip(self.base_colour(face, weights[face]), 0, 1)))

    def base_colour(self, face, weights):
        look, attributes = self.material.pbrMetallicRoughness, self.primitive.attributes
        colour = np.array((look.baseColorFactor or [1, 1, 1, 1])[:3], float)
        if attributes.COLOR_0 is not None:
            colour = colour * (weights @ self.array(attributes.COLOR_0)[self.faces[face]][:, :3])
        if look.baseColorTexture is not None:
            texture = self.texture()
            u, v = weights @ self.array(attributes.TEXCOORD_0)[self.faces[face]]
            colour = colour * bilinear(texture, u * texture.shape[1] - 0.5, v * texture.shape[0] - 0.5)
        return colour


def bilinear(image, x, y):
    """The value at column x and row y of an image (H, W, C)."""
    x, y = np.clip(x, 0, image.shape[1] - 1.001), np.clip(y, 0, image.shape[0] - 1.001)
    i, j = int(y), int(x)
    a, b = y - i, x - j
    upper, lower = ((1 - b) * row[j] + b * row[j + 1] for row in image[i : i + 2])
    return (1 - a) * upper + a * lower
