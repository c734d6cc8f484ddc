"""Where work on many objects runs: processes of this machine, or the workers of a cluster.

The commands over many objects take an Engine. The workers of a cluster must see the same files
under the same paths, and have this project installed.
"""

import collections
import dataclasses
import typing
from collections.abc import Callable, Generator, Iterator, Sequence

from utils.errors import UserError
from utils.processes import Result, Task, run_in_processes, share_cores

BACKENDS = {
    "processes": "processes of this machine, one of which may die",
    "dask": "the workers of a Dask cluster, here or on other machines",
}
WAIT = 60  # seconds for the first worker of a cluster


@dataclasses.dataclass(frozen=True)
class Engine:
    """Runs tasks, `jobs` at once; a cluster decides by itself how many."""

    jobs: int = 1
    backend: str = "processes"  # one of BACKENDS
    scheduler: str = ""  # address of a running Dask scheduler; "": a cluster on this machine

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        died: Callable[[Task], Result],
        ordered: bool = False,
        ahead: int = 1,
        isolate: bool = False,
    ) -> Generator[tuple[Task, Result], None, None]:
        """Yield (task, function(task)) for every task.

        The arguments are those of utils.processes.run_in_processes. On a cluster a task whose
        worker dies is run again on another one, and gets died(task) once several have died of it.
        """
        if self.backend == "processes":
            yield from run_in_processes(
                function, tasks, self.jobs, died=died, ordered=ordered, ahead=ahead, isolate=isolate
            )
            return
        with _dask_client(self.scheduler, self.jobs) as client:
            yield from _by_dask(client, function, tasks, died, ordered, ahead)

    @property
    def is_here(self) -> bool:
        """Whether the tasks run in this process."""
        return self.jobs == 1 and self.backend == "processes"

    def share_cores(self) -> None:
        """Give each process of this machine its share of the cores."""
        share_cores(self.jobs)


HERE = Engine()


def _dask_client(scheduler: str, jobs: int) -> typing.Any:
    """A client of a running scheduler, or of a cluster of `jobs` processes on this machine."""
    try:
        import distributed
    except ImportError:
        raise UserError("backend dask needs the package distributed: pip install 'texdisn[dask]'") from None
    if not scheduler:
        return distributed.Client(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
    try:
        client = distributed.Client(scheduler, timeout=WAIT)
        client.wait_for_workers(1, timeout=WAIT)
    except (OSError, TimeoutError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"no Dask cluster with workers answers at {scheduler}: {reason}") from None
    return client


def _by_dask(
    client: typing.Any,
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    died: Callable[[Task], Result],
    ordered: bool,
    ahead: int,
) -> Iterator[tuple[Task, Result]]:
    """Engine.run() by the workers of a Dask cluster.

    Not through joblib, whose backend for Dask waits for ever for a task that killed its worker.
    """
    import distributed

    waiting = collections.deque(tasks)
    futures: dict[typing.Any, Task] = {}  # in the order of `tasks`
    while waiting or futures:
        limit = (1 + ahead) * max(1, sum(client.nthreads().values()))
        while waiting and len(futures) < limit:
            task = waiting.popleft()
            futures[client.submit(function, task, pure=False)] = task
        if ordered:
            done = [next(iter(futures))]
        else:
            done = list(distributed.wait(list(futures), return_when="FIRST_COMPLETED").done)
        for future in done:
            task = futures.pop(future)
            try:
                result = future.result()
            except distributed.KilledWorker:
                try:  # it may have been with another task that killed the worker
                    result = client.submit(function, task, pure=False).result()
                except distributed.KilledWorker:
                    result = died(task)
            yield task, result
