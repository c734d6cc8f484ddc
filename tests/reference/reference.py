"""The original's and DISN's networks in plain NumPy and a few TensorFlow ops, checked against
recorded outputs.

    python reference.py            # prints the largest difference to seed.npz and disn.npz

seed.npz and disn.npz hold what the original code and DISN's code returned for the weights of
`weights()` and the image of `image()`, both made from seeds, so that no weights have to be stored.
"""

import ast
import pathlib
import zlib

import numpy as np
import tensorflow as tf

HERE = pathlib.Path(__file__).parent
VGG_BLOCKS = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]
resize = tf.compat.v1.image.resize_bilinear  # no half-pixel centres, corners not aligned


def variable_shapes(which):
    """{TF1 variable name: shape} of 'seed' or 'disn'."""
    lines = (HERE / f"{which}_variables.txt").read_text().splitlines()
    return {name: tuple(ast.literal_eval(shape)) for name, shape in (line.split(" ", 1) for line in lines)}


def weights(name, shape):
    """The seeded value of one variable: He-normal weights, small normal biases (float32)."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    scale = np.sqrt(2 / np.prod(shape[:-1])) if name.endswith("weights") else 0.05
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def image(seed, size):
    """The (1, size, size, 3) float32 image of a record: the first draw of its generator."""
    return np.random.default_rng(int(seed)).random((1, size, size, 3)).astype(np.float32)


def encode(w, img):
    """Image -> global feature (1, 1024), list of five maps (1, h, w, c)."""
    x, maps = resize(img, (224, 224)), []
    for block, (convs, _) in enumerate(VGG_BLOCKS, 1):
        for i in range(1, convs + 1):
            scope = f"vgg_16/conv{block}/conv{block}_{i}"
            x = tf.nn.relu(tf.nn.conv2d(x, w[scope + "/weights"], 1, "SAME") + w[scope + "/biases"])
        maps.append(x)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    for fc in ("fc6", "fc7"):
        x = tf.nn.relu(tf.nn.conv2d(x, w[f"vgg_16/{fc}/weights"], 1, "VALID") + w[f"vgg_16/{fc}/biases"])
    x = tf.nn.conv2d(x, w["vgg_16/fc8/weights"], 1, "VALID") + w["vgg_16/fc8/biases"]
    return x[:, 0, 0].numpy(), maps


def project(points, trans_mat, size):
    """(N, 3) points, (4, 3) matrix -> (N, 2) pixels (column, row), clipped to the image."""
    h = np.concatenate([points, np.ones_like(points[:, :1])], 1) @ trans_mat
    return np.clip(h[:, :2] / h[:, 2:], 0, size - 1)


def bilinear(m, uv):
    """(h, w, c) map read at (N, 2) pixel positions -> (N, c)."""
    h, w = m.shape[:2]
    x0, y0 = np.floor(uv[:, 0]).astype(int), np.floor(uv[:, 1]).astype(int)
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    fx, fy = (uv[:, 0] - x0)[:, None], (uv[:, 1] - y0)[:, None]
    return m[y0, x0] * (1 - fx) * (1 - fy) + m[y0, x1] * fx * (1 - fy) + m[y1, x0] * (1 - fx) * fy + m[y1, x1] * fx * fy


def dense(w, x, scope, relu=True):
    y = x @ w[scope + "/weights"].reshape(x.shape[-1], -1) + w[scope + "/biases"]
    return np.maximum(y, 0) if relu else y


def stream(w, scope, points, feature, binary):
    """One decoder stream -> geometry (N, 2 or 1), colour (N, 3) or None."""
    p = points
    for layer in ("conv1", "conv2", "conv3"):
        p = dense(w, p, f"{scope}/fold1/{layer}")
    p = np.concatenate([p, feature], 1)
    g = dense(w, dense(w, p, f"{scope}/fold2/conv1"), f"{scope}/fold2/conv2")
    if not binary:
        return dense(w, g, f"{scope}/fold2/conv5", relu=False), None
    g = dense(w, g, f"{scope}/fold2/conv5_bi", relu=False)
    c = dense(w, dense(w, np.concatenate([g, p], 1), f"{scope}/fold3/conv1"), f"{scope}/fold3/conv2")
    return g, 1 / (1 + np.exp(-dense(w, c, f"{scope}/fold2/conv5_colour", relu=False)))


def predict(w, img, points, trans_mat, binary):
    """-> pixels, global feature, local features, geometry, colour (None in SDF mode) for (N, 3)
    points.
    """
    size = img.shape[1]
    glob, maps = encode(w, img)
    uv = project(points, trans_mat, size)
    local = np.concatenate([bilinear(resize(m, (size, size)).numpy()[0], uv) for m in maps], 1)
    a = stream(w, "sdfprediction", points, np.repeat(glob, len(points), 0), binary)
    b = stream(w, "sdfprediction_imgfeat", points, local, binary)
    return uv, glob, local, a[0] + b[0], a[1] + b[1] if binary else None


def weight_decay(w):
    return sum(1e-5 * float((v.astype(np.float64) ** 2).sum()) / 2 for k, v in w.items() if k.endswith("weights"))


def losses_binary(logits, colour, voxel_val):
    label = (voxel_val[:, 0] > -1).astype(int)
    top = logits.max(1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    masked = np.where((logits.argmax(1) == 0)[:, None], -1, colour)
    return 100 * np.mean(log_sum - logits[np.arange(len(label)), label]), 255 * np.abs(masked - voxel_val).mean()


def loss_sdf(pred, gt):
    return 1000 * np.mean(np.abs(10 * gt - pred) * np.where(gt <= 0.01, 4, 1))


def check(which, record):
    """Print the largest difference between this file and a recorded run; return it."""
    binary, size = which == "seed", {"seed": 138, "disn": 137}[which]
    w = {name: weights(name, shape) for name, shape in variable_shapes(which).items()}
    uv, glob, local, geometry, colour = predict(
        w, image(record["seed"], size), record["points"][0], record["trans_mat"][0], binary
    )
    differences = {
        "pixels": np.abs(uv - record["image_points"][0]).max(),
        "global feature": np.abs(glob - record["global_feature"]).max(),
        "local feature mean": np.abs(local.mean(0) - record["local_feature_mean"]).max(),
        "weight decay": abs(weight_decay(w) - record["loss_regularization"]),
    }
    if binary:
        label, colour_loss = losses_binary(geometry, colour, record["voxel_val"][0])
        differences |= {
            "logits": np.abs(geometry - record["pred_label"][0]).max(),
            "colour": np.abs(colour - record["pred_color_unmasked"][0]).max(),
            "label loss": abs(label - record["loss_sdf_label_loss"]),
            "colour loss": abs(colour_loss - record["loss_sdf_colour_loss"]),
        }
    else:
        differences |= {
            "10 x sdf": np.abs(geometry - record["pred_sdf"][0]).max(),
            "sdf loss": abs(loss_sdf(geometry, record["sdf_gt"][0]) - record["loss_sdf_loss"]),
        }
    for name, value in differences.items():
        print(f"{which:5s} {name:20s} {value:.2e}")
    return max(differences.values())


if __name__ == "__main__":
    for which in ("seed", "disn"):
        check(which, np.load(HERE / f"{which}.npz"))
