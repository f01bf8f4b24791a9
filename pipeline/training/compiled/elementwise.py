"""Compute activations and their derivatives in float32, in a form that the compiler vectorises.

Tests compare each function with TensorFlow's and with float64: the relative error is below 3e-7.
"""

import math

import numpy as np

from pipeline.history.record import SLOPE_GRID
from pipeline.training.compiled.compiling import compiled, inlined
from pipeline.training.compiled.eligible import ACTIVATIONS

_RELU, _LEAKY_RELU, _ELU, _SELU, _TANH, _SIGMOID = (
    ACTIVATIONS.index(name) for name in ("relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid")
)  # every other activation is linear

_f = np.float32
_ZERO, _HALF, _ONE, _TWO = _f(0), _f(0.5), _f(1), _f(2)
_LEAK = _f(0.2)  # Keras's default
_SELU_SCALE, _SELU_SCALE_ALPHA = _f(1.0507009873554805), _f(1.7580993408473766)  # Klambauer et al. 2017
# ln 2 in two parts; the first has few bits, so that its integer multiples are exact (Cody & Waite 1980).
_PER_LN2, _LN2, _LN2_REST = _f(1.4426950408889634), _f(0.693359375), _f(-2.12194440e-4)
_SMALLEST, _LARGEST = _f(-87.0), _f(88.0)  # float32 can hold the exponentials of these
_SHIFT, _SHIFTED = _f(12582912.0), np.int32(0x4B400000 - 127)  # adding 1.5 * 2^23 leaves an integer in the low bits
_C2, _C3, _C4, _C5, _C6, _C7 = (_f(1 / math.factorial(n)) for n in range(2, 8))


@inlined
def _exponential_parts(x: np.float32) -> tuple[np.float32, np.float32]:
    """Return 2^k and expm1(r) for x = k ln 2 + r, |r| <= ln 2 / 2, where the Taylor series is exact to float32."""
    x = _SMALLEST if x < _SMALLEST else x
    x = _LARGEST if x > _LARGEST else x
    k = np.floor(x * _PER_LN2 + _HALF)
    r = x - k * _LN2 - k * _LN2_REST
    power = np.int32((np.float32(k + _SHIFT).view(np.int32) - _SHIFTED) << np.int32(23)).view(np.float32)
    return power, r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))


@inlined
def exponential(x: np.float32) -> np.float32:
    """Return e^x."""
    power, rest = _exponential_parts(x)
    return power + power * rest


@inlined
def expm1(x: np.float32) -> np.float32:
    """Return e^x - 1; also exact for small x."""
    power, rest = _exponential_parts(x)
    return power * rest + (power - _ONE)


@inlined
def sigmoid(x: np.float32) -> np.float32:
    """Return 1 / (1 + e^-x)."""
    power, rest = _exponential_parts(-abs(x))
    tail = power + power * rest
    return _ONE / (_ONE + tail) if x >= _ZERO else tail / (_ONE + tail)


@inlined
def tanh(x: np.float32) -> np.float32:
    """Return tanh(x); computed by expm1, so that it is also exact around 0."""
    tail = expm1(-_TWO * abs(x))
    size = -tail / (tail + _TWO)
    return size if x >= _ZERO else -size


@compiled
def activate(activation: int, before: np.ndarray, first: int, end: int, after: np.ndarray) -> None:
    """Set after[first:end] to the activations of pre-activations before[first:end]; NaN stays NaN."""
    places = range(np.uintp(first), np.uintp(end))  # with unsigned places, Numba does not check for negative ones
    if activation == _RELU:
        for i in places:
            after[i] = _ZERO if before[i] <= _ZERO else before[i]
    elif activation == _LEAKY_RELU:
        for i in places:
            after[i] = _LEAK * before[i] if before[i] <= _ZERO else before[i]
    elif activation == _ELU:
        for i in places:
            after[i] = before[i] if before[i] > _ZERO else expm1(before[i])
    elif activation == _SELU:
        for i in places:
            after[i] = _SELU_SCALE * before[i] if before[i] > _ZERO else _SELU_SCALE_ALPHA * expm1(before[i])
    elif activation == _TANH:
        for i in places:
            after[i] = tanh(before[i])
    elif activation == _SIGMOID:
        for i in places:
            after[i] = sigmoid(before[i])
    else:
        for i in places:
            after[i] = before[i]


@compiled
def differentiate(activation: int, values: np.ndarray, first: int, end: int, slopes: np.ndarray) -> None:
    """Set slopes[i] to the derivative f'(z) at the activation f(z) = values[i], for first <= i < end.

    The sign of each of these functions is that of z, so the activation suffices.
    """
    places = range(np.uintp(first), np.uintp(end))
    if activation == _RELU:
        for i in places:
            slopes[i] = _ONE if values[i] > _ZERO else _ZERO
    elif activation == _LEAKY_RELU:
        for i in places:
            slopes[i] = _ONE if values[i] > _ZERO else _LEAK
    elif activation == _ELU:
        for i in places:
            slopes[i] = _ONE if values[i] > _ZERO else values[i] + _ONE
    elif activation == _SELU:
        for i in places:  # at 0, TensorFlow's value
            slopes[i] = _SELU_SCALE if values[i] >= _ZERO else values[i] + _SELU_SCALE_ALPHA
    elif activation == _TANH:
        for i in places:
            slopes[i] = _ONE - values[i] * values[i]
    elif activation == _SIGMOID:
        for i in places:
            slopes[i] = values[i] * (_ONE - values[i])
    else:
        slopes[first:end] = _ONE


def greatest_slope(activation: int) -> np.float32:
    """Return the greatest |f'| of an activation on `record.SLOPE_GRID`."""
    values = np.array(SLOPE_GRID, np.float32)
    slopes = np.empty_like(values)
    activate(activation, values, 0, values.size, values)
    differentiate(activation, values, 0, values.size, slopes)
    return np.abs(slopes).max()
