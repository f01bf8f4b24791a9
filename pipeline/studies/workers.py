"""Train missing cells on this machine's cores, or on the Dask cluster that the environment names.

If the environment names no cluster, a local Dask cluster is started. If a worker dies, Dask gives its cell to another
worker, so only the time for this cell is lost. Finished cells are saved at once.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Self

if sys.modules.get("dask", sys) is None:  # `pipeline.stages` has hidden Dask
    del sys.modules["dask"]
import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed, get_worker

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError, first_line
from pipeline.foundations.hosts import is_loopback
from pipeline.studies import cell_store
from pipeline.studies.work import Work
from pipeline.training.common.machine import cores

ADDRESS = "DASK_SCHEDULER_ADDRESS"  # Dask's own convention
SECURE = ("tls", "wss")  # Dask's encrypted protocols
INSECURE = "scheduler-insecure"  # a key of ours in Dask's configuration, which Dask also reads from DASK_* variables
TIMEOUT = 10  # seconds to wait for the scheduler
TOPIC = "epochs"
REPORT_EVERY = 0.5  # seconds between two reports
# Dask's profiler samples each worker a hundred times a second, which takes part of a core.
NO_PROFILER = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
NO_SIZE_WARNING = {"distributed.admin.large-graph-warning-threshold": "1TB"}  # the data may be large
OnEpochs = Callable[[str, int, Mapping[str, float]], None]  # takes the cell's name, the epoch and its curves
Epochs = list[tuple[int, dict[str, float]]]  # epochs with their curves


class Workers:
    """The processes that train cells, in a cluster or on this machine.

    They start when a cell must be trained, and end with the context. So a study of several rounds imports TensorFlow
    only once per process.

    Args:
        processes: the largest number of processes on this machine if there is no cluster; None for its number of cores.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or cores()
        self._open = ExitStack()
        self._client: Client | None = None

    def __enter__(self) -> Self:
        """Return these workers; nothing is started yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes on this machine."""
        self._open.close()
        self._client = None

    def run(
        self,
        tasks: Mapping[str, Work],
        splits: Mapping[str, Split],
        on_cell: Callable[[str], None] = lambda name: None,
        on_epoch: OnEpochs = lambda name, epoch, curves: None,
    ) -> None:
        """Train and save every cell that the store does not hold.

        Args:
            tasks: the work by the cell's name.
            splits: the rows by their fingerprint, which the work names as its `data`.
            on_cell: called with the name of each cell that is in the store.
            on_epoch: called, from another thread, for epochs that running cells report.

        Raises:
            UserError: the scheduler does not answer; or cells failed, which is raised after all others are trained.
        """
        missing: dict[str, Work] = {}
        for name, task in tasks.items():
            if cell_store.holds(task.key):
                on_cell(name)
            else:
                missing[name] = task
        if not missing:
            return
        processes = min(self._processes, len({task.key for task in missing.values()}))
        if self._client is None:
            self._client = self._open.enter_context(_client(processes))
        elif isinstance(self._client.cluster, LocalCluster) and len(self._client.cluster.workers) < processes:
            self._client.cluster.scale(processes)
        failures: dict[str, list[str]] = {}  # the names of cells by the reason
        self._client.subscribe_topic(TOPIC, lambda event: _report(event, on_epoch))
        for names, result in _results(self._client, missing, splits):
            if isinstance(result, BaseException):
                failures.setdefault(_reason(result), []).extend(names)
                continue
            task = missing[names[0]]
            cell_store.save(task.key, task.recipe, result)
            for name in names:
                on_cell(name)
        if failures:
            count = sum(map(len, failures.values()))
            reasons = "; ".join(f"{' and '.join(names)}: {reason}" for reason, names in failures.items())
            raise UserError(f"{count} of {len(tasks)} cells failed; the others are done: {reasons}")


def _results(
    client: Client, tasks: Mapping[str, Work], splits: Mapping[str, Split]
) -> Iterator[tuple[list[str], dict[str, bytes] | BaseException]]:
    """Yield each distinct cell when it is finished: its names, and its files or the error."""
    names_by_key: dict[str, list[str]] = {}
    for name, task in tasks.items():
        names_by_key.setdefault(task.key, []).append(name)
    # The data are the result of a task, because Dask repeats a task if the worker that holds its result dies.
    data = {
        fingerprint: client.submit(_return_split, splits[fingerprint])
        for fingerprint in {task.data for task in tasks.values()}
    }
    futures = {}
    for key, names in names_by_key.items():
        task = tasks[names[0]]
        # The longest cells come first, so that no core trains a long cell at the end while the others are idle.
        futures[client.submit(work, task, data[task.data], names[0], key=f"cell-{key}", priority=task.size)] = names
    for future in as_completed(list(futures)):
        yield futures.pop(future), future.exception() or future.result()


def _return_split(split: Split) -> Split:
    return split


def work(task: Work, split: Split, name: str) -> dict[str, bytes]:
    """Train a cell in a worker, and report its epochs every REPORT_EVERY seconds.

    Raises:
        UserError: see `Work.run`.
    """
    unreported: Epochs = []
    last_report = monotonic()

    def on_epoch(epoch: int, curves: Mapping[str, float]) -> None:
        nonlocal last_report
        unreported.append((epoch, dict(curves)))
        if monotonic() - last_report >= REPORT_EVERY:
            get_worker().log_event(TOPIC, (name, list(unreported)))
            unreported.clear()
            last_report = monotonic()

    return task.run(split, on_epoch)


def _report(event: tuple[float, tuple[str, Epochs]], on_epoch: OnEpochs) -> None:
    """Pass on the epochs of a cell from one Dask event, which consists of its time and its content."""
    _, (name, epochs) = event
    for epoch, curves in epochs:
        on_epoch(name, epoch, curves)


def _expect_private(address: str) -> None:
    """Check that nobody on the network can read or change what workers run.

    Raises:
        UserError: the scheduler is on another machine, without TLS, and Dask's configuration does not allow that.
    """
    scheme, _, rest = address.rpartition("://")
    host = rest.rpartition(":")[0] or rest
    if scheme in SECURE or is_loopback(host) or dask.config.get(INSECURE, False):
        return
    raise UserError(
        f"{ADDRESS}: {address}: is on another machine and has no TLS, so anybody on the network could run code "
        f"there and here: must be tls://, or set {INSECURE}: true in Dask's configuration (DASK_SCHEDULER_INSECURE)"
    )


@contextmanager
def _client(workers: int) -> Iterator[Client]:
    """Yield a client of the cluster that the environment names; without one, of a local cluster in this context.

    Raises:
        UserError: the named scheduler does not answer.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("distributed", "tornado", "asyncio")):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # `Workers.run` reports failures in one line
    address = os.environ.get(ADDRESS)
    if address:
        _expect_private(address)
        try:
            client = Client(address, timeout=TIMEOUT)
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(
                f"{ADDRESS}: {address}: no answer ({type(error).__name__}): must be the address of a running Dask "
                "scheduler, or unset to use this machine's cores"
            ) from None
        except (TypeError, RuntimeError) as error:  # raised by Dask if certificates are missing or required
            raise UserError(
                f"{ADDRESS}: {address}: {first_line(error)}: must fit distributed.comm.tls in Dask's configuration"
            ) from None
        with dask.config.set(NO_SIZE_WARNING), client:
            yield client
        return
    options = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set(NO_PROFILER | NO_SIZE_WARNING),
        LocalCluster(**options, memory_limit=0, silence_logs=logging.CRITICAL) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _reason(error: BaseException) -> str:
    """Return the reason of a failure in one line."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) or "deserialization" in str(error):
        return "the cluster cannot import pipeline: start scheduler and workers in its folder with PYTHONPATH=."
    if isinstance(error, KilledWorker):
        return "every worker that trained this cell died, perhaps out of memory: lower training.chunk"
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
