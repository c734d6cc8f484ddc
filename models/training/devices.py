"""The devices that a run trains on: of this machine, or of all workers of a cluster."""

import collections.abc
import contextlib

import tensorflow as tf

from models.training.cluster import is_named
from utils.errors import UserError

# what TensorFlow raises in a worker that has lost another one
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


def choose_strategy() -> tf.distribute.Strategy:
    """Several machines if TF_CONFIG names them, several GPUs if there are some, else the one
    device.

    Several machines wait for each other here.
    """
    if is_named():
        print("waiting for the other workers of the cluster", flush=True)
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def end_together(strategy: tf.distribute.Strategy) -> None:
    """Wait until all workers are done: one that ends earlier would take from the others what they
    are about to receive.
    """

    @tf.function(autograph=False)
    def together() -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(lambda: tf.constant(1.0)), axis=None)

    if is_named():
        with contextlib.suppress(*LOST):  # those have ended, and so were done
            together()


@contextlib.contextmanager
def no_worker_lost() -> collections.abc.Iterator[None]:
    """Turn TensorFlow's error about another worker in the block into one line."""
    try:
        yield
    except LOST as error:
        if not is_named():
            raise
        raise UserError(
            "another worker of the cluster ended or cannot be reached; once all of them are started again the "
            f"training resumes from its last checkpoint ({_reason(error)})"
        ) from None


def _reason(error: tf.errors.OpError) -> str:
    """The end of the first line of an error; what comes before names TensorFlow's functions."""
    return str(error).splitlines()[0].rpartition("}} ")[2][:200]
