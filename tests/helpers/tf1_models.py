"""Small models in TF1: variable names, shapes, seeded values, checkpoints, the maths in NumPy."""

import zlib

import numpy as np
import tensorflow as tf

SIZES = {
    "widths": (4, 4, 8, 8, 8),
    "convs": (1, 2, 1, 1, 1),
    "fc": 16,
    "classes": 8,
    "point": (8, 16),
    "decoder": (16, 8),
}
IMAGE = 40  # pixels


def shapes(
    binary=True,
    colour=True,
    scopes=("sdfprediction", "sdfprediction_imgfeat"),
    kernel=1,
    classes=SIZES["classes"],
    channels=3,
):
    """Shapes of the weights, as in the variable lists of the originals.

    Returns:
        {variable name without /weights: shape}; the biases have the last number of the shape.
    """
    s, result, before = SIZES, {}, channels
    for block, (width, count) in enumerate(zip(s["widths"], s["convs"], strict=True), 1):
        for i in range(1, count + 1):
            result[f"vgg_16/conv{block}/conv{block}_{i}"] = (3, 3, before, width)
            before = width
    result |= {"vgg_16/fc6": (kernel, kernel, before, s["fc"]), "vgg_16/fc7": (1, 1, s["fc"], s["fc"])}
    result["vgg_16/fc8"] = (1, 1, s["fc"], classes)
    features = {
        "sdfprediction": classes,
        "sdfprediction_imgfeat": sum(s["widths"]),
        "sdfimgfeat": classes + sum(s["widths"][:3]),
    }
    (p1, p2), (d1, d2), out = s["point"], s["decoder"], 2 if binary else 1
    for scope in scopes:
        joined = p2 + features[scope]
        layers = {"fold1/conv1": (3, p1), "fold1/conv2": (p1, p2), "fold2/conv1": (joined, d1), "fold2/conv2": (d1, d2)}
        layers["fold2/conv5_bi" if binary else "fold2/conv5"] = (d2, out)
        if colour:
            layers |= {"fold3/conv1": (out + joined, d1), "fold3/conv2": (d1, d2), "fold2/conv5_colour": (d2, 3)}
        result |= {f"{scope}/{name}": (1, 1, *shape) for name, shape in layers.items()}
    return result


def values(layer_shapes):
    """{variable name: float32 array}, each drawn from a seed of its own."""
    result = {}
    for name, shape in layer_shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        result[name + "/weights"] = (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))).astype(np.float32)
        result[name + "/biases"] = (rng.standard_normal(shape[-1]) * 0.1).astype(np.float32)
    return result


def save(prefix, arrays, version=2):
    """Write arrays with TF1's own Saver (V1 or V2), and the `checkpoint` file.

    Returns:
        The prefix of the checkpoint.
    """
    v1 = tf.compat.v1
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {}
        for name, array in arrays.items():
            array = np.asarray(array)
            variable = v1.get_variable(
                name, dtype=array.dtype, initializer=tf.zeros(array.shape, array.dtype), use_resource=False
            )
            # fed, not a constant: a graph holds 2 GB at most
            session.run(variable.initializer, {variable.initializer.inputs[1]: array})
            variables[name] = variable
        v1.train.Saver(variables, write_version=version).save(session, str(prefix), write_meta_graph=False)
    return prefix


def forward(w, image, points, trans_mat, binary=True, colour=True):
    """Compute the field as TF1 does.

    Args:
        w: {variable name: array}, of values().
        image: (h, w, 3), as the first convolution takes it.
        points: (N, 3) in the model frame.
        trans_mat: (4, 3), model frame to pixels.
        binary: The geometry has two logits, otherwise one distance.
        colour: There is a colour branch.

    Returns:
        Pixels (N, 2), geometry (N, 2 or 1), colour (N, 3) or None.
    """
    size, kernel = image.shape[0], w["vgg_16/fc6/weights"].shape[0]

    def resize(x, n):
        return tf.compat.v1.image.resize_bilinear(x, (n, n))

    def conv(x, name, padding, relu=True):
        x = tf.nn.conv2d(x, w[f"vgg_16/{name}/weights"], 1, padding) + w[f"vgg_16/{name}/biases"]
        return tf.nn.relu(x) if relu else x

    x, maps = resize(tf.constant(image[None]), 32 * kernel), []
    for block, count in enumerate(SIZES["convs"], 1):
        for i in range(1, count + 1):
            x = conv(x, f"conv{block}/conv{block}_{i}", "SAME")
        maps.append(resize(x, size).numpy()[0])
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    glob = conv(conv(conv(x, "fc6", "VALID"), "fc7", "VALID"), "fc8", "VALID", relu=False).numpy().reshape(1, -1)
    h = np.concatenate([points, np.ones_like(points[:, :1])], 1) @ trans_mat
    uv = np.clip(h[:, :2] / h[:, 2:], 0, size - 1)
    local = [np.array([_read(m, *pixel) for pixel in uv]) for m in maps]
    glob = glob.repeat(len(points), 0)
    features = {
        "sdfprediction": glob,
        "sdfprediction_imgfeat": np.concatenate(local, 1),
        "sdfimgfeat": np.concatenate([glob, *local[:3]], 1),
    }
    streams = [_stream(w, s, points, f, binary, colour) for s, f in features.items() if f"{s}/fold1/conv1/weights" in w]
    return uv, sum(g for g, _ in streams), sum(c for _, c in streams) if colour else None


def _read(m, x, y):
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, m.shape[1] - 1), min(y0 + 1, m.shape[0] - 1)
    top = m[y0, x0] * (1 - x + x0) + m[y0, x1] * (x - x0)
    return top * (1 - y + y0) + (m[y1, x0] * (1 - x + x0) + m[y1, x1] * (x - x0)) * (y - y0)


def _stream(w, scope, points, feature, binary, colour):
    def layer(x, name, relu=True):
        x = x @ w[f"{scope}/{name}/weights"][0, 0] + w[f"{scope}/{name}/biases"]
        return np.maximum(x, 0) if relu else x

    joined = np.concatenate([layer(layer(points, "fold1/conv1"), "fold1/conv2"), feature], 1)
    end = "fold2/conv5_bi" if binary else "fold2/conv5"
    geometry = layer(layer(layer(joined, "fold2/conv1"), "fold2/conv2"), end, relu=False)
    if not colour:
        return geometry, None
    c = layer(layer(np.concatenate([geometry, joined], 1), "fold3/conv1"), "fold3/conv2")
    return geometry, 1 / (1 + np.exp(-layer(c, "fold2/conv5_colour", relu=False).clip(-80)))
