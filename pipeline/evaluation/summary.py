"""A variant in numbers: every number is about many replicas."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis.causes import LEARNED, cause_names, spelled, suggest, tries
from pipeline.diagnosis.evidence import saturated_at
from pipeline.diagnosis.setting import Setting
from pipeline.diagnosis.theory import Premises, born_dead_bound, gradient_band
from pipeline.diagnosis.variant_verdict import main_cause, outcomes, untrained, verdict
from pipeline.evaluation import replica_table
from pipeline.evaluation.expectations import expectations
from pipeline.evaluation.intervals import Interval, wilson
from pipeline.evaluation.learned import Rule, learned_at
from pipeline.evaluation.replica_table import rounded, significant
from pipeline.evaluation.variant import Counted, Living, Spread, VariantDiagnosis, VariantEvaluation, VariantMetrics
from pipeline.history import record
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
    """Everything about a variant.

    Args:
        premises: which theoretical statements apply to it, see `theory.premises`.
        rule: when a replica has learned.
        predicted: what `replica_table.of_predictions` tells, where there are predictions.
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
    )


def metrics(table: pd.DataFrame, scores: Sequence[str], predicted: Sequence[str] = ()) -> VariantMetrics:
    """Counts, shares with Wilson 95% intervals and quartiles, from the table of replicas.

    Args:
        scores: the columns of the score that decides, the judged part's first.
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
    """What the numbers say."""
    epochs, extra = int(history.epoch[-1]), int(history.attrs.get("extra_epochs", 0))
    cause = main_cause(counted.outcomes) if epochs else None
    hidden, loss = record.hidden(history), history.attrs["train_constant_loss"]
    units = hidden.units.values.tolist()
    bound = born_dead_bound(units, hidden.bypassed.values) if premises.born_dead else None
    band = gradient_band(units, loss) if premises.gradients else None
    remedies = suggest(cause, variant, epochs) if cause else []
    sentences = verdict(name, table, counted.learned.interval, loss, bound, band) if epochs else untrained(name, table)
    if cause is not None and isinstance(variant, NetworkRecipe):
        setting = Setting.of(history, table[table.cause == cause].iloc[0].to_dict())
        sentences += f" What to try: {'; '.join(tries(cause, setting))}."
    if extra:
        sentences += (
            f" Epoch 0 comes after {extra} epochs of pre-training, {extra // len(units)} a layer: extra budget."
        )
    return VariantDiagnosis(sentences, cause, remedies, expectations(history, premises))


def quartiles(values: pd.Series) -> Spread:
    """Median and quartiles of the finite values: R² of what diverged may be minus infinity."""
    known = values[np.isfinite(values)]
    found = {name: round(float(known.quantile(share)), 6) if len(known) else None for name, share in QUARTILES.items()}
    return Spread(**found)


def curves(history: xr.Dataset, rule: Rule) -> pd.DataFrame:
    """One row per epoch: `learned_share`, `alive_share` where recorded, and quartiles of every curve over replicas."""
    table = pd.DataFrame({"epoch": history.epoch.values})
    table["learned_share"] = rounded(learned_at(history, rule).mean("replica").values)
    alive = record.living(history).mean("replica").to_series()
    table["alive_share"] = rounded(table.epoch.map(alive).values)
    for name, curve in replica_table.curves(history, rule).items():
        for quartile, values in _quartiles(curve.values).items():
            table[f"{name}_{quartile}"] = values
    return table


def layers(history: xr.Dataset, slope: float) -> pd.DataFrame:
    """One row per recorded epoch and layer: quartiles of every per-layer value over the replicas living at that epoch.

    `living` is their number; where it is 0, or the value does not exist at epoch 0, the fields are empty.
    `saturated_share` is taken at `slope`.
    """
    living = record.living(history)
    index = pd.MultiIndex.from_product([history.recorded_epoch.values, history.layer.values], names=["epoch", "layer"])
    table = pd.DataFrame(index=index).reset_index()
    table["living"] = np.repeat(living.sum("replica").values, history.sizes["layer"])
    # `dead` is omitted: a living replica has no dead layers except bypassed ones, which do not matter.
    values = {name: history[name] for name in record.LAYER_VALUES if name != "dead" and name in history}
    if record.SATURATED in history:
        values[record.SATURATED] = history.weight_l1.copy(data=saturated_at(history, slope))
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


def headline(variant: str, counted: VariantMetrics) -> str:
    """ "relu_15: 11 of 30 replicas learned (22 to 54%)", the interval Wilson's at 95%."""
    low, high = counted.learned.interval
    share = f"{percent(low)} to {percent(high)}%"
    return f"{variant}: {counted.learned.count} of {counted.replicas} replicas learned ({share})"


def in_short(variant: str, counted: VariantMetrics) -> str:
    """The headline and how many replicas have each cause, the most frequent first: for a line or two of a terminal."""
    counts = {cause: counted.outcomes[cause] for cause in cause_names() if counted.outcomes[cause]}
    listed = ", ".join(f"{counts[cause]} {spelled(cause)}" for cause in sorted(counts, key=lambda each: -counts[each]))
    return headline(variant, counted) + (f": {listed}" if listed else "")


def percent(share: float) -> str:
    """A share as whole percents."""
    return f"{100 * share:.0f}"
