"""Make the tables of a study. They compare each cell with the reference, which is the cell that changes nothing."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from pipeline.diagnosis.causes import cause_names
from pipeline.diagnosis.theory import Premises, born_dead_bound
from pipeline.evaluation.effects import REFERENCE, effect, written
from pipeline.evaluation.intervals import difference
from pipeline.evaluation.summary import QUARTILES
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.file import Plain
from pipeline.params.params import AnyRecipe
from pipeline.params.variant_params import VariantParams


def cells_table(
    evaluations: Mapping[str, VariantEvaluation],
    variants: Mapping[str, AnyRecipe],
    premises: Mapping[str, Premises],
    changes: Mapping[str, Mapping[str, Plain]],
    extra_epochs: Mapping[str, int],
) -> pd.DataFrame:
    """Return a table with one row per cell, in the study's order.

    `difference` is the cell's learned share minus the reference's, with Newcombe's 95% interval (unpaired); `effect`
    follows from that interval. `alive_bound` is theory's lower bound for the share of replicas without a dead layer
    before training; it is empty if theory has none.

    Args:
        evaluations: the evaluation of each cell. The keys of all maps are the names of the cells.
        variants: the recipe of each cell.
        premises: which statements of theory apply to each cell.
        changes: the new value of each parameter that a cell changes; empty for the reference.
        extra_epochs: the epochs of pre-training of each cell.
    """
    reference = next(name for name, of_cell in changes.items() if not of_cell)
    rows = []
    for name, evaluation in evaluations.items():
        metrics = evaluation.metrics
        from_reference, low, high = difference(*evaluation.learned, *evaluations[reference].learned)
        rows.append(
            {
                "cell": name,
                "changes": "; ".join(f"{key}: {written(value)}" for key, value in changes[name].items()),
                "replicas": metrics.replicas,
                "learned": metrics.learned.count,
                "learned_rate": metrics.learned.rate,
                "learned_low": metrics.learned.interval.low,
                "learned_high": metrics.learned.interval.high,
                "difference": from_reference,
                "difference_low": low,
                "difference_high": high,
                "effect": REFERENCE if name == reference else effect(low, high),
                "extra_epochs": extra_epochs[name],
                "alive_bound": _alive_bound(variants[name], premises[name]),
                f"{evaluation.final}_median": metrics.scores[evaluation.final].median,
                "epochs_to_learn_median": metrics.epochs_to_learn.median,
                **{cause: metrics.outcomes[cause] for cause in cause_names()},
            }
        )
    return pd.DataFrame(rows)


def _alive_bound(variant: AnyRecipe, premises: Premises) -> float | None:
    if not premises.born_dead or not isinstance(variant, VariantParams):
        return None
    return round(1 - born_dead_bound(variant.widths), 6)


def ranked(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells sorted by `difference`, greatest first; ties keep the study's order."""
    return cells.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def pretraining_table(histories: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Return the pre-training losses, one row per cell, hidden layer and epoch: quartiles over replicas."""
    tables = {}
    for name, history in histories.items():
        quartiles = history.loss.quantile(list(QUARTILES.values()), "replica")
        columns = {f"loss_{quartile}": row.to_series() for quartile, row in zip(QUARTILES, quartiles, strict=True)}
        tables[name] = pd.DataFrame(columns).map(lambda loss: float(f"{loss:.7g}")).reset_index()
    return stacked(tables)


def stacked(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the tables of all cells as one, with the cell's name as first column."""
    with_names = [part.assign(cell=name)[["cell", *part.columns]] for name, part in parts.items()]
    return pd.concat(with_names, ignore_index=True)
