"""The losses of the original (binary mode), of DISN (SDF mode), of soft occupancy; weight decay.

Where a batch is shared among devices, the mean of their losses is that of the whole batch.
"""

import keras
import tensorflow as tf


def binary_losses(geometry: tf.Tensor, colour: tf.Tensor | None, target: tf.Tensor) -> dict[str, tf.Tensor]:
    """The original's losses of occupancy and colour.

    Args:
        geometry: (B, N, 2) logits; class 1 is occupied.
        colour: (B, N, 3), or None without a colour branch.
        target: (B, N, 3) colour of the point, -1 where space is empty.

    Returns:
        Scalars: `geometry` = 100 x mean cross-entropy; `colour` = 255 x mean |c - target|, where c
        is -1 wherever the predicted class is empty (absent if colour is None); `accuracy`, the
        share of points with the right class.
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


def sdf_losses(
    geometry: tf.Tensor,
    colour: tf.Tensor | None,
    distance: tf.Tensor,
    target: tf.Tensor | None,
    near: tf.Tensor | None,
    mask_weight: float,
) -> dict[str, tf.Tensor]:
    """DISN's loss of signed distances, and a colour loss near the surface.

    Args:
        geometry: (B, N, 1) predictions of 10 x distance.
        colour: (B, N, 3), or None without a colour branch.
        distance: (B, N) true signed distance in the model frame.
        target: (B, N, 3) true colour; unused if colour is None.
        near: (B, N) bool, whether the point is within one voxel of the surface; unused likewise.
        mask_weight: Weight of points at or inside the surface (distance <= 0.01).

    Returns:
        Scalars: `geometry` = 1000 x mean(|10 distance - prediction| x weight), where all other
        points have weight 1; `colour` = 255 x mean |c - target| over the near points (absent if
        colour is None); `accuracy`, the share of points on the right side of the surface.
    """
    prediction = geometry[..., 0]
    weight = tf.where(distance <= 0.01, mask_weight, 1.0)
    parts = {"geometry": 1000.0 * tf.reduce_mean(tf.abs(10.0 * distance - prediction) * weight)}
    if colour is not None:
        parts["colour"] = 255.0 * _error_near(colour, target, near)
    return {**parts, "accuracy": tf.reduce_mean(tf.cast((prediction <= 0) == (distance <= 0), tf.float32))}


def _error_near(colour: tf.Tensor, target: tf.Tensor, near: tf.Tensor) -> tf.Tensor:
    """The mean of |colour - target|, (B, N, 3), over the points where near (B, N) is true; 0, not
    NaN, for a batch without any.
    """
    near = tf.cast(near, tf.float32)
    difference = tf.reduce_mean(tf.abs(colour - target), -1)
    return tf.reduce_sum(difference * near) / _divisor(tf.reduce_sum(near))


def _divisor(count: tf.Tensor) -> tf.Tensor:
    """What divides a sum that goes with a count, at least 1, of which devices have unlike parts."""
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return tf.maximum(count, 1.0)
    return tf.maximum(replica.all_reduce("SUM", count), 1.0) / replica.num_replicas_in_sync


def soft_occupancy_losses(
    geometry: tf.Tensor,
    colour: tf.Tensor | None,
    distance: tf.Tensor,
    target: tf.Tensor | None,
    near: tf.Tensor | None,
    softness: float,
) -> dict[str, tf.Tensor]:
    """The cross-entropy of sigmoid(-distance / softness), and a colour loss near the surface.

    A distance far from the surface costs nothing where its sign is right, so that the network
    spends its weights on the surface; and no sheet is too thin, given a distance_offset.

    Args:
        geometry: (B, N, 1) predictions of 10 x distance.
        colour: (B, N, 3), or None without a colour branch.
        distance: (B, N) true signed distance in the model frame, minus the distance_offset.
        target: (B, N, 3) true colour; unused if colour is None.
        near: (B, N) bool, whether the colour counts; unused likewise.
        softness: in the model frame, above 0.

    Returns:
        Scalars: `geometry`, the mean cross-entropy, nats; `colour`, the mean of |c - target| over
        the near points (absent if colour is None); `iou`, of the insides over the points.
    """
    prediction = geometry[..., 0]
    labels = tf.sigmoid(-distance / softness)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=prediction * (-0.1 / softness))
    parts = {"geometry": tf.reduce_mean(cross_entropy)}
    if colour is not None:
        parts["colour"] = _error_near(colour, target, near)
    inside, predicted = distance < 0, prediction < 0
    both, either = (tf.reduce_sum(tf.cast(x, tf.float32)) for x in (inside & predicted, inside | predicted))
    return {**parts, "iou": both / _divisor(either)}


def weight_decay(network: keras.Model, rate: float) -> tf.Tensor:
    """rate x sum(w^2) / 2 over all kernels of the encoder and the decoders; biases are left out."""
    kernels = [v for v in network.trainable_variables if v.path.endswith("/kernel")]
    return rate * tf.add_n([tf.nn.l2_loss(kernel.value) for kernel in kernels])
