"""Where a 3D point falls in the image, and the encoder's features at that pixel."""

from collections.abc import Sequence

import tensorflow as tf


def clipped_pixels(points: tf.Tensor, trans_mat: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Project points to pixels, clipped to the image; float32 throughout.

    [x y z 1] @ trans_mat = (u w, v w, w).

    Args:
        points: (B, N, 3).
        trans_mat: (B, 4, 3), from the frame of the points to pixels.
        height: Height of the image, pixels.
        width: Width of the image, pixels.

    Returns:
        (B, N, 2) pixels (u, v).
    """
    h = tf.matmul(points, trans_mat[:, :3]) + trans_mat[:, 3:]
    return tf.clip_by_value(h[..., :2] / h[..., 2:], 0.0, [width - 1.0, height - 1.0])


def to_camera_axes(points: tf.Tensor, trans_mat: tf.Tensor) -> tf.Tensor:
    """Rotate points (B, N, 3) about the origin of their frame into the axes of the camera.

    The axes are x right, y up, z towards the camera; trans_mat is (B, 4, 3). This does what DISN's
    obj_rot_mat does, but from the camera alone: the matrix is K [R | t], and K is upper triangular
    with positive focal lengths. So the rows of R follow by Gram-Schmidt from the last one (z,
    forward) to the first one (x, right).
    """
    x, y, z = tf.unstack(trans_mat[:, :3], axis=-1)
    forward = tf.math.l2_normalize(z, -1)
    down = tf.math.l2_normalize(y - tf.reduce_sum(y * forward, -1, keepdims=True) * forward, -1)
    right = x - tf.reduce_sum(x * forward, -1, keepdims=True) * forward
    right = tf.math.l2_normalize(right - tf.reduce_sum(right * down, -1, keepdims=True) * down, -1)
    return tf.matmul(points, tf.stack([right, -down, -forward], -1))


def resize_bilinear(feature_map: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resize (B, h, w, C) to (B, height, width, C) bilinearly, as TF1 does by default.

    The source position is target x h / height, without half-pixel centres.
    """
    resized = tf.raw_ops.ResizeBilinear(images=feature_map, size=(height, width))
    return tf.cast(resized, feature_map.dtype)  # the kernel returns float32 for every input type


def scale_to_map(uv: tf.Tensor, image_size: tuple[int, int], map_size: tuple[int, int]) -> tf.Tensor:
    """Convert pixels (..., 2) of an image to positions in a map that covers it.

    Both sizes are (height, width).
    """
    (height, width), (h, w) = image_size, map_size
    return tf.minimum(uv * [w / width, h / height], [w - 1.0, h - 1.0])


def scale_to_centres(uv: tf.Tensor, image_size: tuple[int, int], map_size: tuple[int, int]) -> tf.Tensor:
    """Convert pixels (..., 2) of an image to positions in a map made by convolutions of stride 2.

    TensorFlow pads them at the end ("same"), so that cell i of a map of 1/n has its centre at pixel
    n (i + 1) - 1. All centres of a map are centres of the finer ones too. Sizes are (height,
    width); the image's are multiples of the map's.
    """
    (height, width), (h, w) = image_size, map_size
    return tf.clip_by_value((uv + 1.0) * [w / width, h / height] - 1.0, 0.0, [w - 1.0, h - 1.0])


def read_bilinear(feature_map: tf.Tensor, uv: tf.Tensor) -> tf.Tensor:
    """Read a map (B, h, w, C) at positions (B, N, 2), (column, row) of the map -> (B, N, C)."""
    height, width, channels = feature_map.shape[1:]
    flat = tf.reshape(feature_map, (-1, height * width, channels))
    low = tf.floor(uv)
    fx, fy = tf.split(tf.cast(uv - low, feature_map.dtype), 2, axis=-1)
    low = tf.cast(low, tf.int32)
    high = tf.minimum(low + 1, [width - 1, height - 1])
    (x0, y0), (x1, y1) = (tf.unstack(corner, axis=-1) for corner in (low, high))
    # one gather of all four corners: its gradient is one scattered sum into the map instead of four
    corners = tf.stack([y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1], -1)
    weights = tf.concat([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], -1)
    values = tf.gather(flat, corners, batch_dims=1)
    return tf.reduce_sum(values * weights[..., None], -2)


def linear_weights(position: tf.Tensor, cells: int) -> tf.Tensor:
    """Weights (..., cells) of reading an axis of that many cells linearly at positions (...).

    The weight of a cell is 1 - distance, or 0. Beyond the centre of the last cell its value counts.
    """
    position = tf.minimum(position, cells - 1.0)
    return tf.nn.relu(1 - abs(tf.range(cells, dtype=tf.float32) - position[..., None]))


def read_small(feature_map: tf.Tensor, uv: tf.Tensor) -> tf.Tensor:
    """read_bilinear as one matrix product over all cells of the map.

    For small maps it is faster: the gradient is a product too instead of a scattered sum.
    """
    height, width, channels = feature_map.shape[1:]
    column, row = linear_weights(uv[..., 0], width), linear_weights(uv[..., 1], height)
    weights = tf.cast(row[..., None] * column[..., None, :], feature_map.dtype)
    weights = tf.reshape(weights, (-1, uv.shape[1] or tf.shape(uv)[1], height * width))
    return tf.matmul(weights, tf.reshape(feature_map, (-1, height * width, channels)))


def _axis_weights(pixel: tf.Tensor, pixels: int, cells: int) -> tf.Tensor:
    """Weights of the map's cells when the map is resized to the image and then read, on one axis.

    Resizing and reading are both linear: the two pixels around the position each have weights of
    their own in the map.

    Args:
        pixel: (B, N) positions on the image's axis.
        pixels: Length of the image's axis.
        cells: Length of the map's axis.

    Returns:
        (B, N, cells).
    """
    low = tf.floor(pixel)
    fraction = (pixel - low)[..., None]
    below, above = (linear_weights(end * (cells / pixels), cells) for end in (low, tf.minimum(low + 1, pixels - 1.0)))
    return (1 - fraction) * below + fraction * above


def read_by_product(feature_map: tf.Tensor, uv: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """read_bilinear(resize_bilinear(feature_map, height, width), uv) as one matrix product.

    The product takes all cells of the map. For small maps it is much faster: nothing is resized,
    and the gradient is a product too instead of a scattered sum.

    Args:
        feature_map: (B, h, w, C).
        uv: (B, N, 2) pixels of the image.
        height: Height of the image, pixels.
        width: Width of the image, pixels.

    Returns:
        (B, N, C).
    """
    h, w, channels = feature_map.shape[1:]
    column, row = _axis_weights(uv[..., 0], width, w), _axis_weights(uv[..., 1], height, h)
    dtype = feature_map.dtype
    weights = tf.cast(row, dtype)[..., None] * tf.cast(column, dtype)[..., None, :]
    return tf.matmul(
        tf.reshape(weights, (-1, uv.shape[1] or tf.shape(uv)[1], h * w)), tf.reshape(feature_map, (-1, h * w, channels))
    )


# Up to this many cells the product is faster, on a CPU with bfloat16 products and on one without.
LARGEST_PRODUCT = {tf.bfloat16: 56 * 56, tf.float16: 56 * 56, tf.float32: 28 * 28}


def read_maps(maps: Sequence[tf.Tensor], uv: tf.Tensor, height: int, width: int, resized: bool) -> tf.Tensor:
    """Read feature maps at pixels of the image and join their channels.

    Args:
        maps: Tensors (B, h, w, C), of any sizes.
        uv: (B, N, 2) pixels of the image.
        height: Height of the image, pixels.
        width: Width of the image, pixels.
        resized: Resize every map to the image, bilinearly without half-pixel centres, and read it
            there (the original). Otherwise read the map as it is, at the pixel scaled by the size
            of the map over that of the image.

    Returns:
        (B, N, sum of C).
    """
    features = []
    for feature_map in maps:
        h, w = feature_map.shape[1:3]
        if not resized:
            features.append(read_bilinear(feature_map, scale_to_map(uv, (height, width), (h, w))))
        elif h * w <= LARGEST_PRODUCT[feature_map.dtype]:
            features.append(read_by_product(feature_map, uv, height, width))
        else:
            features.append(read_bilinear(resize_bilinear(feature_map, height, width), uv))
    return tf.concat(features, -1)
