"""The units of the evidence, for readers of the report for machines."""

from typing import Final

from pipeline.diagnosis import evidence
from pipeline.diagnosis.fit_facts import FIT_TEXTS

_BY_UNIT: Final = {
    "epoch": ("nonfinite_epoch", "died_after", "died_by"),
    "epochs": ("epochs_asked", "epochs_run", "stop_patience"),
    "rows": ("batch_rows",),
    "classes": ("class_weight_unknown",),
    "path": ("dead_layer", "saturated_layer", "smallest_layer", "equal_layer", "frozen_layer", "time_layer"),
    "name": (*FIT_TEXTS, "output_misfit"),
    "1 or 0": (
        *("born_dead", "train_learned", "dead_output", "is_recurrent", "uses_batch_statistics", "half_weights"),
        *("masks_padding", "shuffles_state", "stopped_by_callback", "stop_is_backwards", "accuracy_of_numbers"),
    ),
    "share": (
        *("saturated_share", "nonfinite_share", "targets_beyond", "batch_order", "dropout_rate", "rate_ended_share"),
        *("untracked_share", "validation_new_classes", "long_rows", "padding_share", "class_weight_missing"),
        *("output_dropout", "activity_share"),
    ),
    "ratio": (
        *("loss_growth", "gradient_ratio", "gradient_scale", "gradient_profile", "taken_gradient", "step_ratio"),
        *("first_change", "first_gradient", "below_reference", "rate_end", "updates_applied", "loss_scale_fall"),
        *("penalty_share", "weight_shrink", "largest_row", "weighted_share", "time_factor"),
    ),
    "part of the baseline loss": ("train_fit", "logged_fit", "logged_gap", "judged_fit"),
    "part of the loss": ("loss_fall", "fall_before"),
    "part of the way from chance to perfect": ("train_gain", "judged_gain", "reference_gain"),
    "difference of shares": ("score_gap", "metric_gap"),
    "standard deviations": ("targets_told", "fed_told", "validation_shift"),
    "powers of ten": ("input_decades", "validation_spread", "time_decades"),
    "time steps": ("time_reach", "time_steps"),
    "L1 norm": ("largest_change",),
    "as the inputs": ("input_scale",),
    "as the targets": ("target_scale",),
    "as what enters the first kernel": ("entering_spread",),
    "outputs": ("idle_outputs",),
    "place in INPUT_KINDS": ("input_kind",),
    "weight": ("row_weight",),
}
UNITS: Final = {name: unit for unit, names in _BY_UNIT.items() for name in names}
MEANINGS: Final = evidence.COLUMNS | FIT_TEXTS
