"""The verdict in plain words: derived from counts and evidence, so it changes when they do."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.diagnosis.causes import CAUSES, LEARNED
from pipeline.diagnosis.theory import Band, gradient_band


def outcomes(replicas: pd.DataFrame) -> dict[str, int]:
    """How many replicas learned, and how many have each cause: {"learned": 3, "born_dead": 10, ...}."""
    counts = {LEARNED: int((replicas.outcome == LEARNED).sum())}
    return counts | {cause: int((replicas.cause == cause).sum()) for cause in CAUSES}


def main_cause(counts: Mapping[str, int]) -> str | None:
    """The cause of most replicas that did not learn, ties by precedence; None where all learned."""
    most = max(counts[cause] for cause in CAUSES)
    return next(cause for cause in CAUSES if counts[cause] == most) if most else None


def verdict(
    name: str, replicas: pd.DataFrame, interval: Sequence[float], units: Sequence[int], loss: float, bound: float | None
) -> str:
    """The sentences, without remedies.

    Args:
        replicas: outcome, cause and evidence, a row a replica.
        interval: 95%, of the learned share. units: of each hidden layer. loss: of the best constant prediction.
        bound: the most that theory allows to be born dead; None where it says nothing.
    """
    counts, total = outcomes(replicas), len(replicas)
    low, high = (f"{100 * end:.0f}" for end in interval)
    sentences = [f"{name}: {learn(counts[LEARNED], total, 'replicas')} ({low} to {high}%)."]
    causes = [_SAY[cause](replicas[replicas.cause == cause], bound) for cause in CAUSES if counts[cause]]
    if causes:
        sentences.append(f"{_listed(causes)}.")
        sentences.append(_about_vanishing(counts, replicas, units, loss))
    return " ".join(sentence for sentence in sentences if sentence)


def learn(count: int, total: int, what: str = "") -> str:
    """ "1 of 30 learns", "2 of 30 replicas learn"."""
    return " ".join([f"{count} of {total}", *([what] if what else []), "learns" if count == 1 else "learn"])


def untrained(name: str, replicas: pd.DataFrame) -> str:
    """What can be said before the first step: there is no outcome yet, and some causes are there already."""
    counts = {cause: int((replicas.cause == cause).sum()) for cause in ("born_dead", "saturated", "vanishing")}
    listed = _listed([f"{count} {cause.replace('_', ' ')}" for cause, count in counts.items()])
    return f"{name}: {len(replicas)} replicas, not trained. Before the first step {listed}."


def _about_vanishing(counts: Mapping[str, int], replicas: pd.DataFrame, units: Sequence[int], loss: float) -> str:
    """Whether small gradients are to blame: the question that everybody asks first."""
    failed = sum(counts[cause] for cause in CAUSES)
    chief = main_cause(counts)
    if chief is None or chief == "vanishing":
        found = replicas[replicas.cause == "vanishing"].gradient_scale.median() * loss
        return f"This is a vanishing gradient: {_scale(found, gradient_band(units, loss))}."
    how_many = "none" if not counts["vanishing"] else f"only {counts['vanishing']}"
    return f"This is not mainly a vanishing gradient ({how_many} of the {failed} failures): {_WHY[chief]}."


def _scale(found: float, band: Band) -> str:
    return (
        f"the largest mean |gradient| of a hidden layer is {found:.1g} throughout; depth and width alone predict "
        f"{band.median:.1g} before training ({band.low:.0g} to {band.high:.0g}) for rectified units"
    )


def _exploding(rows: pd.DataFrame, bound: float | None) -> str:
    broken = rows.nonfinite_epoch.dropna()
    when = f"not finite from epoch {broken.median():.0f} on (median)" if len(broken) else "finite throughout"
    growth = rows.loss_growth.max()
    grown = "" if pd.isna(growth) else f"loss up to {growth:.2g} times a constant guess's; "
    return f"{_counted(rows)} exploded ({grown}{when})"


def _born_dead(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.dead_layer.median()
    theory = "" if bound is None else f"; theory allows at most {100 * bound:.0f}% for rectified units"
    return (
        f"{_counted(rows)} {_verb(len(rows), 'was', 'were')} born dead (layer {layer:.0f} in the median: zero on every "
        f"training input before the first step{theory})"
    )


def _died(rows: pd.DataFrame, bound: float | None) -> str:
    after, by = (f"{epochs.median():.0f}" for epochs in (rows.died_after, rows.died_by))
    when = f"at epoch {by}" if after == by else f"between epochs {after} and {by}"
    return f"{_counted(rows)} died in training (median: {when})"


def _saturated(rows: pd.DataFrame, bound: float | None) -> str:
    layer, share = rows.saturated_layer.median(), 100 * rows.saturated_share.median()
    return f"{_counted(rows)} {_verb(len(rows), 'is', 'are')} saturated (layer {layer:.0f}: {share:.0f}% of its units)"


def _vanishing(rows: pd.DataFrame, bound: float | None) -> str:
    ratio, scale = rows.gradient_ratio.median(), rows.gradient_scale.median()
    return (
        f"{_counted(rows)} {_verb(len(rows), 'has', 'have')} a vanishing gradient (median: the smallest hidden layer's "
        f"is {ratio:.1g} of the output layer's, the largest {scale:.1g} of a constant guess's loss)"
    )


def _slow(rows: pd.DataFrame, bound: float | None) -> str:
    fall = 100 * rows.loss_fall.median()
    return f"{_counted(rows)} {_verb(len(rows), 'is', 'are')} slow (loss still falling by {fall:.1f}% at the end)"


def _stuck(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{_counted(rows)} {_verb(len(rows), 'is', 'are')} alive but stuck"


def _counted(rows: pd.DataFrame) -> str:
    return str(len(rows))


def _verb(count: int, one: str, many: str) -> str:
    """is / are."""
    return one if count == 1 else many


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_SAY = {
    "exploding": _exploding,
    "born_dead": _born_dead,
    "died_in_training": _died,
    "saturated": _saturated,
    "vanishing": _vanishing,
    "slow": _slow,
    "stuck": _stuck,
}
_WHY = {
    "exploding": "it grows without bound",
    "born_dead": "a dead layer passes none at all",
    "died_in_training": "a dead layer passes none at all, however large it is elsewhere",
    "saturated": "units sit where their activation is flat",
    "slow": "gradients arrive, and the loss still falls",
    "stuck": "gradients arrive, and lead nowhere",
}
