"""Show how many runs of a script are left, how long they will take, and what was learned so far."""

import sys
import time

from tqdm import tqdm


class RunProgress:
    """Shows a line in a terminal, or prints a line for each finished run elsewhere, on standard error.

    The mean time of the finished runs gives the time left.
    """

    def __init__(self, runs: int) -> None:
        self._runs, self._finished = runs, 0
        self._start = time.monotonic()
        self._bar: tqdm | None = None
        if sys.stderr.isatty():
            bar_format = "{n_fmt} of {total_fmt} runs |{bar:20}| {elapsed}, {remaining} left{postfix}"
            self._bar = tqdm(total=runs, bar_format=bar_format, leave=False, mininterval=0.2)

    def finished(self, run: str, unneeded: int = 0, so_far: str = "") -> None:
        """Count a finished run and the runs that are no longer needed, and show what is left.

        Args:
            run: which run, in words.
            so_far: what was learned so far, in words.
        """
        self._finished += 1
        self._runs -= unneeded
        if self._bar is not None:
            self._bar.total = self._runs
            self._bar.set_postfix_str(so_far, refresh=False)
            self._bar.update()
            return
        runs = self._runs - self._finished
        seconds = (time.monotonic() - self._start) / self._finished * runs
        left = f"; {runs} run{'s' if runs > 1 else ''} left, about {in_words(seconds)}" if runs else ""
        print(f"{run} is finished{left}{f'; {so_far}' if so_far else ''}", file=sys.stderr)

    def skip(self, runs: int) -> None:
        """Do not wait for some runs, which are kept or no longer needed."""
        self._runs -= runs
        if self._bar is not None:
            self._bar.total = self._runs

    def end(self) -> None:
        """Remove the line from the terminal."""
        if self._bar is not None:
            self._bar.close()


def in_words(seconds: float) -> str:
    """Return a time such as "90 s" or "5 min"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
