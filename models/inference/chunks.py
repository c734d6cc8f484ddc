"""Decoding many points in chunks that stay near the cores, looped over in compiled code."""

import collections.abc
import typing

import tensorflow as tf

from models.config import Config
from models.networks.precision import chosen
from utils.processes import available_memory
from utils.stages import check_stop

CACHED, ON_GPU = 1 << 25, 1 << 29  # bytes of a chunk's activations: near a CPU's cores, enough for a GPU
STEP = 256  # points
PIECE = 16  # chunks, in some tenths of a second; between them a job may be stopped
PART = 1 / 8  # of the available memory, at most


def chunk_size(config: Config) -> int:
    """Points decoded at once, a multiple of STEP."""
    if config.decoder == "residual":
        numbers = 12 * config.residual_width
    else:
        numbers = 2 * (sum(config.point_widths) + 4 * sum(config.decoder_widths))
    budget = min(ON_GPU if tf.config.list_physical_devices("GPU") else CACHED, PART * available_memory())
    return max(STEP, int(budget / ((4 if chosen(config.precision) == "float32" else 2) * numbers)) // STEP * STEP)


def in_chunks(
    function: collections.abc.Callable[..., typing.Any], chunk: int
) -> collections.abc.Callable[..., typing.Any]:
    """Compile a function of points to loop over chunks of them.

    Args:
        function: (points (N, 3), image_terms, camera, point_terms: list of (N, F)) -> (N, C), or a
            list of such.
        chunk: points at a time.

    Returns:
        The same function for any number of points, traced once.
    """

    described: list = []  # what the function returns, once it is known

    def whole(points, image_terms, camera, point_terms):
        count = tf.shape(points)[0]
        if not point_terms:  # few sizes of the last chunk: oneDNN prepares every operation for every size
            points = tf.pad(points, [[0, -count % STEP], [0, 0]])
        outputs = tf.nest.flatten(described[0])

        def step(i, arrays):
            part = slice(i * chunk, (i + 1) * chunk)
            values = tf.nest.flatten(function(points[part], image_terms, camera, [term[part] for term in point_terms]))
            return i + 1, [array.write(i, value) for array, value in zip(arrays, values, strict=True)]

        chunks = (tf.shape(points)[0] + chunk - 1) // chunk
        arrays = [tf.TensorArray(x.dtype, chunks, infer_shape=False, element_shape=(None, x.shape[1])) for x in outputs]
        # two at a time: the work that one core does alone in one of them hides behind the other
        _, arrays = tf.while_loop(lambda i, _: i < chunks, step, (0, arrays), parallel_iterations=2)
        return tf.nest.pack_sequence_as(described[0], [array.concat()[:count] for array in arrays])

    # no branch depends on a tensor: AutoGraph would take most of the time of tracing
    compiled = tf.function(whole, autograph=False)

    def call(points, image_terms=None, camera=None, point_terms=()):
        if not described:
            point = [tf.zeros((1, term.shape[1]), term.dtype) for term in point_terms]
            described.append(function(tf.zeros((1, 3)), image_terms, camera, point))  # by itself faster than traced
            if not tf.config.functions_run_eagerly():  # traced once, for any number of points
                specs = [tf.TensorSpec((None, term.shape[1]), term.dtype) for term in point_terms]
                compiled.get_concrete_function(tf.TensorSpec((None, 3), tf.float32), image_terms, camera, specs)
        pieces = []
        for first in range(0, max(1, len(points)), PIECE * chunk):
            check_stop()
            part = slice(first, first + PIECE * chunk)
            pieces.append(compiled(points[part], image_terms, camera, [term[part] for term in point_terms]))
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *pieces) if len(pieces) > 1 else pieces[0]

    return call
