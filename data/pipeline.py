"""tf.data input: samples read and prepared by threads ahead of the training step."""

import numpy as np
import tensorflow as tf

THREADS = 4


def batches(samples, entries, order, epoch, augment, first=0, share=(0, 1), per_device=None):
    """tf.data.Dataset of batches of samples, with `pair` (B, 2): which (object, view) each one is.

    samples     data.field_samples.FieldSamples, or whatever else has a config, shapes and read()
    order       (n, 2) pairs (data.field_samples.epoch_order); cut into batches of config.batch_size for all devices together;
                the last, smaller batch is dropped in training (augment) and kept otherwise
    first       batches that are done already: a resumed epoch begins there
    share       (i, n): this worker takes the i-th of n equal parts of every batch
    per_device  samples of a batch that one device takes; default: all of the worker's share
    The points of a sample depend on the seed, the epoch and the pair alone, not on threads or workers.
    """
    config, shapes = samples.config, samples.shapes
    names = list(shapes)

    def load(pair):
        i, view = (int(x) for x in pair)
        rng = np.random.default_rng((config.seed, epoch, i, view))
        sample = samples.read(entries[i], view, rng, augment)
        return [sample[name] for name in names]

    def load_tensor(pair):
        values = tf.numpy_function(load, [pair], [shapes[name][1] for name in names])
        for name, value in zip(names, values, strict=True):
            value.set_shape(shapes[name][0])
        return {**dict(zip(names, values, strict=True)), "pair": pair}

    batch_size = config.batch_size
    whole = len(order) // batch_size * batch_size if augment else len(order)
    rows = np.arange(first * batch_size, whole)
    part, parts = share
    mine = order[rows[rows % batch_size * parts // batch_size == part]]
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    dataset = tf.data.Dataset.from_tensor_slices(mine).map(load_tensor, num_parallel_calls=THREADS, deterministic=True)
    return dataset.batch(per_device or batch_size // parts).prefetch(tf.data.AUTOTUNE).with_options(options)


def epoch_order(entries, seed, epoch, cat_limit):
    """(n, 2) int array of (object, view) index pairs in random order; a function of its arguments alone.

    At most cat_limit samples of each category, drawn anew for each epoch. seed None: the plain order, for validation.
    """
    pairs = {}
    for i, entry in enumerate(entries):
        pairs.setdefault(entry.category, []).extend((i, v) for v in range(len(entry.view_names)))
    if seed is None:
        return np.array(sum(pairs.values(), []))
    rng = np.random.default_rng((seed, epoch))
    return rng.permutation(np.concatenate([rng.permutation(of_one)[:cat_limit] for of_one in pairs.values()]))
