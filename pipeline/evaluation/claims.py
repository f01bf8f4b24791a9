"""What the tutorial says beside what is measured. It ran each network once; here every number is of many replicas."""

from collections.abc import Iterator, Mapping

import pandas as pd

from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation.intervals import wilson
from pipeline.evaluation.summary import percent
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison_params import ComparisonParams, GradientClaim, TutorialClaim

COLUMNS = ["about", "tutorial", "measured", "reading"]


def table(params: ComparisonParams, evaluations: Mapping[str, VariantEvaluation]) -> pd.DataFrame:
    """One row per claim, with the columns COLUMNS."""
    rows: list[tuple[str, str, str, str]] = []
    for name, claim in params.claims.items():
        rows.extend(_about_variant(name, claim, evaluations[name]))
    if params.gradient_claim is not None:
        rows.extend(_about_gradients(params.gradient_claim, evaluations))
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
        else "these replicas do not tell whether most do"
    )
    agree = total - count if not learns else count
    reading = f"{usual}; {agree} of {total} single runs would have shown the tutorial's result"
    return f"{name} learns", "yes" if learns else "no", measured, reading


def _accuracy(name: str, part: str, stated: float, evaluation: VariantEvaluation) -> tuple[str, str, str, str]:
    values = evaluation.replicas[f"{part}_accuracy"]
    low, high = values.min(), values.max()
    q25, median, q75 = (round(float(values.quantile(share)), 6) for share in (0.25, 0.5, 0.75))
    measured = f"median {median:.3f}, quartiles {q25:.3f} to {q75:.3f}"
    inside = "within" if low <= stated <= high else "outside"
    return (
        f"{name}: {part} accuracy",
        f"{stated:.3f}",
        measured,
        f"{inside} the range of {len(values)} replicas, {low:.3f} to {high:.3f}",
    )


def _convergence(name: str, epoch: int, evaluation: VariantEvaluation) -> tuple[str, str, str, str]:
    accuracy = evaluation.curves.set_index("epoch").test_accuracy_median
    stated, last = f"by about epoch {epoch}", int(accuracy.index[-1])
    if epoch > last:
        return f"{name} converges", stated, f"trained for {last} epochs", "cannot be said"
    learned = evaluation.replicas.epochs_to_learn.dropna()
    by_then = int((learned <= epoch).sum())
    measured = f"median test accuracy {accuracy[epoch]:.3f} at epoch {epoch}, {accuracy[last]:.3f} at epoch {last}"
    reading = f"{by_then} of {len(learned)} that learned stayed above the threshold from epoch {epoch} on"
    return f"{name} converges", stated, measured, reading


def _about_gradients(
    claim: GradientClaim, evaluations: Mapping[str, VariantEvaluation]
) -> Iterator[tuple[str, str, str, str]]:
    """Medians over living replicas in the first layer: before training, then at the last epoch."""
    about = f"the first layer of {claim.more} gets more gradient than that of {claim.less}"
    for column, last, when in (
        ("probe_gradient_mean_abs_median", False, "at epoch 0, full training set"),
        ("gradient_mean_abs_median", True, "at the last epoch, mean over batches"),
    ):
        more, less = (_first_layer(evaluations[name], column, last) for name in (claim.more, claim.less))
        if more is None or less is None:
            continue
        factor = max(more, less) / min(more, less)
        reading = (
            "as much gradient" if factor < 1.05 else f"{'more' if more > less else 'less'}, by a factor of {factor:.2g}"
        )
        yield f"{about}, {when}", "more", f"{more:.2g} against {less:.2g} (median, living replicas)", reading


def _first_layer(evaluation: VariantEvaluation, column: str, last: bool) -> float | None:
    layer = evaluation.layers[evaluation.layers.layer == 1]
    row = layer[layer.epoch == (layer.epoch.max() if last else 0)].iloc[0]
    return float(row[column]) if row[column] > 0 else None
