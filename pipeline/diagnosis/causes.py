"""The table of causes: why a replica did not learn, by precedence. All that is known of a cause stands in its row, in
`rules`, by family.

Exactly one cause for each replica that did not learn, and the symptom that it explains; the conditions of the others
are kept as alarms. A new cause is a row of TABLE, with its threshold in params.yaml where it needs one: counts,
verdicts, colours, pages and MLflow follow.
"""

from typing import Final

import numpy as np
import pandas as pd

from pipeline.diagnosis.rules import data_rules, inference_rules, model_rules, optimisation_rules, signal_rules
from pipeline.diagnosis.rules.cause import Cause, Try
from pipeline.diagnosis.setting import Setting
from pipeline.foundations.colours import BLUE
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.network_params import NetworkRecipe
from pipeline.params.variant_params import VariantParams
from pipeline.remedies import measured, recipe_remedies
from pipeline.remedies.recipe_remedies import Remedy

LEARNED: Final = "learned"
NOT_LEARNED: Final = "not_learned"
NO_CAUSE: Final = "none"


def cause_names() -> tuple[str, ...]:
    """By precedence."""
    return tuple(cause.name for cause in TABLE)


def symptom_names() -> list[str]:
    """Of the causes that say what the signals do, by precedence."""
    return [cause.name for cause in TABLE if cause.family == "signals"]


def outcome_names() -> tuple[str, ...]:
    """All that may become of a replica: `learned`, then the causes by precedence."""
    return (LEARNED, *cause_names())


def outcome_colours() -> dict[str, str]:
    """Of each outcome, in their order."""
    return {LEARNED: BLUE, **{cause.name: cause.colour for cause in TABLE}}


def alarms(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Which conditions hold, bool: one row per replica, one column per cause that is an alarm.

    A symptom is none where the loss fell all the same: units that are sure of their answer sit where they are flat, and
    a network that fits has small gradients.
    """
    came_through = evidence.train_fit > params.harmless_fit
    found = {cause.name: cause.rule(evidence, params) for cause in TABLE if cause.alarm}
    symptoms = symptom_names()
    return pd.DataFrame({name: holds & ~came_through if name in symptoms else holds for name, holds in found.items()})


def diagnose(learned: np.ndarray, evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Outcome, cause and the symptom that it explains, one row per replica; a replica that learned has none.

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
    return recipe_remedies.not_taken(named(name).remedies(recipe, epochs), recipe)


def tries(name: str, setting: Setting) -> list[str]:
    """Return what to try against a cause in a network of one's own, in words: only what fits its inputs and layers, and
    what helped most in our own runs first."""
    here = setting.at(named(name).layer)
    return [_said(name, each) for each in _by_promise(name) if each.fits(here)]


def network_remedies(name: str) -> list[str]:
    """The names of `remedies.keras_remedies` that are among it, in the same order."""
    listed = [remedy for each in _by_promise(name) for remedy in _ordered(name, each)]
    return list(dict.fromkeys(listed))


def _by_promise(name: str) -> list[Try]:
    """What nobody can try by itself stays behind what it is listed behind."""
    promises: list[float] = []
    for each in named(name).tries:
        known = [measured.counts(name, remedy).promise for remedy in each.remedies]
        promises.append(max(known, default=min(0.5, *promises[-1:], 0.5)))
    order = sorted(range(len(promises)), key=promises.__getitem__, reverse=True)
    return [named(name).tries[place] for place in order]


def _ordered(name: str, each: Try) -> list[str]:
    return sorted(each.remedies, key=lambda remedy: measured.counts(name, remedy).promise, reverse=True)


def _said(name: str, each: Try) -> str:
    """With the counts of the best of its remedies."""
    found = [measured.counts(name, remedy) for remedy in _ordered(name, each)[:1]]
    known = [f" (it learned in {each.learned} of {each.runs} runs of faulty programs)" for each in found if each.runs]
    return each.says + "".join(known)


def named(name: str) -> Cause:
    """The row of a cause."""
    return next(each for each in TABLE if each.name == name)


def spelled(outcome: str) -> str:
    """ "born_dead" -> "born dead"."""
    return outcome.replace("_", " ")


# By precedence: what comes first explains what comes later. A fault of data, model or steps comes before the symptoms
# that it explains. The last one is what remains, and always holds.
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
