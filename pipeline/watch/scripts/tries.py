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
from pipeline.watch.arguments import Learned
from pipeline.watch.for_machines.replicas_report import fit_of_replicas
from pipeline.watch.for_machines.report_output import ReportOutput
from pipeline.watch.scripts.attempt import Attempt
from pipeline.watch.scripts.run_progress import RunProgress
from pipeline.watch.scripts.script import RunRequest, run_seeds, run_unchanged, summaries_of
from pipeline.watch.scripts.script_replicas import FitSummary, page

ORDER = (HELPS, UNDECIDED, HARMS)


def run_tries(
    script: Path, arguments: Sequence[str], learned: Learned, replicas: int, report: Path, output: ReportOutput
) -> int:
    """Run the script without a remedy, then with each suggested remedy; print which help and what to change.

    Returns:
        The exit code, which the runs without a remedy decide.

    Raises:
        UserError: a run without a remedy failed or trained nothing, or all runs without a remedy are identical.
    """
    request = RunRequest(script, arguments, learned, has_checks=True)
    summaries = run_unchanged(request, replicas, report)
    fits = [fit_of_replicas(each) for each in summaries]
    for index, unchanged_fit in enumerate(summaries):
        if unchanged_fit.replicas is not None and _causes(unchanged_fit.replicas):
            request = replace(request, fit=unchanged_fit.number)
            search, lines = _try_on(request, replicas, unchanged_fit, unchanged_fit.replicas)
            fits[index] = fit_of_replicas(unchanged_fit, search.attempts, search.not_tried)
            save_text(page(script.name, summaries, {index: lines}), report)
            break
    else:
        print("Nothing to try: no replica failed with a known cause.")
        save_text(page(script.name, summaries), report)
    print(f"report: {report}")
    return output.end("try", script, arguments, fits)


def _try_on(
    request: RunRequest, replicas: int, unchanged_fit: FitSummary, table: pd.DataFrame
) -> tuple["_Search", list[str]]:
    """Try remedies on one `fit`; return the search, and a line for each remedy, which is printed, too."""
    search = _Search(request, replicas, _count(table))
    search.run(_causes(table), unchanged_fit.reasons)
    lines = list(search.lines())
    if not lines:
        names = ", ".join(map(spelled, _causes(table)))
        lines = [f"no remedy can be applied automatically against: {names}."]
    learned, runs = _count(table)
    print(f"\nTried on fit {unchanged_fit.number + 1}; without a remedy it learned in {learned} of {runs} runs:")
    print("\n".join(lines))
    return search, lines


class _Search:
    """Tries remedies on one `fit`, and adds to the best remedy what the remaining failures suggest.

    attempts: all attempts, in order.
    not_tried: why a remedy was not tried, by its name.
    """

    def __init__(self, request: RunRequest, replicas: int, before: tuple[int, int]) -> None:
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
            if index is None:
                break
            best, causes, reasons = attempts[index].remedies, attempts[index].causes, attempts[index].reasons

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
        progress = RunProgress(self._replicas * len(possible))
        attempts = [each for each in (self._try(remedies, progress) for remedies in possible) if each is not None]
        self.attempts += attempts
        return attempts

    def _try(self, remedies: combined.Remedies, progress: RunProgress) -> Attempt | None:
        """Try the remedies, and return the result; None, with a reason in `not_tried`, if there is no result."""
        request, name = self._request, combined.AND.join(remedies)
        results = run_seeds(replace(request, remedies=remedies), self._replicas, progress)
        if results[-1].not_done is not None:
            self.not_tried[name] = results[-1].not_done
            return None
        summaries = summaries_of(results, request.script, request.learned)
        fit = next((each for each in summaries if each.number == request.fit), None)
        if fit is None or fit.replicas is None:
            self.not_tried[name] = "cannot tell whether the model learned with this remedy"
            return None
        after, before = _count(fit.replicas), self._before
        low, high = newcombe(*after, *before)
        difference = after[0] / after[1] - before[0] / before[1]
        change = str(results[0].change)
        return Attempt(remedies, change, *after, difference, low, high, _causes(fit.replicas), fit.reasons)


def _causes(table: pd.DataFrame) -> list[str]:
    """Return the causes of the replicas that did not learn, the most frequent first."""
    return [str(cause) for cause in table.cause[table.cause != NO_CAUSE].value_counts().index]


def _count(table: pd.DataFrame) -> tuple[int, int]:
    """Return how many replicas learned, and the number of replicas."""
    return int((table.outcome == LEARNED).sum()), len(table)
