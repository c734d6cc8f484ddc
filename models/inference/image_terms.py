"""The products of an image's features with the decoder layers that take them, made once per image.

Reading a map and resizing it are linear in its channels, so they commute with the linear layer
after them: every map is multiplied by its part of that layer first, then all are resized to one
size and added, and a point reads one map. Maps that are read as they are have sizes that halve from
block to block, so the first one's grid has the corners of all the others and the interpolation
stays the same.
"""

from typing import Any

import tensorflow as tf

from models.inference.folded_stream import FoldedStream, product
from models.networks.local_features import resize_bilinear


def stream_terms(
    stream: FoldedStream,
    parts: tuple[str, ...],
    global_feature: tf.Tensor,
    maps: list[tf.Tensor],
    map_size: tuple[int, int],
) -> dict[str, tf.Tensor]:
    """The image's part of a decoder's first layers, bias included.

    Weights of a bilinear reading add up to 1, so what is added to a map is added to every reading.

    Args:
        stream: holds the kernels.
        parts: the features that it takes, "global" and "local".
        global_feature: (V, F) of V images.
        maps: of the encoder, (V, h, w, c).
        map_size: (height, width) of the map that points will read.

    Returns:
        {"geometry", "colour"} -> (V, F), or (V, *map_size, F) where local features take part;
        float32.
    """
    terms = {}
    for name, (bias, kernels) in stream.kernels.items():
        kernel_of, term = dict(zip(parts, kernels, strict=True)), bias[None]
        if "global" in kernel_of:
            term += tf.cast(product(global_feature, kernel_of["global"]), tf.float32)
        if "local" in kernel_of:
            term = _joined_map(maps, kernel_of["local"], map_size) + term[:, None, None]
        terms[name] = term
    return terms


def of_images(terms: Any) -> list[Any]:
    """Terms of V images, as stream_terms makes them, in any structure -> the same of each image.

    Vectors (V, F) become (F,), maps (V, h, w, F) become (1, h, w, F).
    """

    def of_image(i: int) -> Any:
        return tf.nest.map_structure(lambda x: x[i] if x.shape.rank == 2 else x[i : i + 1], terms)

    return [of_image(i) for i in range(tf.nest.flatten(terms)[0].shape[0])]


def read_map(feature_map: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """A map (1, h, w, C), read bilinearly at (N, 2) positions (column, row) within it -> (N, C).

    A crop of one pixel lies in the middle of its box: many times faster than gathering four pixels.
    """
    height, width = feature_map.shape[1:3]
    u, v = tf.unstack(positions / [max(width - 1.0, 1.0), max(height - 1.0, 1.0)], axis=-1)
    boxes, first = tf.stack([v, u, v, u], -1), tf.zeros_like(u, tf.int32)
    return tf.image.crop_and_resize(feature_map, boxes, first, (1, 1))[:, 0, 0]


def _joined_map(maps: list[tf.Tensor], kernel: tf.Tensor, map_size: tuple[int, int]) -> tf.Tensor:
    """Maps (V, h, w, c), kernel (sum of c of the first few, F) -> (V, *map_size, F)."""
    total, first = None, 0
    for feature_map in maps:
        channels = feature_map.shape[-1]
        if first == kernel.shape[0]:
            break
        if total is not None:  # one after the other: at full size each takes 40 MB
            with tf.control_dependencies([total]):
                feature_map = tf.identity(feature_map)
        part = kernel[first : first + channels][None, None]
        first += channels
        if feature_map.shape[1] > map_size[0]:  # multiply the smaller one
            part = tf.cast(tf.nn.conv2d(resize_bilinear(feature_map, *map_size), part, 1, "VALID"), tf.float32)
        else:
            part = tf.raw_ops.ResizeBilinear(images=tf.nn.conv2d(feature_map, part, 1, "VALID"), size=map_size)
        total = part if total is None else total + part
    return total
