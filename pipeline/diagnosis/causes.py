"""The table of causes, by precedence: why a replica did not learn.

The modules of `rules` hold a row for each cause, by subject, with all that is known about it. A replica that did not
learn has exactly one cause, and perhaps a symptom that the cause explains; if the rules of other causes hold, these are
alarms. To add a cause, add a row to one of these modules and put it into TABLE; counts, verdicts, colours, pages and
MLflow follow.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from pipeline.diagnosis.palette import BLUE
from pipeline.diagnosis.rules import (
    data_rules,
    dead_layer_rules,
    inference_rules,
    label_rules,
    model_rules,
    optimisation_rules,
    row_rules,
    signal_rules,
    step_rules,
    time_rules,
    unexplained_rule,
)
from pipeline.diagnosis.rules.cause import Advice, Cause, Evidence, Limit, is_misfit, number
from pipeline.diagnosis.setting import Setting
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import measured, recipe_changes
from pipeline.remedies.recipe_changes import RecipeChange

LEARNED: Final = "learned"
NOT_LEARNED: Final = "not_learned"
NO_CAUSE: Final = "none"
UNEXPLAINED: Final = unexplained_rule.UNEXPLAINED.name
FORMER_NAMES: Final = {"stuck": UNEXPLAINED}  # names in older tables and MLflow runs, and today's names
CLOSEST: Final = 2  # conditions to show for an unexplained failure
FAR: Final = 0.2  # a condition is not shown if its number is below this share of its threshold


class Suggestion(NamedTuple):
    """Advice against a cause, with the remedies that make the change, the most promising first."""

    words: str
    remedies: list[str]


def cause_names() -> tuple[str, ...]:
    """Return the names of the causes, by precedence."""
    return tuple(cause.name for cause in TABLE)


def symptom_names() -> list[str]:
    """Return the names of the causes that are symptoms, by precedence: the family `signals`."""
    return [cause.name for cause in TABLE if cause.family == "signals"]


def outcome_names() -> tuple[str, ...]:
    """Return the names of all outcomes: `learned`, then the causes by precedence."""
    return (LEARNED, *cause_names())


def outcome_colours() -> dict[str, str]:
    """Return the colour of each outcome, in the order of `outcome_names`."""
    return {LEARNED: BLUE, **{cause.name: cause.colour for cause in TABLE}}


def alarms(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Return which alarms hold, bool, one row per replica and one column per cause with `alarm`."""
    return _holding(evidence, params)[[cause.name for cause in TABLE if cause.alarm]]


def diagnose(learned: np.ndarray, evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Return each replica's outcome, cause and the symptom that the cause explains, one row per replica.

    A replica that learned has no cause and no symptom.

    Args:
        learned: bool [replica].
        evidence: the evidence of the same replicas.
    """
    holds = _holding(evidence, params)
    symptoms = symptom_names()
    cause = np.select([holds[name].to_numpy() for name in holds], list(holds), default=NO_CAUSE)
    symptom = np.select([holds[name].to_numpy() for name in symptoms], symptoms, default=NO_CAUSE)
    has_symptom = ~learned & ~np.isin(cause, symptoms)
    return pd.DataFrame(
        {
            "outcome": np.where(learned, LEARNED, NOT_LEARNED),
            "cause": np.where(learned, NO_CAUSE, cause),
            "symptom": np.where(has_symptom, symptom, NO_CAUSE),
        }
    )


def _holding(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Return which causes hold, bool, one row per replica and one column per cause.

    A cause with `needs_misfit` does not hold where the training loss fell well below the baseline loss: confident
    predictions saturate units, and a network that fits has small gradients and has coped with the scale of its data.
    """
    harms = is_misfit(evidence, params)
    return pd.DataFrame(
        {
            cause.name: (holds & harms if cause.needs_misfit else holds).astype(bool)
            for cause in TABLE
            for holds in [cause.rule(evidence, params)]
        }
    )


def all_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of replicas of each outcome; a file of an older version has former names, and fewer names."""
    renamed = {FORMER_NAMES.get(name, name): count for name, count in counts.items()}
    return dict.fromkeys(outcome_names(), 0) | renamed


def outcomes(replicas: pd.DataFrame) -> pd.Series:
    """Return the outcome of each replica by name: `learned`, or the replica's cause.

    Args:
        replicas: a table with the columns `outcome` and `cause`, one row per replica.
    """
    return replicas.cause.where(replicas.outcome != LEARNED, LEARNED)


def suggest(name: str, recipe: VariantParams | NetworkRecipe, epochs: int) -> list[RecipeChange]:
    """Return the changes of a variant that may remove a cause, the most promising first.

    Changes that the variant has already are left out.

    Args:
        name: the cause.
        recipe: the resolved variant. For a user's own network the list is empty, as no parameter is a remedy.
        epochs: the epochs of the training.
    """
    if isinstance(recipe, NetworkRecipe):
        return []
    return recipe_changes.changes(named(name).remedies, recipe, epochs)


def tries(name: str, setting: Setting) -> list[str]:
    """Return the advice against a cause that fits a user's own network, in words.

    The advice that helped most in our benchmark comes first.
    """
    here = setting.at(named(name).layer)
    return [_words(name, advice) for advice in _best_first(name) if advice.fits(here)]


def suggestions(name: str) -> list[Suggestion]:
    """Return all advice against a cause in the order of `tries`, whatever the network."""
    advice = _best_first(name)
    return [Suggestion(_words(name, each), measured.best_first(name, each.remedies)) for each in advice]


def network_remedies(*names: str) -> list[str]:
    """Return the remedies of any Keras model against some causes, each remedy once, in the order of `tries`."""
    lists = (measured.best_first(name, advice.remedies) for name in names for advice in _best_first(name))
    return list(dict.fromkeys(chain.from_iterable(lists)))


def _best_first(name: str) -> list[Advice]:
    """Return the advice against a cause, sorted by how often its best remedy helped in our benchmark.

    Advice without a remedy ranks as the advice before it does, but not above a remedy that nobody tried.
    """
    promises: list[float] = []
    for advice in named(name).advice:
        of_remedies = [measured.counts(name, remedy).promise for remedy in advice.remedies]
        promises.append(max(of_remedies, default=min(0.5, *promises[-1:], 0.5)))
    order = sorted(range(len(promises)), key=promises.__getitem__, reverse=True)
    return [named(name).advice[position] for position in order]


def _words(name: str, advice: Advice) -> str:
    """Return the words of an advice, and how often its best remedy fixed a failing run."""
    for remedy in measured.best_first(name, advice.remedies)[:1]:
        learned, runs = measured.counts(name, remedy)
        if runs:
            return f"{advice.words} (fixed {learned} of {runs} failing runs in our benchmark)"
    return advice.words


def named(name: str) -> Cause:
    """Return the row of a cause by its name."""
    return next(each for each in TABLE if each.name == name)


def closest(evidence: Evidence, params: DiagnosisParams) -> str:
    """Return a sentence on the conditions that came nearest to their thresholds in a replica; "" if none is near."""
    limits = [(limit.nearness(evidence, params), cause.name, limit) for cause in TABLE for limit in cause.limits]
    nearest: dict[str, Limit] = {}  # by cause
    for _, name, limit in sorted((each for each in limits if each[0] >= FAR), key=lambda each: -each[0]):
        nearest.setdefault(name, limit)
    parts = [
        f"{spelled(name)} (`{limit.column}` is {number(evidence, limit.column):.2g}, the limit is "
        f"{getattr(params, limit.threshold):g})"
        for name, limit in list(nearest.items())[:CLOSEST]
    ]
    return f"Closest to a limit: {' and '.join(parts)}." if parts else ""


def spelled(outcome: str) -> str:
    """Return the name of an outcome in words: "born dead" for "born_dead"."""
    return outcome.replace("_", " ")


# By precedence: an earlier cause explains a later one, so faults of data, model or steps come before symptoms. The rule
# of the last row always holds.
TABLE: tuple[Cause, ...] = (
    data_rules.NON_FINITE_DATA,
    model_rules.OUTPUT_MISMATCH,
    model_rules.SYMMETRIC,
    step_rules.LOST_UPDATES,
    step_rules.UNTRACKED_WEIGHTS,
    row_rules.OUTLIER_ROWS,  # one long row spoils the averages of batch normalisation
    inference_rules.BATCH_STATISTICS,
    data_rules.UNSCALED_TARGETS,
    data_rules.UNSCALED_INPUTS,
    row_rules.SHIFTED_VALIDATION,
    inference_rules.OVERFITTING,
    model_rules.FROZEN,
    row_rules.ORDERED_BATCHES,
    row_rules.SHUFFLED_STATE,
    label_rules.UNRELATED_LABELS,
    step_rules.OVER_REGULARISED,
    row_rules.UNMASKED_PADDING,
    optimisation_rules.LEARNING_RATE_TOO_LARGE,
    model_rules.DEAD_OUTPUT,
    signal_rules.EXPLODING,
    dead_layer_rules.BORN_DEAD,
    dead_layer_rules.DIED_IN_TRAINING,
    signal_rules.SATURATED,
    signal_rules.VANISHING,
    step_rules.LEARNING_RATE_ENDED,
    step_rules.STOPPED_EARLY,
    optimisation_rules.LEARNING_RATE_TOO_SMALL,
    optimisation_rules.TOO_FEW_EPOCHS,
    label_rules.IMBALANCED,
    row_rules.NO_SIGNAL,
    time_rules.EXPLODING_IN_TIME,  # a profile is no proof, so nothing else may explain the failure
    time_rules.VANISHING_IN_TIME,
    unexplained_rule.UNEXPLAINED,
)
