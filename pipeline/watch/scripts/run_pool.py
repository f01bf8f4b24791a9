"""Run a script many times, in as many processes at once as the machine and the script allow."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import temporary_folder
from pipeline.remedies import combined
from pipeline.watch.scripts.kept_runs import KeptRuns, finished_at, keep
from pipeline.watch.scripts.run_process import RunProcess, free_megabytes, usable_cores
from pipeline.watch.scripts.run_progress import RunProgress, in_words
from pipeline.watch.scripts.run_request import RunEntry, RunRequest, RunResult, load_entry, load_result
from pipeline.watch.scripts.script_replicas import are_all_identical

PAUSE: Final = 0.05  # seconds between two looks at the processes
Place = tuple[int, int]  # a request's place in the list, and the seed
SoFar = Callable[[int, RunResult], str]  # takes a request's place and a new result; returns what was learned so far


class RunPool:
    """Runs a script many times, and returns results that are kept from earlier runs without running it.

    The first run is alone. It shows how long a run takes, how much memory it needs, and whether two runs at once would
    mix up files that the script writes and reads.

    is_over_budget: whether runs were left out because the time was over.
    """

    def __init__(self, kept: KeptRuns, minutes: float | None = None) -> None:
        """Prepare the runs.

        Args:
            minutes: no run begins later, except the very first; None for no limit.
        """
        self.is_over_budget = False
        self._kept = kept
        self._end = None if minutes is None else time.monotonic() + 60 * minutes
        self._at_once, self._seconds = 1, 0.0
        kept.clean()

    def results(
        self, requests: Sequence[RunRequest], replicas: int, so_far: SoFar = lambda place, result: ""
    ) -> list[list[RunResult]]:
        """Run each request from seeds 0, 1, 2, ...; return the results of each request in the order of the seeds.

        Stops a request if its remedies cannot be applied, or if its first two runs are identical. A request that the
        budget did not reach has fewer results, or none.

        Raises:
            UserError: a run without remedies failed.
            KeyboardInterrupt: with a message for the user.
        """
        batch = _Batch(requests, replicas, so_far)
        with temporary_folder("runs-") as folder, _stopping_all(batch):
            self._take_kept(batch)
            if self._seconds and batch.queue:
                self._print_estimate(len(batch.queue))
            while batch.queue or batch.running:
                while batch.queue and len(batch.running) < self._at_once and not self._is_over():
                    self._start(batch, folder)
                if not batch.running:
                    break
                for place in [place for place, each in batch.running.items() if each.returncode is not None]:
                    self._finish(batch, place)
                time.sleep(PAUSE)
        batch.progress.end()
        return [batch.in_order(place) for place in range(len(requests))]

    def _take_kept(self, batch: "_Batch") -> None:
        times = []
        for place in list(batch.queue):
            folder = self._kept.find(*batch.task(place))
            if folder is not None and place in batch.queue:
                batch.queue.remove(place)
                batch.progress.skip(1)
                times.append(finished_at(folder))
                self._learn(load_entry(folder), load_entry(folder).seconds)
                batch.add(place, load_result(folder, place[1]))
        if times:
            since = time.strftime("%H:%M", time.localtime(min(times)))
            runs = f"{len(times)} of {len(times) + len(batch.queue)} runs kept from {since} are used again"
            print(f"{runs}; --fresh runs the script for them, too", file=sys.stderr)

    def _start(self, batch: "_Batch", folder: Path) -> None:
        place = batch.queue.popleft()
        request, seed = batch.task(place)
        own = folder / f"{place[0]}-{seed}"
        batch.running[place] = RunProcess(request, seed, own, self._kept.place(request, seed), self._at_once)

    def _finish(self, batch: "_Batch", place: Place) -> None:
        process, (request, seed) = batch.running.pop(place), batch.task(place)
        if process.returncode and not request.remedies:
            print(process.errors, file=sys.stderr)
            code = f"exit code {process.returncode}"
            raise UserError(f"{request.script}: failed from seed {seed}: {code}: see the error above")
        if process.returncode:
            why = f"the script fails with this remedy: exit code {process.returncode} from seed {seed}"
            result = RunResult([], None, f"{why}: {process.last_error}" if process.last_error else why)
        else:
            result = load_result(process.folder, seed)
            keep(process.folder, process.place)
        is_first = not self._seconds
        if not process.returncode:
            self._learn(load_entry(process.folder), process.seconds)
        unneeded = batch.add(place, result)
        remedies = f" with {combined.AND.join(request.remedies)}" if request.remedies else ""
        so_far = "" if result.not_done else batch.so_far(place[0], result)
        batch.progress.finished(f"run {seed + 1} of {batch.replicas}{remedies}", unneeded, so_far)
        if is_first and self._seconds and batch.queue:
            self._print_estimate(len(batch.queue))

    def _learn(self, entry: RunEntry, seconds: float) -> None:
        """Learn from the first run how long a run takes, and how many can run at once."""
        if self._seconds:
            return
        self._seconds = max(seconds, 0.1)
        cores = usable_cores()
        if entry.files.shared and cores > 1:
            name = Path(entry.files.shared[0]).name
            print(f"one run at a time, because the script reads files that it writes, such as {name}", file=sys.stderr)
        if not entry.files.shared and not entry.has_gpu:
            self._at_once = max(1, min(cores, int(free_megabytes() // max(entry.megabytes, 1.0))))

    def _print_estimate(self, runs: int) -> None:
        at_once = min(runs, self._at_once)
        seconds = -(-runs // at_once) * self._seconds
        print(
            f"one run takes {in_words(self._seconds)}; {runs} more, {at_once} at a time: about {in_words(seconds)}",
            file=sys.stderr,
        )

    def _is_over(self) -> bool:
        is_over = self._end is not None and bool(self._seconds) and time.monotonic() > self._end
        self.is_over_budget |= is_over
        return is_over


class _Batch:
    """The runs of one call of `RunPool.results`: what is still to do, what runs, and what is done."""

    def __init__(self, requests: Sequence[RunRequest], replicas: int, so_far: SoFar) -> None:
        self.replicas = replicas
        self.so_far = so_far
        self.queue = deque((place, seed) for place in range(len(requests)) for seed in range(replicas))
        self.running: dict[Place, RunProcess] = {}
        self.progress = RunProgress(len(self.queue))
        self._requests = requests
        self._results: dict[Place, RunResult] = {}

    def task(self, place: Place) -> tuple[RunRequest, int]:
        """Return the request and the seed of a run."""
        return self._requests[place[0]], place[1]

    def add(self, place: Place, result: RunResult) -> int:
        """Add a result, stop what is not needed any more, and return how many runs that are."""
        self._results[place] = result
        results = self.in_order(place[0])
        if len(results) == self.replicas or not _is_complete(results):
            return 0
        unneeded = [each for each in (*self.queue, *self.running) if each[0] == place[0] and each[1] >= len(results)]
        for each in unneeded:
            if each in self.running:
                self.running.pop(each).stop()
            else:
                self.queue.remove(each)
        return len(unneeded)

    def in_order(self, place: int) -> list[RunResult]:
        """Return a request's results by seed, up to the one after which no further run is needed."""
        results: list[RunResult] = []
        for seed in range(self.replicas):
            if (place, seed) not in self._results and (place, seed) in (*self.queue, *self.running):
                break
            if (place, seed) in self._results:
                results.append(self._results[place, seed])
                if _is_complete(results):
                    break
        return results


def _is_complete(results: Sequence[RunResult]) -> bool:
    """Return whether no further run is needed: remedies cannot be applied, or all runs are identical."""
    return bool(results) and (results[-1].not_done is not None or are_all_identical([each.fits for each in results]))


@contextmanager
def _stopping_all(batch: _Batch) -> Iterator[None]:
    """Stop all processes at the end of the block, also after an error or Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted: the same command goes on where it stopped") from None
    finally:
        for process in batch.running.values():
            process.stop()
