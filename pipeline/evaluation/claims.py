"""Compare the tutorial's claims, from one run of each network, with measurements of many replicas."""

from collections.abc import Iterator, Mapping

import pandas as pd

from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.summary import percent, quartiles
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison_params import ComparisonParams, GradientClaim, TutorialClaim

COLUMNS = ["about", "tutorial", "measured", "reading"]


def table(params: ComparisonParams, evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """Return the table of claims, one row per claim, with the columns COLUMNS."""
    rows = [row for name, claim in params.claims.items() for row in _about_variant(name, claim, evaluations[name])]
    if params.gradient_claim is not None:
        rows += _about_gradients(params.gradient_claim, evaluations)
    return pd.DataFrame(rows, columns=COLUMNS)


def _about_variant(
    name: str, claim: TutorialClaim, evaluation: VariantEvaluation
) -> Iterator[tuple[str, str, str, str]]:
    if claim.learns is not None:
        yield _learns(name, claim.learns, evaluation)
    for part in ("train", "test"):
        stated = getattr(claim, f"{part}_accuracy")
        if stated is not None:
            yield _accuracy(name, part, stated, evaluation)
    if claim.converged_by_epoch is not None:
        yield _convergence(name, claim.converged_by_epoch, evaluation)


def _learns(name: str, learns: bool, evaluation: VariantEvaluation) -> tuple[str, str, str, str]:
    count, total = evaluation.learned
    low, high = wilson(count, total)
    measured = f"{learn(count, total, 'replicas')} ({percent(low)} to {percent(high)}%)"
    usual = (
        "most replicas learn"
        if low > 0.5
        else "most replicas do not"
        if high < 0.5
        else "unclear whether most replicas learn"
    )
    agreeing = total - count if not learns else count
    reading = f"{usual}; {agreeing} of {total} single runs would have shown the tutorial's result"
    return f"{name} learns", "yes" if learns else "no", measured, reading


def _accuracy(name: str, part: str, stated: float, evaluation: VariantEvaluation) -> tuple[str, str, str, str]:
    values = evaluation.replicas[f"{part}_accuracy"]
    low, high = values.min(), values.max()
    spread = quartiles(values)
    measured = f"median {spread.median:.3f}, quartiles {spread.q25:.3f} to {spread.q75:.3f}"
    place = "within" if low <= stated <= high else "outside"
    return (
        f"{name}: {part} accuracy",
        f"{stated:.3f}",
        measured,
        f"{place} the range of {len(values)} replicas, {low:.3f} to {high:.3f}",
    )


def _convergence(name: str, epoch: int, evaluation: VariantEvaluation) -> tuple[str, str, str, str]:
    accuracy = evaluation.curves.set_index("epoch").test_accuracy_median
    stated, last = f"by about epoch {epoch}", int(accuracy.index[-1])
    if epoch > last:
        return f"{name} converges", stated, f"trained for {last} epochs", "too few epochs to tell"
    epochs = evaluation.replicas.epochs_to_learn.dropna()
    count = int((epochs <= epoch).sum())
    measured = f"median test accuracy {accuracy[epoch]:.3f} at epoch {epoch}, {accuracy[last]:.3f} at epoch {last}"
    reading = f"{count} of the {len(epochs)} replicas that learned stayed above the threshold from epoch {epoch} on"
    return f"{name} converges", stated, measured, reading


def _about_gradients(
    claim: GradientClaim, evaluations: Mapping[str, VariantEvaluation]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield two rows on the gradient of the first layer: before training, and at the last epoch.

    The gradients are medians over living replicas.
    """
    about = f"the first layer of {claim.more} has a larger gradient than the first layer of {claim.less}"
    for column, is_last, when in (
        ("probe_gradient_mean_abs_median", False, "at epoch 0, full training set"),
        ("gradient_mean_abs_median", True, "at the last epoch, mean over batches"),
    ):
        more, less = (_first_layer(evaluations[name], column, is_last) for name in (claim.more, claim.less))
        if more is None or less is None:
            continue
        factor = max(more, less) / min(more, less)
        reading = "equal" if factor < 1.05 else f"{'larger' if more > less else 'smaller'}, by a factor of {factor:.2g}"
        yield f"{about}, {when}", "larger", f"{more:.2g} against {less:.2g} (median, living replicas)", reading


def _first_layer(evaluation: VariantEvaluation, column: str, is_last: bool) -> float | None:
    layer = evaluation.layers[evaluation.layers.layer == 1]
    row = layer[layer.epoch == (layer.epoch.max() if is_last else 0)].iloc[0]
    return float(row[column]) if row[column] > 0 else None
