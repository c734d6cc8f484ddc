"""The residual decoder at inference: a faster form of models.networks.residual_decoder.

A reading of a map is linear in its channels, so that it commutes with the linear layer after it:
every map is multiplied by its part of that layer once per image, and the products are added in one
map for each side of the object. A point then reads one map per side, however many the encoder has.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from models.inference.folded_stream import fold_layer, linear, product
from models.inference.image_terms import of_images, read_map
from models.networks.local_features import clipped_pixels, linear_weights, scale_to_centres, to_camera_axes
from models.networks.residual_decoder import ResidualDecoder, fourier_features
from models.networks.texdisn import TexDISN
from utils.geometry import frames

# Channels of a first map up to which it is read as it is: beside the coordinates of a point a few
# more numbers cost nothing, and the products of the other maps need a quarter of the memory.
NARROW = 8


class FoldedResidual:
    """A Decoding (models.inference.decoding) of a network with a ResidualDecoder."""

    has_point_terms = False  # the first layer adds points and image

    def __init__(self, network: TexDISN) -> None:
        decoder: ResidualDecoder = network.decoder
        self.network, self.config = network, network.config
        self.sides = 2 if self.config.reflection else 1
        self.point = fold_layer(decoder.point)
        self.feature_global = tf.convert_to_tensor(decoder.feature_global.kernel)
        # per side, all maps one after the other
        self.feature_local = tf.split(tf.convert_to_tensor(decoder.feature_local.kernel), self.sides)
        self.dtype = decoder.feature_local.compute_dtype
        self.layers = [fold_layer(layer) for layer in decoder.layers_]
        self.geometry_out = fold_layer(decoder.geometry_out)
        if self.config.colour:
            self.colour_hidden, self.colour_out = fold_layer(decoder.colour_hidden), fold_layer(decoder.colour_out)

    def image_terms(self, images: tf.Tensor) -> list[dict[str, tf.Tensor]]:
        """What a point needs of each of V images (V, h, w, c).

        Returns:
            `vector` (W,): the product of the global feature, and the bias. `side0`, with reflection
            also `side1`, (1, h, w, W): the products of the maps, which the encoder gives from the
            finest to the coarsest. `narrow`: the first map itself, if it has few channels and is in
            none of the products. All float32.
        """
        global_feature, maps = self.network.encoder(images)
        terms = {"vector": tf.matmul(global_feature, self.feature_global) + self.point[1]}
        narrow = maps[0].shape[-1] if maps[0].shape[-1] <= NARROW else 0
        if narrow:
            terms["narrow"] = tf.cast(maps[0], tf.float32)
        for side, kernel in enumerate(self.feature_local):
            terms[f"side{side}"] = _joined(maps[bool(narrow) :], tf.cast(kernel[narrow:], self.dtype))
        return of_images(terms)

    def point_terms(self, points: tf.Tensor) -> list[tf.Tensor]:
        """None: see has_point_terms."""
        return []

    def geometry(
        self,
        points: tf.Tensor,
        terms: Mapping[str, tf.Tensor],
        camera: tf.Tensor,
        point_terms: Sequence[tf.Tensor] = (),
    ) -> tf.Tensor:
        """Points (N, 3) -> raw geometry (N, 1) float32."""
        return self._geometry(self._hidden(points, camera, terms))

    def geometry_and_colour(self, points: tf.Tensor, terms: Mapping[str, tf.Tensor], camera: tf.Tensor) -> tf.Tensor:
        """Points (N, 3) -> raw geometry and colour (N, 1 + 3) float32."""
        hidden = self._hidden(points, camera, terms)
        colour = tf.sigmoid(linear(tf.nn.relu(linear(hidden, *self.colour_hidden)), *self.colour_out))
        return tf.concat([self._geometry(hidden), colour], -1)

    def _hidden(self, points: tf.Tensor, camera: tf.Tensor, terms: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Points (N, 3) of an image with the camera (1, 4, 3) and these terms -> (N, W)."""
        config = self.config
        image = config.img_h, config.img_w
        coordinates = [points, to_camera_axes(points[None], camera)[0]] if config.camera_axes else [points]
        inputs, kernels = [fourier_features(tf.concat(coordinates, -1), config.fourier)], [self.point[0]]
        local = []
        for side, kernel in enumerate(self.feature_local):
            uv = clipped_pixels((points * frames.MIRROR if side else points)[None], camera, *image)[0]

            def read(term, uv=uv):
                return read_map(term, scale_to_centres(uv, image, term.shape[1:3]))

            local.append(read(terms[f"side{side}"]))
            if "narrow" in terms:
                inputs.append(read(terms["narrow"]))
                kernels.append(kernel[: terms["narrow"].shape[-1]])
        x = linear(tf.concat(inputs, -1), tf.concat(kernels, 0), terms["vector"])
        x = tf.cast(tf.add_n([x, *local]), self.dtype)
        for kernel, bias in self.layers:
            # a bias added to the product would begin a fusion at which TensorFlow's optimiser
            # fails, with an error on the terminal
            x = tf.nn.bias_add(x, bias) + product(tf.nn.relu(x), kernel)
        return tf.nn.relu(x)

    def _geometry(self, hidden: tf.Tensor) -> tf.Tensor:
        """Result of _hidden() -> (N, 1) float32."""
        return self.network.squash(linear(hidden, *self.geometry_out))


def _joined(maps: list[tf.Tensor], kernel: tf.Tensor) -> tf.Tensor:
    """Maps (V, h, w, c) from fine to coarse, kernel (sum of c, W) -> (V, h, w, W) float32, with the
    size of the first.

    The sum is made from the coarsest map on. Every map has twice the cells of the next along each
    axis, and the centres of that one among its own; so a reading of the sum is the sum of the
    readings.
    """
    kernels = tf.split(kernel, [m.shape[-1] for m in maps])
    total = None
    for feature_map, part in zip(reversed(maps), reversed(kernels), strict=True):
        values = tf.nn.conv2d(tf.cast(feature_map, part.dtype), part[None, None], 1, "VALID")
        values = tf.cast(values, tf.float32)
        total = values if total is None else values + _enlarged(total, values.shape[1], values.shape[2])
    return total


def _enlarged(feature_map: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """(V, h, w, W) -> (V, height, width, W), read at the centres of the finer cells
    (models.networks.local_features.scale_to_centres).
    """
    rows, columns = _weights(height, feature_map.shape[1]), _weights(width, feature_map.shape[2])
    return tf.einsum("xj,vyjc->vyxc", columns, tf.einsum("yi,vijc->vyjc", rows, feature_map))


def _weights(fine: int, coarse: int) -> tf.Tensor:
    """(fine, coarse) weights of a linear reading along an axis."""
    position = (tf.range(fine, dtype=tf.float32) + 1) * (coarse / fine) - 1
    return linear_weights(tf.maximum(position, 0.0), coarse)
