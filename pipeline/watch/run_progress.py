"""How many runs of a script are left, and about how long they take."""

import sys
import time


class RunProgress:
    """Prints a line for each finished run. The time left is estimated from the mean time of the finished runs."""

    def __init__(self, runs: int) -> None:
        self._runs, self._finished = runs, 0
        self._began = time.monotonic()

    def finished(self, run: str, unneeded: int = 0) -> None:
        """Count a finished run, and runs that are no longer needed."""
        self._finished += 1
        self._runs -= unneeded
        runs = self._runs - self._finished
        seconds = (time.monotonic() - self._began) / self._finished * runs
        time_left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
        left = f"; {runs} run{'s' if runs > 1 else ''} left, about {time_left}" if runs else ""
        print(f"{run} is finished{left}", file=sys.stderr)
