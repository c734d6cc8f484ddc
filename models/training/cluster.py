"""The cluster of workers that train one run together, as a command and TF_CONFIG name it.

TensorFlow reads TF_CONFIG when it starts; this file does not import it.
"""

import contextlib
import errno
import json
import os
import re
import socket
import time
from collections.abc import Sequence

from utils.errors import UserError

VARIABLE = "TF_CONFIG"
ADDRESS = re.compile(r"([^\s,:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}")
PORTS = range(1, 2**16)
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
PAUSE, PATIENCE = 0.3, 5  # seconds between two looks for the other workers, and for the answer of one


def join(addresses: str, worker: int | None) -> None:
    """Name the cluster in TF_CONFIG, before TensorFlow starts.

    Args:
        addresses: host:port of every worker, separated by commas; "" leaves TF_CONFIG as it is.
        worker: the number of this process among them.

    Raises:
        UserError: they do not name a cluster, or TF_CONFIG names one already.
    """
    if addresses or worker is not None:
        description = _description(addresses, worker)
        if os.environ.get(VARIABLE):
            raise UserError(f"{VARIABLE} describes a cluster already: unset it, or leave the addresses out")
        os.environ[VARIABLE] = json.dumps(description)
    if is_named() and os.environ.get(LOG_LEVEL) == "2":  # TensorFlow writes pages about every worker that ends
        os.environ[LOG_LEVEL] = "3"


def _description(addresses: str, worker: int | None) -> dict[str, object]:
    """The content of TF_CONFIG."""
    if not addresses or worker is None:
        raise UserError("a cluster needs both the addresses of its workers and the number of this one")
    hosts = [part.strip() for part in addresses.split(",")]
    wrong = [host for host in hosts if not ADDRESS.fullmatch(host) or int(host.rpartition(":")[2]) not in PORTS]
    if wrong:
        raise UserError(f"{wrong[0]!r} is not an address of a worker, such as host:2222")
    if len(set(hosts)) < len(hosts):
        raise UserError(f"{addresses}: every worker needs an address of its own")
    if worker >= len(hosts):
        raise UserError(f"there is no worker {worker} in a cluster of {len(hosts)}, whose first is 0")
    return {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": worker}}


def is_named() -> bool:
    """Whether this process belongs to a cluster."""
    return bool(os.environ.get(VARIABLE))


def writes() -> bool:
    """Whether this process writes the run: alone, or as the chief of a cluster, or as its first
    worker where it has no chief.
    """
    try:
        description = json.loads(os.environ.get(VARIABLE) or "{}")
        task = dict(description.get("task", {}))
        chief = "chief" if "chief" in description.get("cluster", {}) else "worker"
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{VARIABLE} is not a description of a cluster: {error}") from None
    return not task or (task.get("type"), task.get("index")) == (chief, 0)


def meet(own: str, others: Sequence[str]) -> None:
    """Wait until all workers of the cluster are there: each answers at its address until it has
    reached all others within one look.

    TensorFlow waits for them too, but would not let a signal end this process meanwhile.

    Args:
        own: the address of this worker.
        others: those of the others.

    Raises:
        UserError: this worker cannot answer at its address.
    """
    try:
        listener = _listener(_host_and_port(own)[1])
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise cannot_take_part(own, reason) from None
    with listener:
        listener.setblocking(False)
        while not all(map(_answers, others)):  # one that has begun answers by TensorFlow's own server
            _accept_all(listener)
            time.sleep(PAUSE)
            _accept_all(listener)


def cannot_take_part(own: str, reason: object) -> UserError:
    """The error of a worker that cannot answer at its address."""
    return UserError(f"this worker cannot take part in the cluster at {own}; is the port in use? ({reason})")


def _listener(port: int) -> socket.socket:
    """A socket that listens at a port of this machine, by IPv6 too where there is that."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise
    return socket.create_server(("", port))


def _accept_all(listener: socket.socket) -> None:
    """Answer all that have called, who only want to know that someone is there."""
    with contextlib.suppress(BlockingIOError):
        while True:
            with contextlib.suppress(ConnectionError):
                listener.accept()[0].close()


def _answers(address: str) -> bool:
    """Whether a process listens at an address, whose name may not be known yet."""
    try:
        socket.create_connection(_host_and_port(address), PATIENCE).close()
    except OSError:
        return False
    return True


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
