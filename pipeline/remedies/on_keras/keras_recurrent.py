"""Remedies for any Keras model with recurrent layers that help a gradient on its way back through the time steps."""

from collections.abc import Iterator

import keras
import numpy as np

from pipeline.recorder.layers import every_layer
from pipeline.remedies.on_keras.keras_compile import compile_again
from pipeline.remedies.on_keras.keras_graph import cloned, rebuildable, replace_model
from pipeline.remedies.on_keras.keras_rows import padding
from pipeline.remedies.on_keras.trial import TRAIN, Arrays, InapplicableError, Part, Trial
from pipeline.remedies.remedy import IRNN_SPREAD, SHORTER_EPOCHS, SHORTER_FIRST, TRUNCATED

# What a GRU takes over from the SimpleRNN that it replaces.
TAKEN_OVER = (
    *("name", "units", "use_bias", "return_sequences", "return_state", "go_backwards", "stateful", "unroll"),
    *("dropout", "recurrent_dropout"),
)
FEWEST_STEPS = 4  # of sequences that can be shortened
ORTHOGONAL_ERROR = 1e-3  # of K Kᵀ from the identity, above float32's rounding errors


def chrono_bias(trial: Trial) -> Iterator[str]:
    """Draw the biases of gates so that the cells remember for about as long as the sequences last."""
    cells = [cell for cell in _cells(trial) if isinstance(cell, keras.layers.LSTMCell | keras.layers.GRUCell)]
    with_bias = [cell for cell in cells if cell.use_bias]
    if not with_bias:
        raise InapplicableError("it has no LSTM or GRU layer with biases")
    steps = _steps(trial)
    has_lstm = any(isinstance(cell, keras.layers.LSTMCell) for cell in with_bias)
    gate = "forget biases of `LSTM` layers" if has_lstm else "update biases of `GRU` layers"
    negative = ", and input biases of the opposite sign" if has_lstm else ""
    yield f"{gate} `numpy.log(numpy.random.uniform(1, {steps - 1}, units))`{negative}"
    for cell in with_bias:
        drawn = np.log(np.asarray(keras.random.uniform((cell.units,), 1, max(steps - 1, 2))))
        bias = np.array(cell.bias)
        if isinstance(cell, keras.layers.LSTMCell):  # input, forget, candidate, output
            bias[: cell.units], bias[cell.units : 2 * cell.units] = -drawn, drawn
        else:  # update, reset, candidate; with reset_after two rows, of which the second stays
            bias[(0,) * (bias.ndim - 1)][: cell.units] = drawn
        cell.bias.assign(bias)


def orthogonal_recurrent(trial: Trial) -> Iterator[str]:
    """Draw recurrent kernels that keep the length of the state."""
    cells = [cell for cell in _cells(trial) if not _is_orthogonal(np.asarray(cell.recurrent_kernel))]
    if not cells:
        raise InapplicableError("its recurrent kernels are orthogonal already")
    yield '`recurrent_initializer="orthogonal"` in recurrent layers'
    for cell in cells:
        kernel = cell.recurrent_kernel
        kernel.assign(keras.initializers.Orthogonal()(kernel.shape, dtype=kernel.dtype))


def identity_recurrent(trial: Trial) -> Iterator[str]:
    """Let simple recurrent layers begin as relu units that copy their state."""
    cells = [cell for cell in _cells(trial) if isinstance(cell, keras.layers.SimpleRNNCell)]
    if not cells:
        raise InapplicableError("it has no simple recurrent layer")
    yield (
        '`SimpleRNN(..., activation="relu", recurrent_initializer="identity", kernel_initializer='
        f"keras.initializers.RandomNormal(stddev={IRNN_SPREAD}))`"
    )
    for cell in cells:
        cell.activation = keras.activations.relu
        cell.recurrent_kernel.assign(np.eye(cell.units))
        cell.kernel.assign(keras.initializers.RandomNormal(stddev=IRNN_SPREAD)(cell.kernel.shape))
        if cell.use_bias:
            cell.bias.assign(np.zeros(cell.bias.shape))


def gated_cell(trial: Trial) -> Iterator[str]:
    """Replace simple recurrent layers by GRU layers of the same width."""
    before = rebuildable(trial)
    if not any(_gated(layer) is not None for layer in every_layer(before)):
        raise InapplicableError("it has no simple recurrent layer")
    model = cloned(before, replaced=_gated)
    yield "`GRU` instead of `SimpleRNN` layers"
    replace_model(trial, model)


def mean_over_time(trial: Trial) -> Iterator[str]:
    """Let recurrent layers pass on the mean of all their outputs, not the last one."""
    before = rebuildable(trial)
    names = {layer.name for layer in every_layer(before) if _gives_last_step(layer)}
    if not names:
        raise InapplicableError("no recurrent layer passes on its last step alone")

    def with_sequences(layer: keras.layers.Layer) -> keras.layers.Layer | None:
        if layer.name not in names:
            return None
        copy = type(layer).from_config(layer.get_config())
        for each in (copy, getattr(copy, "forward_layer", None), getattr(copy, "backward_layer", None)):
            if each is not None:
                each.return_sequences = True
        return copy

    def called(layer: keras.layers.Layer, *args: keras.KerasTensor, **kwargs: keras.KerasTensor) -> keras.KerasTensor:
        outputs = layer(*args, **kwargs)
        return keras.layers.GlobalAveragePooling1D()(outputs) if layer.name in names else outputs

    model = cloned(before, called, replaced=with_sequences)
    yield "`return_sequences=True` in the last recurrent layer, and `GlobalAveragePooling1D()` after it"
    replace_model(trial, model)


def shorter_sequences_first(trial: Trial) -> Iterator[str]:
    """Train a few epochs on the last steps of each sequence, before `fit` trains on all steps."""
    steps = _steps(trial)
    lengths = [max(1, round(share * steps)) for share in SHORTER_FIRST]
    _expect_last_steps_to_hold_something(trial)
    if trial.arguments.get("sample_weight") is not None:
        raise InapplicableError("its rows have weights")
    model = trial.model if _takes_any_length(trial.model) else _of_any_length(trial.model)
    shortened = ", then on ".join(f"`x[:, -{length}:]`" for length in lengths)
    yield f"`model.fit(..., epochs={SHORTER_EPOCHS})` on {shortened}, before `fit` on all steps"
    if model is not trial.model:
        compile_again(model, like=trial.model)
    for length in lengths:
        _train(model, trial, length)
    if model is not trial.model:
        trial.model.set_weights(model.get_weights())


def truncated_sequences(trial: Trial) -> Iterator[str]:
    """Keep only the last steps of each sequence."""
    steps = _steps(trial)
    length = max(1, round(TRUNCATED * steps))
    _expect_last_steps_to_hold_something(trial)
    model = None if _takes_any_length(trial.model) else _of_any_length(rebuildable(trial))
    yield f"the last {length} of {steps} steps as inputs: `x[:, -{length}:]`"
    trial.parts = {name: (_last_steps(x, length), y) for name, (x, y) in trial.parts.items()}
    if model is not None:
        replace_model(trial, model)


def _cells(trial: Trial) -> list[keras.layers.Layer]:
    """Return the cells of Keras's own recurrent layers.

    Raises:
        InapplicableError: there is none.
    """
    kinds = keras.layers.SimpleRNNCell | keras.layers.LSTMCell | keras.layers.GRUCell
    cells = [layer for layer in every_layer(trial.model) if isinstance(layer, kinds)]
    if not cells:
        raise InapplicableError("no layer is recurrent")
    if not all(cell.built for cell in cells):
        raise InapplicableError("the model is not built before `fit`")
    return cells


def _steps(trial: Trial) -> int:
    """Return the number of steps of the model's sequences.

    Raises:
        InapplicableError: the inputs are not one array of sequences, or the targets have steps as well.
    """
    _cells(trial)
    inputs, targets = trial.data
    leaves = keras.tree.flatten(inputs)
    if len(leaves) != 1 or np.ndim(leaves[0]) < 2:
        raise InapplicableError("its inputs are not one array of sequences")
    steps = int(np.shape(leaves[0])[1])
    if steps < FEWEST_STEPS:
        raise InapplicableError(f"its sequences have only {steps} steps")
    if any(np.ndim(leaf) > 1 and np.shape(leaf)[1] == steps for leaf in keras.tree.flatten(targets)):
        raise InapplicableError("its targets have time steps, too")
    return steps


def _expect_last_steps_to_hold_something(trial: Trial) -> None:
    """Check that sequences can be shortened to their last steps.

    Raises:
        InapplicableError: padding is at the end, or states are carried from batch to batch.
    """
    if any(getattr(layer, "stateful", False) for layer in every_layer(trial.model)):
        raise InapplicableError("its recurrent layers keep states from batch to batch")
    if np.any(padding(np.asarray(keras.tree.flatten(trial.data[0])[0]))):
        raise InapplicableError("its rows have padding at their end; put the padding in front first")


def _is_orthogonal(kernel: np.ndarray) -> bool:
    """Return whether the rows of a kernel [units, gates * units] are orthonormal, as Keras draws them by default."""
    return bool(np.abs(kernel @ kernel.T - np.eye(len(kernel))).max() < ORTHOGONAL_ERROR)


def _gated(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """Return the GRU in place of a simple recurrent layer; None for any other layer."""
    if isinstance(layer, keras.layers.SimpleRNN):
        return keras.layers.GRU(**{key: layer.get_config()[key] for key in TAKEN_OVER})
    if isinstance(layer, keras.layers.Bidirectional) and isinstance(layer.forward_layer, keras.layers.SimpleRNN):
        return keras.layers.Bidirectional(_gated(layer.forward_layer), merge_mode=layer.merge_mode, name=layer.name)
    return None


def _gives_last_step(layer: keras.layers.Layer) -> bool:
    is_recurrent = isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)
    return is_recurrent and not layer.return_sequences and not layer.return_state


def _takes_any_length(model: keras.Model) -> bool:
    """Return whether the model takes sequences of any length, as far as its inputs say."""
    inputs = getattr(getattr(model, "_functional", None) or model, "inputs", None)
    return not inputs or all(len(each.shape) > 1 and each.shape[1] is None for each in inputs)


def _of_any_length(model: keras.Model) -> keras.Model:
    """Return a copy of the model, with its weights, that takes sequences of any length."""
    return cloned(model, input_of=lambda each: keras.Input((None, *each.shape[2:]), dtype=each.dtype, name=each.name))


def _last_steps(inputs: Arrays, length: int) -> Arrays:
    return keras.tree.map_structure(lambda leaf: np.asarray(leaf)[:, -length:], inputs)


def _train(model: keras.Model, trial: Trial, length: int) -> None:
    """Train SHORTER_EPOCHS epochs on the last `length` steps, in an order of rows that is always the same.

    Without `fit`, which the callback watches.
    """
    part: Part = (_last_steps(trial.parts[TRAIN][0], length), trial.parts[TRAIN][1])
    leaves = keras.tree.flatten(part)
    rows, size = len(leaves[0]), trial.arguments.get("batch_size") or 32
    random = np.random.default_rng(0)
    for _ in range(SHORTER_EPOCHS):
        for chosen in np.array_split(random.permutation(rows), range(size, rows, size)):
            x, y = keras.tree.map_structure(lambda leaf, chosen=chosen: leaf[chosen], part)
            model.train_on_batch(x, y, class_weight=trial.arguments.get("class_weight"))
