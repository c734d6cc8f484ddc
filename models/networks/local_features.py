"""Where a 3D point falls in the image, and the encoder's features there."""

import tensorflow as tf


def project(points, trans_mat, height, width):
    """(B, N, 3) points, (B, 4, 3) matrices -> (B, N, 2) pixels (u, v), clipped to the image. Float32 throughout.

    [x y z 1] @ trans_mat = (u w, v w, w). The matrix is that of the points' own frame.
    """
    h = tf.matmul(points, trans_mat[:, :3]) + trans_mat[:, 3:]
    return tf.clip_by_value(h[..., :2] / h[..., 2:], 0.0, [width - 1.0, height - 1.0])


def to_camera_axes(points, trans_mat):
    """(B, N, 3) points, (B, 4, 3) matrices -> the points turned about their frame's origin: x right, y up, z to the camera.

    What DISN's obj_rot_mat does, from the camera alone: its matrix is K [R | t], K upper triangular with positive
    focals, so that the rows of R follow by Gram-Schmidt from the last one (z, forward) to the first (x, right).
    """
    x, y, z = tf.unstack(trans_mat[:, :3], axis=-1)
    forward = tf.math.l2_normalize(z, -1)
    down = tf.math.l2_normalize(y - tf.reduce_sum(y * forward, -1, keepdims=True) * forward, -1)
    right = x - tf.reduce_sum(x * forward, -1, keepdims=True) * forward
    right = tf.math.l2_normalize(right - tf.reduce_sum(right * down, -1, keepdims=True) * down, -1)
    return tf.matmul(points, tf.stack([right, -down, -forward], -1))


def resize_bilinear(feature_map, height, width):
    """(B, h, w, C) -> (B, height, width, C), bilinear, TF1's default: source = target x h / height, no half pixels."""
    resized = tf.raw_ops.ResizeBilinear(images=feature_map, size=(height, width))
    return tf.cast(resized, feature_map.dtype)  # the kernel returns float32 whatever it is given


def scale_to_map(uv, image_size, map_size):
    """(..., 2) pixels of an image of (height, width) -> positions in a map of (height, width) that covers it."""
    (height, width), (h, w) = image_size, map_size
    return tf.minimum(uv * [w / width, h / height], [w - 1.0, h - 1.0])


def read_bilinear(feature_map, uv):
    """(B, h, w, C) map read at (B, N, 2) positions (column, row) within it -> (B, N, C)."""
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
    texels = tf.gather(flat, corners, batch_dims=1)
    return tf.reduce_sum(texels * weights[..., None], -2)


def tents(position, texels):
    """(...) positions within an axis of so many texels -> (..., texels) weights of linear reading, 1 - distance or 0."""
    last = texels - 1.0  # between the last texel and the border the last one counts
    return tf.nn.relu(1 - abs(tf.range(texels, dtype=tf.float32) - tf.minimum(position, last)[..., None]))


def axis_weights(pixel, pixels, texels):
    """(B, N) pixels of an axis of so many -> (B, N, texels): what reading a map that was resized to the image takes of each texel.

    Both resizing and reading are linear: the pixels on either side have tents of their own in the map.
    """
    low = tf.floor(pixel)
    fraction = (pixel - low)[..., None]
    ends = [tents(end * (texels / pixels), texels) for end in (low, tf.minimum(low + 1, pixels - 1.0))]
    return (1 - fraction) * ends[0] + fraction * ends[1]


def read_by_product(feature_map, uv, height, width):
    """What read_bilinear(resize_bilinear(feature_map, height, width), uv) gives, as one matrix product with all texels.

    For small maps that is much faster, and its gradient a product too: neither resizes the map nor scatters into it.
    """
    h, w, channels = feature_map.shape[1:]
    column, row = axis_weights(uv[..., 0], width, w), axis_weights(uv[..., 1], height, h)
    dtype = feature_map.dtype
    weights = tf.cast(row, dtype)[..., None] * tf.cast(column, dtype)[..., None, :]
    return tf.matmul(
        tf.reshape(weights, (-1, uv.shape[1] or tf.shape(uv)[1], h * w)), tf.reshape(feature_map, (-1, h * w, channels))
    )


# Up to so many texels the product is the faster one on a CPU with bfloat16 products, and on one without.
MOST_TEXELS = {tf.bfloat16: 56 * 56, tf.float32: 28 * 28}


def read_maps(maps, uv, height, width, resized):
    """Five maps read at pixels (B, N, 2) of a height x width image and joined -> (B, N, sum of channels).

    resized: every map is resized to the image, bilinear without half-pixel centres, then read (the original).
    Otherwise a map is read as it is, at the pixel scaled by its size over the image's.
    """
    features = []
    for feature_map in maps:
        h, w = feature_map.shape[1:3]
        if not resized:
            features.append(read_bilinear(feature_map, scale_to_map(uv, (height, width), (h, w))))
        elif h * w <= MOST_TEXELS[feature_map.dtype]:
            features.append(read_by_product(feature_map, uv, height, width))
        else:
            features.append(read_bilinear(resize_bilinear(feature_map, height, width), uv))
    return tf.concat(features, -1)
