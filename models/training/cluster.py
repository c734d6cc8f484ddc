"""The cluster of workers that train one run together, as a command and TF_CONFIG name it.

TensorFlow reads TF_CONFIG when it starts; this file does not import it.
"""

import json
import os
import re

from utils.errors import UserError

VARIABLE = "TF_CONFIG"
ADDRESS = re.compile(r"([^\s,:/]+|\[[0-9a-fA-F:]+\]):\d{1,5}")
PORTS = range(1, 2**16)
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


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
