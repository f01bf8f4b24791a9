"""Print how many runs of a script are left, and how long they will take."""

import sys
import time


class RunProgress:
    """Prints a line for each finished run; the mean time of the finished runs gives the time left."""

    def __init__(self, runs: int) -> None:
        self._runs, self._finished = runs, 0
        self._start = time.monotonic()

    def finished(self, run: str, unneeded: int = 0) -> None:
        """Count a finished run and the runs that are no longer needed, and print what is left."""
        self._finished += 1
        self._runs -= unneeded
        runs = self._runs - self._finished
        seconds = (time.monotonic() - self._start) / self._finished * runs
        time_left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
        left = f"; {runs} run{'s' if runs > 1 else ''} left, about {time_left}" if runs else ""
        print(f"{run} is finished{left}", file=sys.stderr)
