"""Try each suggested remedy on a `fit` of a script: `python3 -m pipeline.watch --try script.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.diagnosis.causes import LEARNED, NO_CAUSE, network_remedies, spelled
from pipeline.evaluation.effects import HARMS, HELPS, UNDECIDED
from pipeline.evaluation.intervals import newcombe
from pipeline.foundations.files import save_text
from pipeline.remedies import combined
from pipeline.watch.for_machines.replicas_report import fit_of_replicas
from pipeline.watch.for_machines.report_output import ReportOutput
from pipeline.watch.scripts.attempt import Attempt
from pipeline.watch.scripts.before_and_after import before_and_after
from pipeline.watch.scripts.many_runs import has_learned, run_unchanged, summaries_of
from pipeline.watch.scripts.run_pool import RunPool
from pipeline.watch.scripts.run_request import RunRequest, RunResult
from pipeline.watch.scripts.script_replicas import FitSummary, Tried, page

ORDER = (HELPS, UNDECIDED, HARMS)


def run_tries(request: RunRequest, replicas: int, report: Path, output: ReportOutput, pool: RunPool) -> int:
    """Run the script without a remedy, then with each suggested remedy; print which help and what to change.

    Args:
        request: the run without a remedy.

    Returns:
        The exit code, which the runs without a remedy decide.

    Raises:
        UserError: a run without a remedy failed or trained nothing, or all runs without a remedy are identical.
    """
    request = replace(request, has_checks=True)
    results, summaries = run_unchanged(request, replicas, report, pool)
    fits = [fit_of_replicas(each) for each in summaries]
    for index, unchanged_fit in enumerate(summaries):
        if unchanged_fit.replicas is not None and _causes(unchanged_fit.replicas):
            request = replace(request, fit=unchanged_fit.number)
            search, tried = _try_on(request, replicas, unchanged_fit, unchanged_fit.replicas, pool)
            fits[index] = fit_of_replicas(unchanged_fit, search.attempts, search.not_tried)
            pictures = before_and_after(results, search.best(), unchanged_fit)
            save_text(page(request.script.name, summaries, {index: tried}, pictures), report)
            break
    else:
        print("Nothing to try: no replica failed with a known cause.")
        save_text(page(request.script.name, summaries), report)
    print(f"report: {report}")
    return output.end("try", request.script, request.arguments, fits)


def _try_on(
    request: RunRequest, replicas: int, unchanged_fit: FitSummary, table: pd.DataFrame, pool: RunPool
) -> tuple["_Search", Tried]:
    """Try remedies on one `fit`, and print the results and what to change in the script."""
    search = _Search(request, replicas, _count(table), pool)
    search.run(_causes(table), unchanged_fit.reasons)
    lines = list(search.lines())
    if not lines:
        names = ", ".join(map(spelled, _causes(table)))
        lines = [f"no remedy can be applied automatically against: {names}."]
    learned, runs = _count(table)
    print(f"\nTried on fit {unchanged_fit.number + 1}; without a remedy it learned in {learned} of {runs} runs:")
    print("\n".join(lines))
    best = search.best()
    to_change = best.to_change(request.script) if best is not None else ""
    print(f"\n{to_change}" if to_change else "", end="")
    return search, Tried(lines, to_change)


class _Search:
    """Tries remedies on one `fit`, and adds to the best remedy what the remaining failures suggest.

    attempts: all attempts, in order.
    not_tried: why a remedy was not tried, by its name.
    """

    def __init__(self, request: RunRequest, replicas: int, before: tuple[int, int], pool: RunPool) -> None:
        """Prepare the search.

        Args:
            request: the run without a remedy, with the number of the `fit`.
            replicas: the number of replicas of each attempt.
            before: how many replicas learned without a remedy, and the number of these replicas.
        """
        self.attempts: list[Attempt] = []
        self.not_tried: dict[str, str] = {}
        self._request = request
        self._replicas = replicas
        self._before = before
        self._pool = pool
        self._counts: dict[combined.Remedies, tuple[int, int]] = {}  # runs that learned so far, and runs

    def run(self, causes: Sequence[str], reasons: Mapping[str, str]) -> None:
        """Try remedies against the causes; each round adds one remedy to the combination.

        Args:
            causes: the causes of the replicas that failed, the most frequent first.
            reasons: see `FitSummary`.
        """
        best: combined.Remedies = ()
        for _ in range(combined.ROUNDS):
            attempts = self._try_round(best, causes, reasons)
            results = [combined.Result(each.learned, each.replicas, next(iter(each.causes), None)) for each in attempts]
            index = combined.to_follow(causes, results)
            if index is None or self._pool.is_over_budget:
                break
            best, causes, reasons = attempts[index].remedies, attempts[index].causes, attempts[index].reasons

    def best(self) -> Attempt | None:
        """Return the attempt with which most runs learned; None if none is better than no remedy."""
        best = max(self.attempts, key=lambda each: (each.difference, -len(each.remedies)), default=None)
        return best if best is not None and best.difference > 0 else None

    def lines(self) -> Iterator[str]:
        """Yield a line for each attempt, helpful attempts first, and for each remedy that was not tried."""
        in_order = sorted(self.attempts, key=lambda each: -each.difference)
        for kind in ORDER:
            yield from (f"{kind}: {each}" for each in in_order if each.effect == kind)
        yield from (f"not tried: {name} ({why})." for name, why in self.not_tried.items())

    def _try_round(self, best: combined.Remedies, causes: Sequence[str], reasons: Mapping[str, str]) -> list[Attempt]:
        """Try each combination of the best remedies so far with one more remedy."""
        combinations = combined.further(best, network_remedies(*causes), [each.remedies for each in self.attempts])
        self.not_tried |= {combined.AND.join(each): reasons[each[-1]] for each in combinations if each[-1] in reasons}
        possible = [each for each in combinations if each[-1] not in reasons]
        requests = [replace(self._request, remedies=remedies) for remedies in possible]
        results = self._pool.results(
            requests, self._replicas, lambda place, result: self._so_far(possible[place], result)
        )
        attempts = [self._attempt(*each) for each in zip(possible, results, strict=True)]
        self.attempts += (done := [each for each in attempts if each is not None])
        return done

    def _attempt(self, remedies: combined.Remedies, results: Sequence[RunResult]) -> Attempt | None:
        """Return the result of remedies; None, with a reason in `not_tried`, if there is no result."""
        request, name = self._request, combined.AND.join(remedies)
        if not results:
            self.not_tried[name] = "the budget ended before"
            return None
        if results[-1].not_done is not None:
            self.not_tried[name] = results[-1].not_done
            return None
        summaries = summaries_of(results, request.script, request.learned)
        fit = next((each for each in summaries if each.number == request.fit), None)
        if fit is None or fit.replicas is None:
            self.not_tried[name] = "cannot tell whether the model learned with this remedy"
            return None
        after, before = _count(fit.replicas), self._before
        return Attempt(
            remedies,
            str(results[0].change),
            *after,
            after[0] / after[1] - before[0] / before[1],
            *newcombe(*after, *before),
            _causes(fit.replicas),
            fit.reasons,
            results,
            [int(seed) for seed in fit.replicas.replica[fit.replicas.outcome == LEARNED]],
        )

    def _so_far(self, remedies: combined.Remedies, result: RunResult) -> str:
        """Count a run, and return the best remedies so far in words."""
        learned, runs = self._counts.get(remedies, (0, 0))
        has = has_learned(result, self._request, self._request.fit)
        self._counts[remedies] = learned + bool(has), runs + 1
        best = max(self._counts, key=lambda each: self._counts[each][0] / self._counts[each][1])
        learned, runs = self._counts[best]
        return f"best so far: {combined.AND.join(best)} ({learned} of {runs})" if learned else "none has learned so far"


def _causes(table: pd.DataFrame) -> list[str]:
    """Return the causes of the replicas that did not learn, the most frequent first."""
    return [str(cause) for cause in table.cause[table.cause != NO_CAUSE].value_counts().index]


def _count(table: pd.DataFrame) -> tuple[int, int]:
    """Return how many replicas learned, and the number of replicas."""
    return int((table.outcome == LEARNED).sum()), len(table)
