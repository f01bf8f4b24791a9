"""Name the facts of the fit: one number each about what happens around the model while `fit` runs.

`recorder.around_model` measures them, the record stores them by name as `fit_fact`, and `evidence` reads them. A fact
that is unknown is missing. The names are here and not in `recorder/`, so that a change of `recorder/` makes no stage
stale that only judges.
"""

from typing import Final

FIT_FACTS: Final = {
    "batch_rows": "mean number of rows in a batch, in the first epoch of the latest fit",
    "batch_order": "share of the targets' variance that lies between batches, less what shuffled rows would have, in "
    "the first epoch of the latest fit: 0 if rows are shuffled, 1 if each batch has one target value; missing with "
    "fewer than 3 batches or batches of one row",
    "uses_batch_statistics": "1 if a layer that is trained normalises by statistics of the batch, such as "
    "BatchNormalization",
    "dropout_rate": "greatest share of units that a `Dropout` layer drops; 0 without one",
    "output_dropout": "share of the outputs that a `Dropout` layer behind the last weights drops; 0 if none does",
    "rate_end": "learning rate at the last epoch / its greatest so far",
    "rate_ended_share": "share of the epochs with a learning rate below 1% of the greatest",
    "updates_applied": "steps that the optimizer counted (`iterations`) / batches that `fit` ran, in the latest epoch",
    "loss_scale_fall": "last loss scale / first loss scale; missing without a LossScaleOptimizer",
    "row_weight": "mean weight of the training rows (sample weights times class weights), in the first epoch of the "
    "latest fit",
    "untracked_share": "weights that the training step reads and that neither the model nor its optimizer nor a metric "
    "holds / all weights; only floating-point variables of two dimensions or more",
    "penalty_share": "sum of the penalties that layers add (`model.losses`) / the training loss with them: the "
    "greatest at a measured state after the first epoch",
    "activity_share": "share of the training loss that layers add for their outputs (`activity_regularizer`, "
    "`add_loss`), without penalties on weights: the greatest at a measured state",
    "entering_spread": "greatest standard deviation, over the rows, of a number that enters the first kernel before "
    "the first step; missing if all rows of the inputs are equal",
    "idle_outputs": "number of outputs whose loss has the weight 0; missing for a model with one output",
    "half_weights": "1 if trainable weights are stored in float16 or bfloat16",
    "weight_shrink": "smallest, over hidden kernels, of the L1 norm now / the L1 norm before the first step",
    "validation_shift": "mean over input columns of |mean of the validation rows - mean of the training rows| / "
    "standard deviation of the training rows; without columns that are constant in training, and without ids",
    "validation_spread": "median over input columns of log10 (standard deviation of the validation rows / of the "
    "training rows); the same columns as `validation_shift`",
    "validation_new_classes": "share of the validation rows whose class no training row has; only for classes",
    "largest_row": "greatest L2 norm of a training row's numeric inputs / the median row's",
    "long_rows": "share of the training rows whose norm is above 10 times the median row's",
    "padding_share": "mean share of the steps at the end of a row that repeat one constant value, the same in all "
    "rows; only for sequences and ids",
    "masks_padding": "1 if a mask reaches a recurrent layer: from a Masking layer, `mask_zero=True` or the user's own",
    "shuffles_state": "1 if a stateful recurrent layer is trained on batches that `fit` shuffles",
    "class_weight_missing": "share of the training rows whose class is no key of `class_weight`; missing without it",
    "class_weight_unknown": "number of keys of `class_weight` that are no class of the targets; missing without it",
    "weighted_share": "share of the total weight of the training rows that the class with the smallest share has, "
    "times the number of classes: 1 if balanced; missing without `class_weight`",
    "epochs_asked": "number of epochs that the latest `fit` was asked for, from its initial epoch",
    "epochs_run": "number of epochs that the latest `fit` ran",
    "stopped_by_callback": "1 if another callback set `stop_training`; its class is the record's attribute "
    "`stopped_by`",
    "stop_is_backwards": "1 if the `EarlyStopping` that stopped `fit` waits for an accuracy to fall or a loss to rise",
    "stop_patience": "patience of the callback that stopped `fit`; missing without one",
    "metric_gap": "greatest |accuracy by a compiled metric - accuracy in the record|, of the same rows; the metric's "
    "name is the record's attribute `misleading_metric`",
    "accuracy_of_numbers": "1 if a metric of accuracy is compiled for a regression",
    "fed_told": "`targets_told` of the rows that `fit` was fed, if these are not the rows that the user gave to "
    "Diagnosis",
}
# Facts that are words, as attributes of the record.
FIT_TEXTS: Final = {
    "stopped_by": "class of the callback that set `stop_training`",
    "misleading_metric": "name of the compiled metric with the gap `metric_gap`",
}
