"""Compute activations and their derivatives in float32, of vectors (see `lanes`) or of single numbers.

Tests compare each function with TensorFlow's and with float64: the relative error is below 3e-7.
"""

import math

import numpy as np

from pipeline.history.record import SLOPE_GRID
from pipeline.training.compiled.compiling import compiled, inlined
from pipeline.training.compiled.eligible import ACTIVATIONS
from pipeline.training.compiled.lanes import LANES, Numbers, choose, floor, load, power_of_two, store

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
_C2, _C3, _C4, _C5, _C6, _C7 = (_f(1 / math.factorial(n)) for n in range(2, 8))


@inlined
def _exponential_parts(x: Numbers) -> tuple[Numbers, Numbers]:
    """Return 2^k and expm1(r) for x = k ln 2 + r, |r| <= ln 2 / 2, where the Taylor series is exact to float32."""
    x = choose("<", x, _SMALLEST, _SMALLEST, x)
    x = choose(">", x, _LARGEST, _LARGEST, x)
    k = floor(x * _PER_LN2 + _HALF)
    r = x - k * _LN2 - k * _LN2_REST
    return power_of_two(k), r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))


@inlined
def exponential(x: Numbers) -> Numbers:
    """Return e^x."""
    power, rest = _exponential_parts(x)
    return power + power * rest


@inlined
def expm1(x: Numbers) -> Numbers:
    """Return e^x - 1; also exact for small x."""
    power, rest = _exponential_parts(x)
    return power * rest + (power - _ONE)


@inlined
def sigmoid(x: Numbers) -> Numbers:
    """Return 1 / (1 + e^-x)."""
    power, rest = _exponential_parts(-abs(x))
    tail = power + power * rest
    return choose(">=", x, _ZERO, _ONE, tail) / (_ONE + tail)


@inlined
def tanh(x: Numbers) -> Numbers:
    """Return tanh(x); computed by expm1, so that it is also exact around 0."""
    tail = expm1(-_TWO * abs(x))
    size = -tail / (tail + _TWO)
    return choose(">=", x, _ZERO, size, -size)


@inlined
def activated(activation: int, x: Numbers) -> Numbers:
    """Return the activations of pre-activations x; NaN stays NaN."""
    if activation == _RELU:
        x = choose("<=", x, _ZERO, _ZERO, x)
    elif activation == _LEAKY_RELU:
        x = choose("<=", x, _ZERO, _LEAK * x, x)
    elif activation == _ELU:
        x = choose(">", x, _ZERO, x, expm1(x))
    elif activation == _SELU:
        x = choose(">", x, _ZERO, _SELU_SCALE * x, _SELU_SCALE_ALPHA * expm1(x))
    elif activation == _TANH:
        x = tanh(x)
    elif activation == _SIGMOID:
        x = sigmoid(x)
    return x


@inlined
def slope(activation: int, value: Numbers) -> Numbers:
    """Return the derivatives f'(z) at the activations f(z) = value.

    The sign of each of these functions is that of z, so the activation suffices.
    """
    result = choose(">", value, _ZERO, _ONE, _ONE)
    if activation == _RELU:
        result = choose(">", value, _ZERO, _ONE, _ZERO)
    elif activation == _LEAKY_RELU:
        result = choose(">", value, _ZERO, _ONE, _LEAK)
    elif activation == _ELU:
        result = choose(">", value, _ZERO, _ONE, value + _ONE)
    elif activation == _SELU:  # at 0, TensorFlow's value
        result = choose(">=", value, _ZERO, _SELU_SCALE, value + _SELU_SCALE_ALPHA)
    elif activation == _TANH:
        result = _ONE - value * value
    elif activation == _SIGMOID:
        result = value * (_ONE - value)
    return result


@compiled
def activate(activation: int, values: np.ndarray, first: int, end: int) -> None:
    """Replace the pre-activations values[first:end] by activations; end - first is a multiple of LANES."""
    for place in range(first, end, LANES):
        store(values, place, activated(activation, load(values, place)))


@compiled
def multiply_by_slopes(activation: int, values: np.ndarray, first: int, end: int, errors: np.ndarray) -> None:
    """Multiply errors[first:end] by the derivatives at the activations values[first:end]; see `activate`."""
    for place in range(first, end, LANES):
        store(errors, place, load(errors, place) * slope(activation, load(values, place)))


def greatest_slope(activation: int) -> np.float32:
    """Return the greatest |f'| of an activation on `record.SLOPE_GRID`."""
    size = -(-len(SLOPE_GRID) // LANES) * LANES
    values = np.resize(np.array(SLOPE_GRID, np.float32), size)  # starts again after the end of the grid
    slopes = np.ones_like(values)
    activate(activation, values, 0, size)
    multiply_by_slopes(activation, values, 0, size, slopes)
    return np.abs(slopes).max()
