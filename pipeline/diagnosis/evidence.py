"""Measure the evidence of each replica: numbers from its history, which the rules compare with thresholds.

Evidence depends only on recorded values and derivatives, not on the names of variants, activations or initialisers, so
any history has evidence. A value that was not recorded is missing there. "Throughout" means the median over time, in
which each recorded epoch counts for the epochs around it; so it describes most of the training. The baseline is the
best constant prediction, and the baseline loss is the loss of that prediction on the training set.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from pipeline.diagnosis.fit_facts import FIT_FACTS
from pipeline.diagnosis.layer_evidence import layer_columns
from pipeline.diagnosis.loss_evidence import loss_columns
from pipeline.diagnosis.setting import is_recurrent_kind, kind_of_layer
from pipeline.diagnosis.time_evidence import time_columns
from pipeline.history import record
from pipeline.params.diagnosis_params import DiagnosisParams

REPLICA_COLUMNS = (  # values of the record that are evidence as they are
    *("nonfinite_share", "input_scale", "input_decades", "target_scale"),
    *("targets_told", "targets_beyond", "output_misfit", "input_kind"),
)
COLUMNS = {
    "nonfinite_epoch": "first epoch with a loss, or a layer's gradient or weights, that is NaN or infinite",
    "loss_growth": "greatest training loss / baseline loss",
    "dead_layer": "lowest hidden layer that is dead at the end, without layers that a skip connection bypasses; a "
    "layer that was born dead comes first",
    "born_dead": "1 if a layer that is dead at the end was dead before the first step",
    "died_after": "last recorded epoch before the final dead stretch",
    "died_by": "first recorded epoch of the final dead stretch, in which some layer is always dead",
    "saturated_layer": "hidden layer with the largest `saturated_share`",
    "saturated_share": "share of a layer's (input, unit) pairs that are saturated, at the start or throughout: the "
    "larger of the two",
    "smallest_layer": "hidden layer with the smallest mean |gradient| throughout, without layers that a skip "
    "connection bypasses",
    "gradient_ratio": "mean |gradient| of `smallest_layer` / mean |gradient| of the output layer, throughout",
    "gradient_scale": "largest mean |gradient| of a hidden layer throughout / baseline loss",
    "gradient_profile": "largest quotient of a hidden layer's gradient and the next layer's, throughout: below 1 if "
    "gradients shrink in every layer; missing with fewer than three hidden layers, and with skip connections",
    "taken_gradient": "largest mean |gradient| that the optimizer got / baseline loss",
    "step_ratio": "mean |gradient| that the optimizer got / mean |gradient| of the probe, the median over layers and "
    "the first recorded epochs",
    "loss_fall": "relative fall of the training loss over the last epochs, 0 if it may be noise; with few epochs, only "
    "if every epoch lowered the loss",
    "fall_before": "`loss_fall` over the same number of epochs just before the last epochs",
    "first_change": "greatest change of a kernel over the first recorded epoch / size of the kernel before, both as L1 "
    "norms",
    "largest_change": "greatest L1 norm of a kernel's change over a recorded epoch; 0 if no kernel ever changed",
    "first_gradient": "largest mean |gradient| before the first step / baseline loss",
    "train_fit": "1 - training loss / baseline loss, at the end",
    "logged_fit": "`train_fit` for the loss that `fit` logged in training mode; only if nothing but the mode can make "
    "the two differ: a layer has modes (`has_modes` of the record), and the logged loss is of the same rows without "
    "weights (`logged_alike`)",
    "logged_gap": "`train_fit` for the loss that `fit` logged, whatever its rows and weights, less `train_fit`",
    "judged_fit": "`train_fit` on the judged part of the data; missing if that is the training set",
    "train_learned": "1 if the score on the training set is above the threshold of learning",
    "train_gain": "balanced accuracy on the training set, rescaled so that chance is 0 and perfect is 1; R² for a "
    "regression",
    "judged_gain": "`train_gain` on the judged part of the data; missing if that is the training set",
    "score_gap": "accuracy - balanced accuracy on the training set",
    "equal_layer": "lowest hidden layer of two units or more that are equal at the start, and at the end except for "
    "rounding",
    "frozen_layer": "lowest layer that has a gradient, but whose kernel or embedding's table never changed",
    "dead_output": "1 if every output is 0 with slope 0 on every training input at the end",
    "is_recurrent": "1 if a hidden layer is recurrent, else 0",
    "time_layer": "recurrent layer whose gradient changes most through time",
    "time_decades": "log10 of the greatest gradient of its time steps / the gradient at its earliest step (L2 norms by "
    "row), throughout: positive if the gradient shrinks on its way back, negative if it grows",
    "time_factor": "mean factor by which its gradient changes from a time step to the step before it, throughout",
    "time_reach": "number of its last time steps from the earliest one on that gets at least 0.1% of the greatest "
    "gradient, throughout",
    "time_steps": "number of its time steps",
    "reference_gain": "score of the better reference (a quick model on the same rows), rescaled so that chance is 0 "
    "and perfect is 1; only for inputs that are columns",
    "below_reference": "score of the better reference less the network's / how far guessing strays above chance on "
    "these rows: above 1, the difference is no noise",
    **{name: record.REPLICA_VALUES[name] for name in REPLICA_COLUMNS},
    **FIT_FACTS,
}
# If one of these columns is NaN, there is no such epoch or layer, provided that the record could show one.
NAN_IS_NONE = ("nonfinite_epoch", "dead_layer", "died_after", "died_by", "equal_layer", "frozen_layer")


def measure(
    history: xr.Dataset,
    params: DiagnosisParams,
    train_learned: np.ndarray | None = None,
    against_reference: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Return the evidence, one row per replica, with the columns COLUMNS; NaN where a number does not exist.

    Args:
        train_learned: bool [replica], whether the score on the training set is above the threshold of learning; None
            without a rule.
        against_reference: the columns `reference_gain` and `below_reference`; None without a reference.
    """
    columns = _measured(history, params) | dict(against_reference or {})
    if train_learned is not None:
        columns["train_learned"] = train_learned.astype(float)
    return pd.DataFrame(columns, columns=list(COLUMNS), index=range(history.sizes["replica"]))


def is_measured(history: xr.Dataset, params: DiagnosisParams) -> pd.DataFrame:
    """Return whether each number of the evidence is known, bool, with the columns COLUMNS.

    A missing epoch or layer (NAN_IS_NONE) counts as known if the record has the values that would show it.
    """
    columns = _measured(history, params)
    known = {
        name: np.full(len(values), True) if name in NAN_IS_NONE else ~np.isnan(values.astype(float))
        for name, values in columns.items()
    }
    return pd.DataFrame(known, columns=list(COLUMNS), index=range(history.sizes["replica"])).eq(True)


def _measured(history: xr.Dataset, params: DiagnosisParams) -> dict[str, np.ndarray]:
    """Return the evidence by column, [replica], without the columns that the record cannot show."""
    values = {name: history[name].values.astype(float) for name in REPLICA_COLUMNS if name in history}
    if record.task_of(history).is_classification:
        values.pop("target_scale", None)  # labels have no scale
    facts = {name: fact for name, fact in record.fit_facts(history).items() if name in FIT_FACTS}
    layers = layer_columns(history, params)
    is_recurrent = any(is_recurrent_kind(kind_of_layer(str(kind))) for kind in record.hidden(history).kind.values)
    structure = {"is_recurrent": np.full(history.sizes["replica"], float(is_recurrent))}
    through_time = time_columns(history)
    return loss_columns(history, params.slow_window) | layers | values | facts | structure | through_time
