"""tf.data input: threads read and prepare samples ahead of the training step."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from data.network_input import ViewSettings
from data.shards import ObjectEntry

THREADS = 4
AHEAD = 4  # batches that wait for the training step at most


class Samples(Protocol):
    """A source of samples, such as data.field_samples.FieldSamples."""

    @property
    def config(self) -> ViewSettings: ...
    @property
    def shapes(self) -> Mapping[str, tuple[tuple[int, ...], np.dtype]]: ...

    def read(
        self, entry: ObjectEntry, view: int, rng: np.random.Generator, augment: bool = True
    ) -> Mapping[str, np.ndarray]: ...


def batches(
    samples: Samples,
    entries: Sequence[ObjectEntry],
    order: np.ndarray,
    epoch: int,
    augment: bool,
    first: int = 0,
    share: tuple[int, int] = (0, 1),
    per_device: int | None = None,
) -> tf.data.Dataset:
    """Batches of samples, with `pair` (B, 2): the (object, view) of each sample.

    The points of a sample depend on the seed, the epoch and the pair alone, not on threads or
    workers.

    Args:
        samples: reads the samples.
        entries: the objects.
        order: (n, 2) pairs of epoch_order. They are cut into batches of config.batch_size, for all
            devices together. The last, smaller batch is dropped in training and kept otherwise:
            every device takes all of it, so that the mean over devices is that of its samples.
        epoch: the number of the epoch.
        augment: whether this is training: samples are augmented then.
        first: the number of batches done already, where a resumed epoch begins.
        share: (i, n): this worker takes the i-th of n equal parts of every batch.
        per_device: samples of a batch that one device takes; default: all of the worker's share.
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

    def loaded(order, size):
        dataset = tf.data.Dataset.from_tensor_slices(order)
        return dataset.map(load_tensor, num_parallel_calls=THREADS, deterministic=True).batch(size)

    batch_size = config.batch_size
    end = len(order) // batch_size * batch_size
    rows = np.arange(first * batch_size, end)
    part, parts = share
    own = order[rows[rows % batch_size * parts // batch_size == part]]
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.autotune.enabled = False  # its thread delays the end of every epoch by up to half a second
    size = per_device or batch_size // parts
    dataset = loaded(own, size)
    if end < len(order) and not augment:
        devices = batch_size // parts // size
        dataset = dataset.concatenate(loaded(order[end:], batch_size).cache().repeat(devices))
    return dataset.prefetch(AHEAD).with_options(options)


def epoch_order(entries: Sequence[ObjectEntry], seed: int | None, epoch: int, cat_limit: int | None) -> np.ndarray:
    """The (object, view) pairs of an epoch in random order; a function of its arguments alone.

    Args:
        entries: the objects.
        seed: of the training; None: the plain order with all pairs, for validation.
        epoch: the number of the epoch; every epoch draws anew.
        cat_limit: the most samples of one category.

    Returns:
        (n, 2) int: indices into `entries` and into the object's views.
    """
    pairs: dict[str, list[tuple[int, int]]] = {}
    for i, entry in enumerate(entries):
        pairs.setdefault(entry.category, []).extend((i, view) for view in range(len(entry.view_names)))
    if seed is None:
        return np.array(sum(pairs.values(), []))
    rng = np.random.default_rng((seed, epoch))
    return rng.permutation(np.concatenate([rng.permutation(category)[:cat_limit] for category in pairs.values()]))
