"""Exactly one cause for each replica that did not learn; the conditions of the others are kept as alarms."""

from typing import Final

import numpy as np
import pandas as pd

from pipeline.params.diagnosis import DiagnosisParams

LEARNED: Final = "learned"
NOT_LEARNED: Final = "not_learned"
NO_CAUSE: Final = "none"
# By precedence: what comes first explains what comes later. `stuck` is what remains.
ALARMS: Final = ("exploding", "born_dead", "died_in_training", "saturated", "vanishing")
CAUSES: Final = (*ALARMS, "slow", "stuck")
FATES: Final = (LEARNED, *CAUSES)


def alarms(evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Which conditions hold, bool: a row a replica, a column for each of ALARMS.

    Each is wrong in itself, also in a replica that learned in spite of it; a loss that still falls is not.
    """
    dead = evidence.dead_layer.notna()
    vanishing_layer = evidence.gradient_ratio < params.vanishing_ratio
    vanishing_all = evidence.gradient_scale < params.vanishing_scale
    return pd.DataFrame(
        {
            "exploding": evidence.nonfinite_epoch.notna() | (evidence.loss_growth > params.explosion_growth),
            "born_dead": dead & (evidence.born_dead == 1),
            "died_in_training": dead & (evidence.born_dead != 1),
            "saturated": evidence.saturated_share > params.saturated_share,
            "vanishing": ~dead & (vanishing_layer | vanishing_all),
        }
    )


def diagnose(learned: np.ndarray, evidence: pd.DataFrame, params: DiagnosisParams) -> pd.DataFrame:
    """Outcome and cause, a row a replica; a replica that learned has none.

    Args:
        learned: bool [replica]. evidence: of the same replicas.
    """
    raised = alarms(evidence, params)
    conditions = [*(raised[cause].to_numpy() for cause in ALARMS), (evidence.loss_fall > params.slow_fall).to_numpy()]
    cause = np.select(conditions, CAUSES[:-1], default=CAUSES[-1])
    return pd.DataFrame(
        {"outcome": np.where(learned, LEARNED, NOT_LEARNED), "cause": np.where(learned, NO_CAUSE, cause)}
    )


def fates(replicas: pd.DataFrame) -> pd.Series:
    """What became of each replica, in one word: `learned`, or its cause.

    Args:
        replicas: with the columns `outcome` and `cause`, a row a replica.
    """
    return replicas.cause.where(replicas.outcome != LEARNED, LEARNED)


def spelled(outcome: str) -> str:
    """ "born_dead" -> "born dead"."""
    return outcome.replace("_", " ")
