"""Mark, name and colour the runs in MLflow, so that the UI shows the runs of the present params.yaml first.

A run is current if its parameters are those of params.yaml; its name is then the variant's name. The name of any other
run of the variant also lists its differences (`relu_20 · seed=2`), and its colour is a shade of the variant's colour.
Only tags and names change, never the recorded training or its results.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.diagnosis import palette
from pipeline.tracking.run_parameters import JUDGED_BY, Parameters
from pipeline.tracking.store import search
from pipeline.tracking.tags import COLOUR, COMPLETE, CURRENT, PAIR, VARIANT, search_for
from pipeline.tracking.writing import log

MOST_LISTED = 3  # differences in a run's name
OMITTED = ("training.", "optimizer.")  # prefixes that a run's name leaves out: `seed=2`, not `training.seed=2`


def runs_of(client: MlflowClient, experiment_id: str, by_variant: Mapping[str, Parameters]) -> dict[str, Run]:
    """Return the newest complete run with each variant's parameters; variants without such a run are left out."""
    return _of_parameters(search(client, experiment_id, search_for(COMPLETE)), by_variant)


def arrange(
    client: MlflowClient,
    experiment_id: str,
    by_variant: Mapping[str, Parameters],
    pair: Sequence[str],
    mark: bool = True,
) -> None:
    """Mark, name and colour all complete runs. Only tags that change are written.

    Args:
        by_variant: the parameters of each variant, in the order of params.yaml.
        pair: the two variants to compare, if any.
        mark: whether to change the marks of current runs. A DVC experiment must not, because `by_variant` then comes
            from the experiment's params.yaml, not from the repository's.
    """
    runs = search(client, experiment_id, search_for(COMPLETE))
    current_runs = (
        _of_parameters(runs, by_variant) if mark else {_variant(run): run for run in runs if CURRENT in run.data.tags}
    )
    colours, shades = palette.of_variants(list(by_variant)), Counter[str]()
    for run in reversed(runs):  # the oldest first, so that a new run does not change the shades of older runs
        variant, colour = _variant(run), colours.get(_variant(run), palette.GREY)
        reference = current_runs.get(variant)
        tags: dict[str, str | None] = {MLFLOW_RUN_NAME: run_name(variant, run, reference), COLOUR: colour}
        is_current = _is_same(run, reference)
        if not is_current:
            tags[COLOUR] = palette.shade(colour, shades[variant])
            shades[variant] += 1
        if mark:
            tags[CURRENT] = "true" if is_current else None
            tags[PAIR] = "true" if is_current and variant in pair else None
        _write(client, run, tags)


def parameters(run: Run) -> Parameters:
    """Return the parameters with which a run was published."""
    judged = {key: value for key, value in run.data.tags.items() if key.split(".")[0] in JUDGED_BY}
    return Parameters(dict(run.data.params), judged)


def run_name(variant: str, run: Run, current: Run | None) -> str:
    """Return the variant's name and, if the run is not current, its differences from the current run."""
    if current is None or _is_same(run, current):
        return variant
    own, reference = ({**each.trained, **each.judged} for each in (parameters(run), parameters(current)))
    keys = [key for key in sorted({*own, *reference}) if own.get(key) != reference.get(key)]
    differences = [f"{_short(key)}={own.get(key, 'none')}" for key in keys]
    if not differences:  # only the software's versions or the type of processor differ
        differences = [f"{datetime.fromtimestamp(run.info.start_time / 1000, UTC):%Y-%m-%d %H:%M}"]
    more = [f"and {len(differences) - MOST_LISTED} more"] if len(differences) > MOST_LISTED else []
    return f"{variant} · {', '.join([*differences[:MOST_LISTED], *more])}"


def _of_parameters(runs: Sequence[Run], by_variant: Mapping[str, Parameters]) -> dict[str, Run]:
    """Return the newest run with the parameters of each variant, from `runs` sorted newest first."""
    return {
        _variant(run): run
        for run in reversed(runs)
        if _variant(run) in by_variant and parameters(run) == by_variant[_variant(run)]
    }


def _variant(run: Run) -> str:
    return run.data.tags.get(VARIANT, "")


def _short(key: str) -> str:
    return next((key.removeprefix(start) for start in OMITTED if key.startswith(start)), key)


def _is_same(run: Run, other: Run | None) -> bool:
    return other is not None and run.info.run_id == other.info.run_id


def _write(client: MlflowClient, run: Run, tags: Mapping[str, str | None]) -> None:
    """Write tags; None deletes a tag."""
    for key in (key for key, value in tags.items() if value is None and key in run.data.tags):
        client.delete_tag(run.info.run_id, key)
    log(client, run.info.run_id, tags={k: v for k, v in tags.items() if v is not None and run.data.tags.get(k) != v})
