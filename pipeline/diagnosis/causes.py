"""The table of causes: why a replica did not learn, by precedence.

All that is known of a cause stands in its row, in `rules`, by family. A replica that did not learn has exactly one
cause, and the symptom that it explains; the conditions of the other causes are kept as alarms. A new cause is a row
there and its place in TABLE: counts, verdicts, colours, pages and MLflow follow.
"""

from itertools import chain
from typing import Final

import numpy as np
import pandas as pd

from pipeline.diagnosis.rules import data_rules, inference_rules, model_rules, optimisation_rules, signal_rules
from pipeline.diagnosis.rules.cause import Advice, Cause
from pipeline.diagnosis.setting import Setting
from pipeline.foundations.colours import BLUE
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import measured, recipe_changes
from pipeline.remedies.recipe_changes import RecipeChange

LEARNED: Final = "learned"
NOT_LEARNED: Final = "not_learned"
NO_CAUSE: Final = "none"


def cause_names() -> tuple[str, ...]:
    """Return the names of the causes, by precedence."""
    return tuple(cause.name for cause in TABLE)


def symptom_names() -> list[str]:
    """Return the names of the causes that say what the signals do, by precedence."""
    return [cause.name for cause in TABLE if cause.family == "signals"]


def outcome_names() -> tuple[str, ...]:
    """Return all that may become of a replica: `learned`, then the causes by precedence."""
    return (LEARNED, *cause_names())


def outcome_colours() -> dict[str, str]:
    """Return the colour of each outcome, in their order."""
    return {LEARNED: BLUE, **{cause.name: cause.colour for cause in TABLE}}


def alarms(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Return which conditions hold, bool: one row per replica, one column per cause that is an alarm.

    A symptom is no alarm where the loss fell all the same: units of a certain prediction are saturated, and a network
    that fits has small gradients.
    """
    is_fitted = evidence.train_fit > params.harmless_fit
    conditions = {cause.name: cause.rule(evidence, params) for cause in TABLE if cause.alarm}
    symptoms = symptom_names()
    return pd.DataFrame({name: holds & ~is_fitted if name in symptoms else holds for name, holds in conditions.items()})


def diagnose(learned: np.ndarray, evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Return outcome, cause and the symptom that it explains, one row per replica; a replica that learned has no cause.

    Args:
        learned: bool [replica]. evidence: of the same replicas.
    """
    holds = {cause.name: cause.rule(evidence, params).to_numpy(bool) for cause in TABLE}
    symptoms = symptom_names()
    cause = np.select(list(holds.values()), list(holds), default=NO_CAUSE)  # the last one always holds
    symptom = np.select([holds[name] for name in symptoms], symptoms, default=NO_CAUSE)
    differs = ~learned & ~np.isin(cause, symptoms)
    return pd.DataFrame(
        {
            "outcome": np.where(learned, LEARNED, NOT_LEARNED),
            "cause": np.where(learned, NO_CAUSE, cause),
            "symptom": np.where(differs, symptom, NO_CAUSE),
        }
    )


def outcomes(replicas: pd.DataFrame) -> pd.Series:
    """Return what became of each replica, in one word: `learned`, or its cause.

    Args:
        replicas: with the columns `outcome` and `cause`, one row per replica.
    """
    return replicas.cause.where(replicas.outcome != LEARNED, LEARNED)


def suggest(name: str, recipe: VariantParams | NetworkRecipe, epochs: int) -> list[RecipeChange]:
    """Return the changes of a described variant against a cause, the most promising first, without what it has already.

    Args:
        recipe: the resolved variant; of a network's own recipe no parameter is a remedy. epochs: of the training.
    """
    if isinstance(recipe, NetworkRecipe):
        return []
    return recipe_changes.changes(named(name).remedies, recipe, epochs)


def tries(name: str, setting: Setting) -> list[str]:
    """Return what to try against a cause in a network of one's own, in words: only what fits its inputs and layers, and
    what helped most in our benchmark first."""
    here = setting.at(named(name).layer)
    return [_words(name, advice) for advice in _best_first(name) if advice.fits(here)]


def network_remedies(*names: str) -> list[str]:
    """Return the remedies of any Keras model that are suggested against causes, each once, in the order of `tries`."""
    lists = (measured.best_first(name, advice.remedies) for name in names for advice in _best_first(name))
    return list(dict.fromkeys(chain.from_iterable(lists)))


def _best_first(name: str) -> list[Advice]:
    """Return the advice in the order of what its remedies did; advice without one stays behind what it follows."""
    promises: list[float] = []
    for advice in named(name).advice:
        known = [measured.counts(name, remedy).promise for remedy in advice.remedies]
        promises.append(max(known, default=min(0.5, *promises[-1:], 0.5)))
    order = sorted(range(len(promises)), key=promises.__getitem__, reverse=True)
    return [named(name).advice[place] for place in order]


def _words(name: str, advice: Advice) -> str:
    """Return the words with the counts of the best of its remedies."""
    for remedy in measured.best_first(name, advice.remedies)[:1]:
        learned, runs = measured.counts(name, remedy)
        if runs:
            return f"{advice.words} (fixed {learned} of {runs} failing runs in our benchmark)"
    return advice.words


def named(name: str) -> Cause:
    """Return the row of a cause."""
    return next(each for each in TABLE if each.name == name)


def spelled(outcome: str) -> str:
    """Return the words of an outcome: "born_dead" -> "born dead"."""
    return outcome.replace("_", " ")


# By precedence: an earlier cause explains a later one. Faults of data, model or steps come before the symptoms that
# they explain. The last row is what remains, and always holds.
TABLE: tuple[Cause, ...] = (
    data_rules.NON_FINITE_DATA,
    model_rules.OUTPUT_MISMATCH,
    model_rules.SYMMETRIC,
    inference_rules.BATCH_STATISTICS,
    data_rules.UNSCALED_TARGETS,
    data_rules.UNSCALED_INPUTS,
    data_rules.IMBALANCED,
    inference_rules.OVERFITTING,
    model_rules.FROZEN,
    data_rules.UNRELATED_LABELS,
    optimisation_rules.LEARNING_RATE_TOO_LARGE,
    model_rules.DEAD_OUTPUT,
    signal_rules.EXPLODING,
    signal_rules.BORN_DEAD,
    signal_rules.DIED_IN_TRAINING,
    signal_rules.SATURATED,
    signal_rules.VANISHING,
    optimisation_rules.LEARNING_RATE_TOO_SMALL,
    optimisation_rules.TOO_FEW_EPOCHS,
    optimisation_rules.STUCK,
)
