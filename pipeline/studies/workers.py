"""Run the cells that are missing: on this machine's cores, or on the Dask cluster that the environment names.

One way for both: Dask's futures, on a cluster of this machine's own if there is no other. A worker that dies costs its
cell's time, for Dask gives the cell to another one; what is finished is saved at once.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any, Self

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed, get_worker

from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError
from pipeline.studies import cell_store
from pipeline.studies.work import Work
from pipeline.training.common.machine import cores

ADDRESS = "DASK_SCHEDULER_ADDRESS"  # Dask's own convention
ANSWER_WITHIN = 10  # seconds
TOPIC = "epochs"
TOLD_EVERY = 0.5  # seconds
# Dask looks a hundred times a second what each worker does, which nobody here asks; it takes a part of each core.
UNOBSERVED = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
LARGE = {"distributed.admin.large-graph-warning-threshold": "1TB"}  # a table may be; nobody needs to hear of it
OnEpochs = Callable[[str, int, Mapping[str, float]], None]  # the cell's name, the epoch, its curves


class Workers:
    """The processes that train cells: a cluster's, or this machine's own.

    They start with the first cell that is missing and end with the context, so a study of several rounds imports
    TensorFlow once in each.

    Args:
        processes: at most how many on this machine where the environment names no cluster; its cores by default.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or cores()
        self._until_the_end = ExitStack()
        self._client: Client | None = None

    def __enter__(self) -> Self:
        """Return itself; nothing has started yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes of this machine."""
        self._until_the_end.close()
        self._client = None

    def run(
        self,
        tasks: Mapping[str, Work],
        split: Split,
        on_cell: Callable[[str], None] = lambda name: None,
        on_epoch: OnEpochs = lambda name, epoch, curves: None,
    ) -> None:
        """Train and save every cell that the store does not hold.

        Args:
            tasks: by the cell's name.
            on_cell: called with the name of each cell that is in the store.
            on_epoch: called for the epochs of cells under way, as far as they report them; another thread calls it.

        Raises:
            UserError: the scheduler does not answer; or cells failed, all of them named, when the others are done.
        """
        missing: dict[str, Work] = {}
        for name, task in tasks.items():
            if cell_store.holds(task.key):
                on_cell(name)
            else:
                missing[name] = task
        if not missing:
            return
        needed = min(self._processes, len({task.key for task in missing.values()}))
        if self._client is None:
            self._client = self._until_the_end.enter_context(_client(needed))
        elif isinstance(self._client.cluster, LocalCluster) and len(self._client.cluster.workers) < needed:
            self._client.cluster.scale(needed)
        failed: dict[str, str] = {}
        self._client.subscribe_topic(TOPIC, lambda event: _tell(event, on_epoch))
        for names, result in _results(self._client, missing, split):
            if isinstance(result, BaseException):
                failed |= dict.fromkeys(names, _reason(result))
                continue
            task = missing[names[0]]
            cell_store.save(task.key, task.recipe, result)
            for name in names:
                on_cell(name)
        if failed:
            by_reason: dict[str, list[str]] = {}
            for name, reason in failed.items():
                by_reason.setdefault(reason, []).append(name)
            listed = "; ".join(f"{' and '.join(names)}: {reason}" for reason, names in by_reason.items())
            raise UserError(f"{len(failed)} of {len(tasks)} cells failed, the others are done: {listed}")


def _results(
    client: Client, tasks: Mapping[str, Work], split: Split
) -> Iterator[tuple[list[str], dict[str, bytes] | BaseException]]:
    """As they come: the names of each distinct cell, and its bytes or why there are none."""
    named: dict[str, list[str]] = {}
    for name, task in tasks.items():
        named.setdefault(task.key, []).append(name)
    data = client.submit(_same, split)  # a task, not scattered: what a worker that died held of it is made again
    futures = {}
    for key, names in named.items():
        task = tasks[names[0]]
        # The longest first, so that no core waits for it at the end.
        futures[client.submit(work, task, data, names[0], key=f"cell-{key}", priority=task.size)] = names
    for future in as_completed(list(futures)):
        yield futures.pop(future), future.exception() or future.result()


def _same(split: Split) -> Split:
    return split


def work(task: Work, split: Split, name: str) -> dict[str, bytes]:
    """In a worker: train a cell, and tell of its epochs now and then.

    Raises:
        UserError: as `Work.run`.
    """
    waiting: list[tuple[int, dict[str, float]]] = []
    told = monotonic()

    def on_epoch(epoch: int, curves: Mapping[str, float]) -> None:
        nonlocal told
        waiting.append((epoch, dict(curves)))
        if monotonic() - told >= TOLD_EVERY:
            get_worker().log_event(TOPIC, {"name": name, "epochs": list(waiting)})
            waiting.clear()
            told = monotonic()

    return task.run(split, on_epoch)


def _tell(event: Any, on_epoch: OnEpochs) -> None:
    _, said = event
    for epoch, curves in said["epochs"]:
        on_epoch(said["name"], epoch, curves)


@contextmanager
def _client(workers: int) -> Iterator[Client]:
    """Of the cluster that the environment names, or of one on this machine alone that ends with the context.

    Raises:
        UserError: the named scheduler does not answer.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("distributed", "tornado", "asyncio")):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what fails is reported by cell, in one line
    address = os.environ.get(ADDRESS)
    if address:
        try:
            client = Client(address, timeout=ANSWER_WITHIN)
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(
                f"{ADDRESS}: {address}: no answer ({type(error).__name__}): must be the address of a running Dask "
                "scheduler, or unset for this machine's cores"
            ) from None
        except (TypeError, RuntimeError) as error:  # Dask's own, where certificates are missing or asked for
            found = (str(error).splitlines() or [""])[0]
            raise UserError(
                f"{ADDRESS}: {address}: {found}: must fit distributed.comm.tls in Dask's configuration"
            ) from None
        with dask.config.set(LARGE), client:
            yield client
        return
    options = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with (
        dask.config.set(UNOBSERVED | LARGE),
        LocalCluster(**options, memory_limit=0, silence_logs=logging.CRITICAL) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _reason(error: BaseException) -> str:
    """In one line, for a person."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) or "deserialization" in str(error):
        return "the cluster cannot import pipeline: start scheduler and workers in the project's folder, PYTHONPATH=."
    if isinstance(error, KilledWorker):
        return "every worker that tried it died: out of memory? A smaller training.chunk needs less"
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
