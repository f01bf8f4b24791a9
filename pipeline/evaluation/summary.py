"""A variant in numbers: every number is about many replicas."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis.causes import LEARNED, cause_names, spelled, suggest
from pipeline.diagnosis.evidence import saturated_at
from pipeline.diagnosis.theory import Premises, born_dead_bound, gradient_band
from pipeline.diagnosis.verdict import main_cause, outcomes, untrained, verdict
from pipeline.evaluation import replicas
from pipeline.evaluation.expectations import expectations
from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.replicas import learned_at, rounded, significant
from pipeline.evaluation.variant import Diagnosis, VariantEvaluation
from pipeline.history import record
from pipeline.params.diagnosis import DiagnosisParams

QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def evaluate(
    name: str,
    history: xr.Dataset,
    recipe: Mapping[str, Any],
    premises: Premises,
    threshold: float,
    params: DiagnosisParams,
) -> VariantEvaluation:
    """Everything about a variant.

    Args:
        recipe: the resolved variant. premises: which theoretical statements apply to it, see `theory.premises`.
        threshold: the test accuracy above which a replica has learned.
    """
    table = replicas.evaluate(history, threshold, params)
    counted = metrics(table)
    return VariantEvaluation(
        counted,
        diagnosis(name, counted, table, history, recipe, premises),
        table,
        curves(history, threshold),
        layers(history, params.saturated_slope),
    )


def metrics(table: pd.DataFrame) -> dict[str, Any]:
    """The metrics file's content, from the table of replicas: counts, shares with Wilson 95% intervals, quartiles."""
    total = len(table)
    learned = int((table.outcome == LEARNED).sum())
    low, high = wilson(learned, total)
    return {
        "replicas": total,
        "learned": {"count": learned, "rate": round(learned / total, 6), "interval": [round(low, 6), round(high, 6)]},
        "test_accuracy": quartiles(table.test_accuracy),
        "train_accuracy": quartiles(table.train_accuracy),
        "epochs_to_learn": quartiles(table.epochs_to_learn),
        "outcomes": outcomes(table),
        "diverged": int(table.diverged.sum()),
        "living": {"at_start": int(table.living_at_start.sum()), "at_end": int(table.living_at_end.sum())},
    }


def diagnosis(
    name: str,
    content: Mapping[str, Any],
    table: pd.DataFrame,
    history: xr.Dataset,
    recipe: Mapping[str, Any],
    premises: Premises,
) -> Diagnosis:
    """What the numbers say.

    Args:
        content: see `metrics`. recipe: the resolved variant. premises: which theoretical statements apply to it.
    """
    epochs, extra = int(history.epoch[-1]), int(history.attrs.get("extra_epochs", 0))
    cause = main_cause(content["outcomes"]) if epochs else None
    hidden, loss = record.hidden(history), history.attrs["constant_loss"]
    units = hidden.units.values.tolist()
    bound = born_dead_bound(units, hidden.bypassed.values) if premises.born_dead else None
    band = gradient_band(units, loss) if premises.gradients else None
    remedies = suggest(cause, recipe, epochs) if cause else []
    interval = content["learned"]["interval"]
    sentences = verdict(name, table, interval, loss, bound, band) if epochs else untrained(name, table)
    if extra:
        sentences += (
            f" Epoch 0 comes after {extra} epochs of pre-training, {extra // len(units)} a layer: extra budget."
        )
    return Diagnosis(sentences, cause, remedies, expectations(history, premises))


def quartiles(values: pd.Series) -> dict[str, float | None]:
    """Median and quartiles of what is there; null where nothing is."""
    known = values.dropna()
    return {name: round(float(known.quantile(share)), 6) if len(known) else None for name, share in QUARTILES.items()}


def curves(history: xr.Dataset, threshold: float) -> pd.DataFrame:
    """A row an epoch: `learned_share`, `alive_share` (where recorded), and quartiles of every curve over replicas."""
    table = pd.DataFrame({"epoch": history.epoch.values})
    table["learned_share"] = rounded(learned_at(history, threshold).mean("replica").values)
    alive = record.living(history).mean("replica").to_series()
    table["alive_share"] = rounded(table.epoch.map(alive).values)
    for name in record.CURVES:
        for quartile, values in _quartiles(history[name].values).items():
            table[f"{name}_{quartile}"] = values
    return table


def layers(history: xr.Dataset, slope: float) -> pd.DataFrame:
    """A row a recorded epoch and layer: quartiles of every per-layer value over the replicas living at that epoch.

    `living` is their number; where it is 0, or the value does not exist at epoch 0, the fields are empty.
    `saturated_share` is taken at `slope`.
    """
    living = record.living(history)
    index = pd.MultiIndex.from_product([history.recorded_epoch.values, history.layer.values], names=["epoch", "layer"])
    table = pd.DataFrame(index=index).reset_index()
    table["living"] = np.repeat(living.sum("replica").values, history.sizes["layer"])
    saturated = history.dead_unit_share.copy(data=saturated_at(history, slope))
    # `dead` is omitted: a living replica has no dead layers except bypassed ones, which do not matter.
    values = {name: history[name] for name in record.LAYER_VALUES if name != "dead"} | {"saturated_share": saturated}
    for name, each in values.items():
        for quartile, found in _quartiles(each.where(living).values).items():
            table[f"{name}_{quartile}"] = found.reshape(-1)
    return table


def _quartiles(values: np.ndarray) -> dict[str, np.ndarray]:
    """Over axis 0, of finite values only; NaN where there is none.

    As NumPy's `nanquantile`, which goes through the columns one by one: that is most of what an evaluation takes.
    """
    finite = np.isfinite(values)
    counts = finite.sum(axis=0)
    ordered = np.sort(np.where(finite, values, np.inf).astype(np.float64), axis=0)
    found = {}
    for name, share in QUARTILES.items():
        place = np.maximum(counts - 1, 0) * share
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(counts - 1, 0))
        low, high = (np.take_along_axis(ordered, each[None], axis=0)[0] for each in (below, above))
        with np.errstate(invalid="ignore"):  # infinity where there is none
            found[name] = np.where(counts > 0, significant(low + (high - low) * (place - below)), np.nan)
    return found


def headline(variant: str, content: dict[str, Any]) -> str:
    """ "relu_15: 11 of 30 replicas learned (22 to 54%)", the interval Wilson's at 95%."""
    learned = content["learned"]
    low, high = learned["interval"]
    return (
        f"{variant}: {learned['count']} of {content['replicas']} replicas learned ({percent(low)} to {percent(high)}%)"
    )


def in_short(variant: str, content: dict[str, Any]) -> str:
    """The headline and how many replicas have each cause, the most frequent first: for a line or two of a terminal."""
    counts = {cause: content["outcomes"][cause] for cause in cause_names() if content["outcomes"][cause]}
    listed = ", ".join(f"{counts[cause]} {spelled(cause)}" for cause in sorted(counts, key=lambda each: -counts[each]))
    return headline(variant, content) + (f": {listed}" if listed else "")


def percent(share: float) -> str:
    """A share as whole percents."""
    return f"{100 * share:.0f}"


def at_percentiles(history: xr.Dataset, percentiles: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """Positions of the replicas at the given percentiles of final test accuracy (the lower rank), and theirs."""
    order = record.by_test_accuracy(history)
    positions = [int(order[(len(order) - 1) * percentile // 100]) for percentile in percentiles]
    return positions, [float(record.final_test_accuracy(history)[position]) for position in positions]
