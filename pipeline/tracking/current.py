"""Which runs are of what params.yaml says now: marked, named and coloured, so that the UI shows them first.

A run is current where its parameters are those of params.yaml. Its name is the variant's own; any other run of that
variant is named by what differs from it (`relu_20 · seed=2`), and has a shade of the variant's colour. All of this is
tags and names: what was trained, and what came of it, stays as it is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.foundations import colours
from pipeline.tracking.payload import JUDGED_BY, Parameters
from pipeline.tracking.store import search
from pipeline.tracking.tags import COLOUR, COMPLETE, CURRENT, PAIR, VARIANT, search_for
from pipeline.tracking.writing import log

SAID = 3  # differences in a name
CLEAR = ("training.", "optimizer.")  # what a name leaves out: `seed=2`, `learning_rate=0.001`


def runs_of(client: MlflowClient, experiment_id: str, wanted: Mapping[str, Parameters]) -> dict[str, Run]:
    """For each variant the newest whole run that has its parameters, where there is one."""
    return _of_parameters(search(client, experiment_id, search_for(COMPLETE)), wanted)


def arrange(
    client: MlflowClient, experiment_id: str, wanted: Mapping[str, Parameters], pair: Sequence[str], mark: bool = True
) -> None:
    """Mark, name and colour all whole runs. Writes only what differs.

    Args:
        wanted: by variant, in the order of params.yaml. pair: the two that are set side by side, if any.
        mark: whether `wanted` comes from the repository's params.yaml. In a DVC experiment it does not, so marks stay.
    """
    runs = search(client, experiment_id, search_for(COMPLETE))
    marked = {_variant(run): run for run in runs if CURRENT in run.data.tags}
    chosen = _of_parameters(runs, wanted) if mark else marked
    palette, others = colours.of_variants(list(wanted)), Counter[str]()
    for run in reversed(runs):  # the oldest first, so that each keeps its shade
        variant, colour = _variant(run), palette.get(_variant(run), colours.GREY)
        reference = chosen.get(variant)
        tags: dict[str, str | None] = {MLFLOW_RUN_NAME: run_name(variant, run, reference), COLOUR: colour}
        is_chosen = _same(run, reference)
        if not is_chosen:
            tags[COLOUR] = colours.shade(colour, others[variant])
            others[variant] += 1
        if mark:
            tags[CURRENT] = "true" if is_chosen else None
            tags[PAIR] = "true" if is_chosen and variant in pair else None
        _write(client, run, tags)


def parameters(run: Run) -> Parameters:
    """Of a run, as they were published."""
    judged = {key: value for key, value in run.data.tags.items() if key.split(".")[0] in JUDGED_BY}
    return Parameters(dict(run.data.params), judged)


def run_name(variant: str, run: Run, current: Run | None) -> str:
    """The variant's name alone for the current run, and where none is current; else with what differs from it."""
    if current is None or _same(run, current):
        return variant
    own, others = ({**each.trained, **each.judged} for each in (parameters(run), parameters(current)))
    differing = [key for key in sorted({*own, *others}) if own.get(key) != others.get(key)]
    said = [f"{_clear(key)}={own.get(key, 'none')}" for key in differing]
    if not said:  # other versions of the software, or another type of processor
        said = [f"{datetime.fromtimestamp(run.info.start_time / 1000, UTC):%Y-%m-%d %H:%M}"]
    more = [f"and {len(said) - SAID} more"] if len(said) > SAID else []
    return f"{variant} · {', '.join([*said[:SAID], *more])}"


def _of_parameters(runs: Sequence[Run], wanted: Mapping[str, Parameters]) -> dict[str, Run]:
    """Args: `runs`, the newest first."""
    return {
        _variant(run): run
        for run in reversed(runs)
        if _variant(run) in wanted and parameters(run) == wanted[_variant(run)]
    }


def _variant(run: Run) -> str:
    return run.data.tags.get(VARIANT, "")


def _clear(key: str) -> str:
    return next((key.removeprefix(start) for start in CLEAR if key.startswith(start)), key)


def _same(run: Run, other: Run | None) -> bool:
    return other is not None and run.info.run_id == other.info.run_id


def _write(client: MlflowClient, run: Run, tags: Mapping[str, str | None]) -> None:
    """None takes a tag away."""
    for key in (key for key, value in tags.items() if value is None and key in run.data.tags):
        client.delete_tag(run.info.run_id, key)
    log(client, run.info.run_id, tags={k: v for k, v in tags.items() if v is not None and run.data.tags.get(k) != v})
