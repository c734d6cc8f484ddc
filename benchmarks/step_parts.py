"""The parts of a training step that benchmarks/train_step.py measures."""

import functools
import time

import numpy as np
import tensorflow as tf

from benchmarks.machine import cpu_seconds, matrix_rate, median_seconds, peak_rss_mb
from benchmarks.original import Original, convolution
from models.networks import losses
from models.networks.local_features import clipped_pixels, read_maps
from models.networks.precision import chosen
from models.training.field_trainer import FieldTrainer
from utils.geometry import frames
from utils.geometry.cameras import compose, intrinsics, look_at


def random_batch(config):
    """A batch of noise with the shapes and the share of occupied points of a real one."""
    rng = np.random.default_rng(0)
    b, n = config.batch_size, config.num_sample_points
    camera = compose(intrinsics(config.img_w), look_at(30, 20, 2.0))
    shared = {
        "image": tf.constant(rng.random((b, config.img_h, config.img_w, config.image_channels)), tf.float32),
        "trans_mat": tf.constant(np.repeat(frames.cube_frame(config.binary).camera(camera)[None], b, 0), tf.float32),
    }
    if not config.binary:
        distance = rng.normal(0, 0.1, (b, n))
        return {
            **shared,
            "points": tf.constant(rng.uniform(-1, 1, (b, n, 3)), tf.float32),
            "colour": tf.constant(rng.random((b, n, 3)), tf.float32),
            "distance": tf.constant(distance, tf.float32),
            "near": tf.constant(abs(distance) < 0.03),
        }
    colour = np.where(rng.random((b, n, 1)) < 0.5, -1, rng.random((b, n, 3)))
    points = tf.constant(rng.integers(-32, 32, (b, n, 3)), tf.float32)
    return {**shared, "points": points, "colour": tf.constant(colour, tf.float32)}


class OriginalTrainer(FieldTrainer):
    """The same step around the original's forward pass."""

    def losses(self, batch, training):
        geometry, colour = Original(self.network)(batch["image"], batch["points"], batch["trans_mat"])
        return losses.binary_losses(geometry, colour, batch["colour"])


def step_seconds(trainer, batch, repeats=3, clock=time.perf_counter):
    """Seconds per image of a training step."""
    step = functools.partial(trainer.train_step, batch)
    return median_seconds(lambda: float(step()["loss"]), repeats, clock) / trainer.config.batch_size


def multiply_adds(network):
    """Of one image, forward, in all layers with weights: by the shapes in the network's graph."""
    config = network.config
    shapes = (config.img_h, config.img_w, config.image_channels), (config.num_sample_points, 3), (4, 3)
    specs = [tf.TensorSpec((1, *shape)) for shape in shapes]
    graph = tf.function(lambda *inputs: network(inputs), autograph=False).get_concrete_function(*specs).graph
    total = 0
    for op in graph.get_operations():
        if op.type in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"):
            kernel, results = op.inputs[1].shape, op.outputs[0].shape.num_elements()
            if op.type == "Conv2D":
                total += results * kernel[:3].num_elements()
            elif op.type == "DepthwiseConv2dNative":
                total += results * kernel[:2].num_elements()
            elif kernel.rank == 2:  # else of an image with its points: projection, reading
                total += results * kernel[0]
    return total


def preset_step(config):
    """The entries of the result for a preset beside faithful."""
    trainer, batch = FieldTrainer(config, tf.distribute.get_strategy()), random_batch(config)
    products, precision = multiply_adds(trainer.network), chosen(config.precision)
    result = {"precision": precision, "multiply_adds": products}
    for name, clock in (("", time.perf_counter), ("cpu_", cpu_seconds)):
        seconds = step_seconds(trainer, batch, 7, clock)
        rate = matrix_rate(tf.as_dtype(precision), clock=clock)
        result |= {f"step_{name}s": seconds, f"{name}tflops": rate}
        result[f"{name}share"] = 3 * 2 * products / seconds / (rate * 1e12)
    return {**result, "peak_rss_mb": peak_rss_mb()}


def encoder_seconds(config):
    """Seconds per image of VGG16 in bfloat16, forward and backward, without an optimiser.

    fc6 to fc8 are matrix products.
    """
    dtype, b, size = tf.bfloat16, config.batch_size, config.encoder_size
    blocks, channels = [], 3
    for width, count in zip(config.encoder_widths, config.encoder_convs, strict=True):
        blocks.append([])
        for _ in range(count):
            blocks[-1].append(
                (tf.Variable(tf.random.normal((3, 3, channels, width), 0, 0.02)), tf.Variable(tf.zeros(width)))
            )
            channels = width
    sizes = ((size // 32) ** 2 * channels, config.encoder_fc, config.encoder_fc, config.num_classes)
    dense = [tf.Variable(tf.random.normal(shape, 0, 0.01)) for shape in zip(sizes[:-1], sizes[1:], strict=True)]
    variables = [*dense, *(v for block in blocks for pair in block for v in pair)]
    images = tf.random.uniform((b, size, size, 3))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            x, total = tf.cast(images, dtype), 0.0
            for block in blocks:
                for kernel, bias in block:
                    x = tf.nn.relu(convolution(x, tf.cast(kernel, dtype), tf.cast(bias, dtype), "SAME"))
                total += tf.reduce_sum(tf.cast(x, tf.float32))
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            x = tf.cast(tf.reshape(x, (b, -1)), tf.float32)
            for kernel in dense:
                x = tf.nn.relu(tf.matmul(x, kernel))
            total += tf.reduce_sum(x)
        return [tf.reduce_sum(gradient[0]) for gradient in tape.gradient(total, variables)]

    return median_seconds(lambda: [part.numpy() for part in step()]) / b


def part_seconds(network, batch):
    """Seconds per image of the parts of a step, forward and backward."""
    config, dtype = network.config, tf.as_dtype(network.config.precision)
    b, n = config.batch_size, config.num_sample_points
    sizes = [config.encoder_size >> i for i in range(5)]
    maps = [
        tf.cast(tf.random.normal((b, size, size, width)), dtype)
        for size, width in zip(sizes, config.encoder_widths, strict=True)
    ]
    glob, local = (
        tf.random.normal((b, 1, config.num_classes)),
        tf.cast(tf.random.normal((b, n, sum(config.encoder_widths))), dtype),
    )

    def timed(function, sources):
        @tf.function
        def step():
            with tf.GradientTape() as tape:
                tape.watch(sources)
                results = [tf.cast(x, tf.float32) for x in tf.nest.flatten(function())]
                total = tf.add_n([tf.reduce_sum(x * x) for x in results])  # so that the forward pass is needed
            return [tf.reduce_sum(tf.cast(g, tf.float32)[..., :1]) for g in tape.gradient(total, sources)]

        return median_seconds(lambda: [part.numpy() for part in step()]) / b

    def decoders():
        return [
            stream(batch["points"], [f], training=True)
            for stream, f in zip(network.streams, (glob, local), strict=True)
        ]

    encoder = [w.value for w in network.encoder.trainable_variables]
    streams = [w.value for stream in network.streams for w in stream.trainable_variables]
    uv = clipped_pixels(batch["points"], batch["trans_mat"], config.img_h, config.img_w)
    return {
        "our_encoder_s": timed(lambda: network.encoder(batch["image"], training=True), encoder),
        "reading_s": timed(lambda: read_maps(maps, uv, config.img_h, config.img_w, True), maps),
        "decoders_s": timed(decoders, [*streams, glob, local]),
    }


def decoder_products(config):
    """Multiply-adds per image of both decoder streams, forward: of points and local features."""
    widths = (3, *config.point_widths)
    first, second = config.decoder_widths
    point = sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    stream = point + 2 * (widths[-1] * first + first * second)  # geometry and colour
    local = 2 * sum(config.encoder_widths) * first
    return config.num_sample_points * (2 * stream + local)
