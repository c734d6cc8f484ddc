"""The devices that a run trains on: of this machine, or of all workers of a cluster."""

import collections.abc
import contextlib
import signal

import tensorflow as tf

from models.training.cluster import cannot_take_part, is_named, meet
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
        return _joined_cluster()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _joined_cluster() -> tf.distribute.Strategy:
    """The strategy of all workers, once they are there."""
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    jobs = resolver.cluster_spec().as_dict()
    address = resolver.cluster_spec().task_address(resolver.task_type, resolver.task_id)
    meet(address, [other for job in ("chief", "worker") for other in jobs.get(job, ()) if other != address])
    try:
        with _ended_by_signals():
            return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except LOST:
        raise
    except tf.errors.OpError as error:
        raise cannot_take_part(address, _reason(error)) from None


@contextlib.contextmanager
def _ended_by_signals() -> collections.abc.Iterator[None]:
    """Ctrl-C ends the process at once in the block: while TensorFlow joins the other workers, which
    are there by then, it holds the interpreter, so that no handler of Python would run.

    TensorFlow puts a handler of SIGTERM in place there which would let none end the training; after
    the block it is Python's again.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    handled = {number: handler for number, handler in handlers.items() if callable(handler)}  # not ignored ones
    for number in handled:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


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
