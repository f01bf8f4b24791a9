"""Evaluate a variant: summarise its replicas as numbers, curves, values by layer and a diagnosis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis.causes import LEARNED, cause_names, spelled, suggest, tries
from pipeline.diagnosis.layer_evidence import saturated_at
from pipeline.diagnosis.setting import Setting
from pipeline.diagnosis.theory import Premises, born_dead_bound, gradient_band
from pipeline.diagnosis.variant_verdict import about_vanishing, main_cause, outcomes, untrained, verdict
from pipeline.evaluation import replica_table
from pipeline.evaluation.expectations import expectations
from pipeline.evaluation.intervals import Interval, wilson
from pipeline.evaluation.learned import Rule, learned_at
from pipeline.evaluation.replica_table import rounded, significant
from pipeline.evaluation.variant import Counted, Living, Spread, VariantDiagnosis, VariantEvaluation, VariantMetrics
from pipeline.history import record
from pipeline.history.time_profiles import RECURRENT_CALL, TIME, TIME_VALUES, has_time_profiles
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import VariantParams

QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def evaluate(
    name: str,
    history: xr.Dataset,
    variant: VariantParams | NetworkRecipe,
    premises: Premises,
    rule: Rule,
    params: DiagnosisParams,
    predicted: pd.DataFrame | None = None,
) -> VariantEvaluation:
    """Return a variant's evaluation.

    Args:
        variant: the resolved recipe.
        premises: the result of `theory.premises`.
        rule: the rule by which a replica has learned.
        predicted: the result of `replica_table.of_predictions`; None without predictions.
    """
    table = replica_table.evaluate(history, rule, params, predicted)
    scores = [f"{part}_{rule.score}" for part in reversed(record.parts_of(history))]
    counted = metrics(table, scores, [] if predicted is None else [*predicted])
    return VariantEvaluation(
        record.task_of(history),
        rule,
        counted,
        diagnosis(name, counted, table, history, variant, premises),
        table,
        curves(history, rule),
        layers(history, params.saturated_slope),
        times(history),
    )


def metrics(table: pd.DataFrame, scores: Sequence[str], predicted: Sequence[str] = ()) -> VariantMetrics:
    """Return counts, the learned share with Wilson's 95% interval, and quartiles.

    Args:
        table: the table of replicas.
        scores: the columns of the main score, the judged part first.
        predicted: the columns of the scores of final predictions.
    """
    total = len(table)
    learned = int((table.outcome == LEARNED).sum())
    low, high = wilson(learned, total)
    return VariantMetrics(
        total,
        Counted(learned, round(learned / total, 6), Interval(round(low, 6), round(high, 6))),
        {name: quartiles(table[name]) for name in scores},
        quartiles(table.epochs_to_learn),
        outcomes(table),
        int(table.diverged.sum()),
        Living(int(table.living_at_start.sum()), int(table.living_at_end.sum())),
        {name: quartiles(table[name]) for name in predicted},
    )


def diagnosis(
    name: str,
    counted: VariantMetrics,
    table: pd.DataFrame,
    history: xr.Dataset,
    variant: VariantParams | NetworkRecipe,
    premises: Premises,
) -> VariantDiagnosis:
    """Return the verdict, the main cause, the remedies against that cause, and the comparison with theory."""
    epochs, extra = int(history.epoch[-1]), int(history.attrs.get("extra_epochs", 0))
    cause = main_cause(counted.outcomes) if epochs else None
    hidden, loss = record.hidden(history), history.attrs["train_constant_loss"]
    units = hidden.units.values.tolist()
    bound = born_dead_bound(units, hidden.bypassed.values) if premises.born_dead else None
    band = gradient_band(units, loss) if premises.gradients else None
    remedies = suggest(cause, variant, epochs) if cause else []
    sentences = verdict(name, table, counted.learned.interval, bound) if epochs else untrained(name, table)
    if cause is not None and isinstance(variant, VariantParams):
        sentences = f"{sentences} {about_vanishing(table, loss, band)}".rstrip()
    if cause is not None and isinstance(variant, NetworkRecipe):
        setting = Setting.of(history, table[table.cause == cause].iloc[0].to_dict())
        sentences += f" What to try: {'; '.join(tries(cause, setting))}."
    if extra:
        sentences += f" Epoch 0 follows {extra} epochs of pre-training, {extra // len(units)} for each hidden layer."
    return VariantDiagnosis(sentences, cause, remedies, expectations(history, premises))


def quartiles(values: pd.Series) -> Spread:
    """Return the quartiles of the finite values. (The R² of a diverged replica can be minus infinity.)"""
    finite = values[np.isfinite(values)]
    return Spread(
        **{name: round(float(finite.quantile(share)), 6) if len(finite) else None for name, share in QUARTILES.items()}
    )


def curves(history: xr.Dataset, rule: Rule) -> pd.DataFrame:
    """Return one row per epoch: `learned_share`, `alive_share` at recorded epochs, and quartiles of every curve."""
    table = pd.DataFrame({"epoch": history.epoch.values})
    table["learned_share"] = rounded(learned_at(history, rule).mean("replica").values)
    alive = record.living(history).mean("replica").to_series()
    table["alive_share"] = rounded(table.epoch.map(alive).values)
    for name, curve in replica_table.curves(history, rule).items():
        for quartile, values in _quartiles(curve.values).items():
            table[f"{name}_{quartile}"] = values
    return table


def layers(history: xr.Dataset, slope: float) -> pd.DataFrame:
    """Return one row per recorded epoch and layer: quartiles of every value over the replicas living at that epoch.

    `living` is the number of those replicas. Where no replica is living, the quartiles are empty; so are values that do
    not exist at epoch 0.

    Args:
        slope: the slope below which a unit counts as saturated.
    """
    living = record.living(history)
    index = pd.MultiIndex.from_product([history.recorded_epoch.values, history.layer.values], names=["epoch", "layer"])
    table = pd.DataFrame(index=index).reset_index()
    table["living"] = np.repeat(living.sum("replica").values, history.sizes["layer"])
    # Omit `dead`: the only dead layers of a living replica are bypassed layers, which do not matter.
    values = {name: history[name] for name in record.LAYER_VALUES if name != "dead" and name in history}
    if record.SATURATED in history:
        values[record.SATURATED] = history.weight_l1.copy(data=saturated_at(history, slope))
    for name, each in values.items():
        for quartile, by_layer in _quartiles(each.where(living).values).items():
            table[f"{name}_{quartile}"] = by_layer.reshape(-1)
    return table


def times(history: xr.Dataset) -> pd.DataFrame:
    """Return one row per recorded epoch, call of a recurrent layer and time step; without such a layer no row.

    The columns are quartiles over replicas of the values of `history.time_profiles`.
    """
    if not has_time_profiles(history):
        return pd.DataFrame()
    axes = {"epoch": "recorded_epoch", RECURRENT_CALL: RECURRENT_CALL, TIME: TIME}
    index = pd.MultiIndex.from_product([history[axis].values for axis in axes.values()], names=list(axes))
    table = pd.DataFrame(index=index).reset_index()
    for name in TIME_VALUES:
        for quartile, values in _quartiles(history[name].values).items():
            table[f"{name}_{quartile}"] = values.reshape(-1)
    return table


def _quartiles(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the quartiles of the finite values over axis 0; NaN where no value is finite.

    NumPy's `nanquantile` gives the same, but its loop over columns would take most of the evaluation's time.
    """
    finite = np.isfinite(values)
    counts = finite.sum(axis=0)
    ordered = np.sort(np.where(finite, values, np.inf).astype(np.float64), axis=0)
    quartiles = {}
    for name, share in QUARTILES.items():
        place = np.maximum(counts - 1, 0) * share
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(counts - 1, 0))
        low, high = (np.take_along_axis(ordered, each[None], axis=0)[0] for each in (below, above))
        with np.errstate(invalid="ignore"):  # without a finite value, low and high are infinite
            quartiles[name] = np.where(counts > 0, significant(low + (high - low) * (place - below)), np.nan)
    return quartiles


def headline(variant: str, counted: VariantMetrics) -> str:
    """Return "relu_15: 11 of 30 replicas learned (22 to 54%)", with Wilson's 95% interval."""
    low, high = counted.learned.interval
    share = f"{percent(low)} to {percent(high)}%"
    return f"{variant}: {counted.learned.count} of {counted.replicas} replicas learned ({share})"


def in_short(variant: str, counted: VariantMetrics) -> str:
    """Return one line: the headline, then the number of replicas with each cause, most frequent first."""
    counts = {cause: counted.outcomes[cause] for cause in cause_names() if counted.outcomes[cause]}
    listed = ", ".join(f"{counts[cause]} {spelled(cause)}" for cause in sorted(counts, key=lambda each: -counts[each]))
    return headline(variant, counted) + (f": {listed}" if listed else "")


def percent(share: float) -> str:
    """Return a share as a whole number of percent: "37"."""
    return f"{100 * share:.0f}"
