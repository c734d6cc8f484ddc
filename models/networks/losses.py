"""The losses of the original (binary mode) and of DISN (SDF mode), and weight decay."""

import tensorflow as tf


def binary_losses(geometry, colour, target):
    """logits (B, N, 2), colour (B, N, 3) or None, target (B, N, 3: colour, or -1 where empty) -> dict of scalars.

    100 x mean cross-entropy + 255 x mean |c - target|, where c is -1 wherever the predicted class is empty. Without
    colours there is no `colour`.
    """
    occupied = target[..., 0] > -1
    label = tf.cast(occupied, tf.int32)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=geometry)
    predicted = geometry[..., 1] > geometry[..., 0]
    parts = {"geometry": 100.0 * tf.reduce_mean(cross_entropy)}
    if colour is not None:
        masked = tf.where(predicted[..., None], colour, -1.0)
        parts["colour"] = 255.0 * tf.reduce_mean(tf.abs(masked - target))
    return {**parts, "accuracy": tf.reduce_mean(tf.cast(predicted == occupied, tf.float32))}


def sdf_losses(geometry, colour, distance, target, near, mask_weight):
    """prediction (B, N, 1) = 10 x distance, colour (B, N, 3) or None, signed distance (B, N) in the model frame,
    target colour (B, N, 3), near (B, N) bool: within one voxel of the surface -> dict of scalars.

    1000 x mean(|10 gt - pred| m), m = mask_weight where gt <= 0.01, else 1 (DISN), and 255 x mean |c - target|
    over the near points. `accuracy` is the share of points on the right side of the surface.
    """
    prediction = geometry[..., 0]
    weight = tf.where(distance <= 0.01, mask_weight, 1.0)
    parts = {"geometry": 1000.0 * tf.reduce_mean(tf.abs(10.0 * distance - prediction) * weight)}
    if colour is not None:
        near = tf.cast(near, tf.float32)
        difference = tf.reduce_mean(tf.abs(colour - target), -1)
        # the maximum: a batch without any near point has no colour loss
        parts["colour"] = 255.0 * tf.reduce_sum(difference * near) / tf.maximum(tf.reduce_sum(near), 1.0)
    return {**parts, "accuracy": tf.reduce_mean(tf.cast((prediction <= 0) == (distance <= 0), tf.float32))}


def weight_decay(network, rate):
    """rate x sum(w^2) / 2 over all convolution (kernel) weights, encoder and decoders."""
    kernels = [v for v in network.trainable_variables if v.path.endswith("/kernel")]
    return rate * tf.add_n([tf.nn.l2_loss(kernel.value) for kernel in kernels])
