"""Slow computations of recurrent layers in float64, without TensorFlow: gradients by time step, gates, states."""

import numpy as np

Array = np.ndarray


def simple(x: Array, kernel: Array, recurrent: Array, bias: Array, targets: Array) -> tuple[Array, Array]:
    """Return dL_i/dx_it and the states h_it of a tanh layer [row, step, ...]; L_i is the mean square of h_iT - y_i."""
    x, kernel, recurrent, bias, targets = (each.astype(np.float64) for each in (x, kernel, recurrent, bias, targets))
    states = [np.zeros((len(x), len(recurrent)))]
    for step in range(x.shape[1]):
        states.append(np.tanh(x[:, step] @ kernel + states[-1] @ recurrent + bias))
    gradients = np.zeros_like(x)
    by_state = 2 * (states[-1] - targets) / targets.shape[1]
    for step in reversed(range(x.shape[1])):
        by_signal = by_state * (1 - states[step + 1] ** 2)
        gradients[:, step] = by_signal @ kernel.T
        by_state = by_signal @ recurrent.T
    return gradients, np.stack(states[1:], axis=1)


def lstm_gates(x: Array, kernel: Array, recurrent: Array, bias: Array, mask: Array) -> tuple[Array, Array]:
    """Return the three gates [row, step, 3 units] and the outputs of an LSTM; a masked step keeps output and cell."""
    x, kernel, recurrent, bias = (each.astype(np.float64) for each in (x, kernel, recurrent, bias))
    output = cell = np.zeros((len(x), len(recurrent)))
    gates, outputs = [], []
    for step in range(x.shape[1]):
        enter, forget, candidate, leave = np.split(x[:, step] @ kernel + output @ recurrent + bias, 4, axis=1)
        enter, forget, leave = (1 / (1 + np.exp(-each)) for each in (enter, forget, leave))
        is_read = mask[:, step, None]
        cell = np.where(is_read, forget * cell + enter * np.tanh(candidate), cell)
        output = np.where(is_read, leave * np.tanh(cell), output)
        gates.append(np.concatenate([enter, forget, leave], axis=1))
        outputs.append(output)
    return np.stack(gates, axis=1), np.stack(outputs, axis=1)


def gru_gates(x: Array, kernel: Array, recurrent: Array, biases: Array) -> Array:
    """Return the two gates of a GRU with `reset_after` [row, step, 2 units]."""
    x, kernel, recurrent, biases = (each.astype(np.float64) for each in (x, kernel, recurrent, biases))
    output, gates = np.zeros((len(x), len(recurrent))), []
    for step in range(x.shape[1]):
        given, kept = x[:, step] @ kernel + biases[0], output @ recurrent + biases[1]
        (z, r, h), (z_kept, r_kept, h_kept) = np.split(given, 3, axis=1), np.split(kept, 3, axis=1)
        update, reset = 1 / (1 + np.exp(-z - z_kept)), 1 / (1 + np.exp(-r - r_kept))
        output = update * output + (1 - update) * np.tanh(h + reset * h_kept)
        gates.append(np.concatenate([update, reset], axis=1))
    return np.stack(gates, axis=1)


def saturated(gates: Array) -> Array:
    """Return the share of values of sigmoids by step whose slope is below 0.06 of the greatest, 1/4."""
    return (gates * (1 - gates) < 0.06 * 0.25).mean(axis=(0, 2))
