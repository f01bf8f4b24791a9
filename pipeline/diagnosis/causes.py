"""The table of causes: why a replica did not learn. All that is known of a cause stands in its one row.

Exactly one cause for each replica that did not learn; the conditions of the others are kept as alarms. A new cause is a
row of TABLE, with its threshold in params.yaml where it needs one: counts, verdicts, colours, pages and MLflow follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pipeline.diagnosis import remedies
from pipeline.diagnosis.remedies import Remedies, Remedy
from pipeline.diagnosis.theory import is_rectified
from pipeline.foundations.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.networks import NetworkRecipe
from pipeline.params.variants import VariantParams

LEARNED: Final = "learned"
NOT_LEARNED: Final = "not_learned"
NO_CAUSE: Final = "none"


@dataclass(frozen=True)
class Cause:
    """A row of the table.

    name: as tables, tags and metrics have it.
    rule: takes the evidence (one row per replica) and the thresholds; returns one bool per replica.
    colour: in every figure and page, and of MLflow's runs; no other outcome's.
    sentence: takes the evidence of the replicas that have it and the highest share that theory allows to be born dead
        (None where it says nothing); returns a part of the verdict.
    remedies: takes the resolved variant and its epochs; returns remedies, the most promising first.
    instead: why this is not mainly a vanishing gradient, which everybody suspects first; None for that one itself.
    alarm: wrong in itself, also in a replica that learned in spite of it.
    at_start: can be told before the first step.
    """

    name: str
    rule: Callable[[pd.DataFrame, DiagnosisParams], pd.Series]
    colour: str
    sentence: Callable[[pd.DataFrame, float | None], str]
    remedies: Callable[[VariantParams, int], Remedies]
    instead: str | None
    alarm: bool = True
    at_start: bool = False


def cause_names() -> tuple[str, ...]:
    """By precedence."""
    return tuple(cause.name for cause in TABLE)


def outcome_names() -> tuple[str, ...]:
    """All that may become of a replica: `learned`, then the causes by precedence."""
    return (LEARNED, *cause_names())


def outcome_colours() -> dict[str, str]:
    """Of each outcome, in their order."""
    return {LEARNED: BLUE, **{cause.name: cause.colour for cause in TABLE}}


def alarms(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Which conditions hold, bool: one row per replica, one column per cause that is an alarm."""
    return pd.DataFrame({cause.name: cause.rule(evidence, params) for cause in TABLE if cause.alarm})


def diagnose(learned: np.ndarray, evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Outcome and cause, one row per replica; a replica that learned has none.

    Args:
        learned: bool [replica]. evidence: of the same replicas.
    """
    holds = [cause.rule(evidence, params).to_numpy(bool) for cause in TABLE]
    cause = np.select(holds, cause_names(), default=NO_CAUSE)  # the last one always holds
    return pd.DataFrame(
        {"outcome": np.where(learned, LEARNED, NOT_LEARNED), "cause": np.where(learned, NO_CAUSE, cause)}
    )


def outcomes(replicas: pd.DataFrame) -> pd.Series:
    """What became of each replica, in one word: `learned`, or its cause.

    Args:
        replicas: with the columns `outcome` and `cause`, one row per replica.
    """
    return replicas.cause.where(replicas.outcome != LEARNED, LEARNED)


def suggest(name: str, recipe: VariantParams | NetworkRecipe, epochs: int) -> list[Remedy]:
    """Remedies for a cause, most promising first; one that the variant has taken already is passed over.

    Args:
        recipe: the resolved variant; a network's remedies are no parameters. epochs: of the training.
    """
    if isinstance(recipe, NetworkRecipe):
        return []
    (cause,) = (each for each in TABLE if each.name == name)
    return remedies.not_taken(cause.remedies(recipe, epochs), recipe)


def spelled(outcome: str) -> str:
    """ "born_dead" -> "born dead"."""
    return outcome.replace("_", " ")


# What follows are the rows, cause by cause: rule, sentence, remedies.


def _explodes(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.nonfinite_epoch.notna() | (evidence.loss_growth > params.explosion_growth)


def _say_exploding(rows: pd.DataFrame, bound: float | None) -> str:
    broken = rows.nonfinite_epoch.dropna()
    when = f"not finite from epoch {broken.median():.0f} on (median)" if len(broken) else "finite throughout"
    growth = rows.loss_growth.max()
    grown = "" if pd.isna(growth) else f"loss up to {growth:.2g} times a constant guess's; "
    return f"{len(rows)} exploded ({grown}{when})"


def _against_exploding(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        remedies.smaller_steps(recipe, "smaller steps do not run away", "Pascanu et al. 2013, arXiv 1211.5063"),
        remedies.clipped(recipe, "no gradient is longer than 1"),
        remedies.scaled_kernels("signals keep their scale"),
        remedies.normalised("each layer's signals are brought back to one scale"),
    )


# Against dead layers the order of remedies is that of what was tried: the study `remedies` of params.yaml, on rectified
# networks of 20 hidden layers of 5 units, with what did not help there at the end. For the others it is the
# literature's.


def _is_dead(evidence: pd.DataFrame) -> pd.Series:
    return evidence.dead_layer.notna()


def _is_born_dead(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return _is_dead(evidence) & (evidence.born_dead == 1)


def _say_born_dead(rows: pd.DataFrame, bound: float | None) -> str:
    layer = rows.dead_layer.median()
    theory = "" if bound is None else f"; theory allows at most {100 * bound:.0f}% for rectified units"
    return (
        f"{len(rows)} {_verb(rows, 'was', 'were')} born dead (layer {layer:.0f} in the median: zero on every "
        f"training input before the first step{theory})"
    )


def _against_born_dead(recipe: VariantParams, epochs: int) -> Remedies:
    units = min(recipe.widths[1:] or recipe.widths)  # the first layer lives
    which = "a layer" if len(set(recipe.widths)) == 1 else "the narrowest layer"
    bounded = f"{which} is born dead with probability of at most 2^-{2 * units}, not 2^-{units}"
    reason = bounded if is_rectified(recipe) else "all units of a wider layer are seldom dead together"
    return (
        remedies.residual(recipe, "a path leads around a dead layer"),
        remedies.wider(recipe, reason, "Lu et al. 2020, arXiv 1903.06733"),
        *remedies.never_off(),
        remedies.asymmetric("one positive entry a unit keeps it on for some input"),
    )


def _died(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return _is_dead(evidence) & (evidence.born_dead != 1)


def _say_died(rows: pd.DataFrame, bound: float | None) -> str:
    after, by = (f"{epochs.median():.0f}" for epochs in (rows.died_after, rows.died_by))
    when = f"at epoch {by}" if after == by else f"between epochs {after} and {by}"
    return f"{len(rows)} died in training (median: {when})"


def _against_dying(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        remedies.residual(recipe, "a path leads around a dead layer"),
        remedies.wider(recipe, "all units of a wider layer seldom die together", "Lu et al. 2020"),
        *remedies.never_off(),
        remedies.smaller_steps(recipe, "a step too large can turn off a whole layer", "Lu et al. 2020"),
    )


def _is_saturated(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.saturated_share > params.saturated_share


def _say_saturated(rows: pd.DataFrame, bound: float | None) -> str:
    layer, share = rows.saturated_layer.median(), 100 * rows.saturated_share.median()
    return f"{len(rows)} {_verb(rows, 'is', 'are')} saturated (layer {layer:.0f}: {share:.0f}% of its units)"


def _against_saturation(recipe: VariantParams, epochs: int) -> Remedies:
    kept = "symmetric kernels of the right scale keep units where they have a slope"
    return (
        remedies.scaled_kernels(kept, output_too=True),
        remedies.rectified("it does not saturate; mind dead layers"),
        remedies.normalised("units are brought back to where they have a slope"),
    )


def _vanishes(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    in_a_layer = evidence.gradient_ratio < params.vanishing_ratio
    in_all = evidence.gradient_scale < params.vanishing_scale
    return ~_is_dead(evidence) & (in_a_layer | in_all)


def _say_vanishing(rows: pd.DataFrame, bound: float | None) -> str:
    ratio, scale = rows.gradient_ratio.median(), rows.gradient_scale.median()
    return (
        f"{len(rows)} {_verb(rows, 'has', 'have')} a vanishing gradient (median: the smallest hidden layer's "
        f"is {ratio:.1g} of the output layer's, the largest {scale:.1g} of a constant guess's loss)"
    )


def _against_vanishing(recipe: VariantParams, epochs: int) -> Remedies:
    doubled = f"{2 * recipe.units} units halve" if isinstance(recipe.units, int) else "twice the units halve"
    halved = f"gradients spread with depth over width: {doubled} it"
    return (
        remedies.rectified("a slope of 1 passes the error on"),
        remedies.wider(recipe, halved, "Hanin 2018, arXiv 1801.03744"),
        remedies.adam("its steps do not shrink with the gradient"),
        remedies.orthogonal("keeps lengths exactly"),
        remedies.residual(recipe, "an identity path passes the error on undiminished"),
        remedies.normalised("each layer's signals are brought back to one scale"),
        remedies.random_walk(recipe, "the gradient's length has no drift"),
        remedies.pretrained("layer_wise", "each layer learns while it is next to the output"),
    )


def _is_slow(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return evidence.loss_fall > params.slow_fall


def _say_slow(rows: pd.DataFrame, bound: float | None) -> str:
    fall = 100 * rows.loss_fall.median()
    return f"{len(rows)} {_verb(rows, 'is', 'are')} slow (loss still falling by {fall:.1f}% at the end)"


def _against_slowness(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        remedies.longer(epochs, "its loss still falls at the end"),
        remedies.adam("longer steps where gradients are small"),
    )


def _always(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.Series:
    return pd.Series(data=True, index=evidence.index)


def _say_stuck(rows: pd.DataFrame, bound: float | None) -> str:
    return f"{len(rows)} {_verb(rows, 'is', 'are')} alive but stuck"


def _against_being_stuck(recipe: VariantParams, epochs: int) -> Remedies:
    return (
        remedies.wider(recipe, "more ways out, and more to represent", "Hanin 2018, arXiv 1801.03744"),
        remedies.adam("leaves plateaus sooner"),
        remedies.rectified("another surface of the loss", "He et al. 2015"),
        remedies.pretrained("autoencoder", "starts from features of the inputs"),
    )


def _verb(rows: pd.DataFrame, one: str, many: str) -> str:
    """is / are."""
    return one if len(rows) == 1 else many


# By precedence: what comes first explains what comes later. The last one is what remains, and always holds.
TABLE: tuple[Cause, ...] = (
    Cause(
        "exploding",
        _explodes,
        BLACK,
        _say_exploding,
        _against_exploding,
        instead="it grows without bound",
    ),
    Cause(
        "born_dead",
        _is_born_dead,
        VERMILION,  # dead in warm colours
        _say_born_dead,
        _against_born_dead,
        instead="a dead layer passes none at all",
        at_start=True,
    ),
    Cause(
        "died_in_training",
        _died,
        ORANGE,
        _say_died,
        _against_dying,
        instead="a dead layer passes none at all, however large it is elsewhere",
    ),
    Cause(
        "saturated",
        _is_saturated,
        PURPLE,
        _say_saturated,
        _against_saturation,
        instead="units sit where their activation is flat",
        at_start=True,
    ),
    Cause(
        "vanishing",
        _vanishes,
        GREEN,
        _say_vanishing,
        _against_vanishing,
        instead=None,
        at_start=True,
    ),
    Cause(
        "slow",
        _is_slow,
        SKY,
        _say_slow,
        _against_slowness,
        instead="gradients arrive, and the loss still falls",
        alarm=False,  # a loss that still falls is nothing wrong in itself
    ),
    Cause(
        "stuck",
        _always,
        GREY,
        _say_stuck,
        _against_being_stuck,
        instead="gradients arrive, and lead nowhere",
        alarm=False,
    ),
)
