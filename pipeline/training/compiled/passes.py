"""Pass one replica's samples forward and errors backward through a stack of dense layers.

Arrays of signals are [layer, unit, sample], and each innermost loop is over samples. A unit's samples lie side by side,
so the processor's vectors are used however narrow the layers are. Weights are flat, as in `models.layout`: for each
layer the kernel [input, unit], then the bias.

The wider the layers, the smaller the advantage over the stacked engine: an epoch of thirty replicas was 2.5, 1.8 and
1.4 times as fast with 50, 100 and 200 units.
"""

import numpy as np

from pipeline.training.compiled.compiling import compiled
from pipeline.training.compiled.elementwise import activate, differentiate
from pipeline.training.compiled.outputs import output_error
from pipeline.training.compiled.shapes import Buffers, Shape

_ZERO = np.float32(0)


@compiled
def load_inputs(buffer: Buffers, inputs: np.ndarray, first: int, samples: int) -> None:
    """Copy samples of inputs [input, sample], from `first` on, to `buffer.after[0]`, which `forward` reads."""
    for source in range(inputs.shape[0]):
        for s in range(samples):
            buffer.after[0, source, s] = inputs[source, first + s]


@compiled
def add_weighted(rows: np.ndarray, weights: np.ndarray, first: int, stride: int, count: int, total: np.ndarray) -> None:
    """Add a weighted sum of rows: total[sample] += sum over k < count of weights[first + k * stride] * rows[k, sample].

    Four rows are added at a time, so that each entry of `total` is read and written a quarter as often.
    """
    samples, multiple_of_4 = total.size, count - count % 4
    for k in range(0, multiple_of_4, 4):
        index = first + k * stride
        a, b, c, d = weights[index], weights[index + stride], weights[index + 2 * stride], weights[index + 3 * stride]
        for s in range(samples):
            total[s] += a * rows[k, s] + b * rows[k + 1, s] + c * rows[k + 2, s] + d * rows[k + 3, s]
    for k in range(multiple_of_4, count):
        a = weights[first + k * stride]
        for s in range(samples):
            total[s] += a * rows[k, s]


@compiled
def dot_products(
    rows: np.ndarray, column: np.ndarray, count: int, first: int, stride: int, products: np.ndarray
) -> None:
    """Set products[first + k * stride] to the dot product of rows[k] and column over samples, for each k < count."""
    samples, multiple_of_4 = column.size, count - count % 4
    for k in range(0, multiple_of_4, 4):
        a, b, c, d = _ZERO, _ZERO, _ZERO, _ZERO
        for s in range(samples):
            a += rows[k, s] * column[s]
            b += rows[k + 1, s] * column[s]
            c += rows[k + 2, s] * column[s]
            d += rows[k + 3, s] * column[s]
        index = first + k * stride
        products[index], products[index + stride] = a, b
        products[index + 2 * stride], products[index + 3 * stride] = c, d
    for k in range(multiple_of_4, count):
        a = _ZERO
        for s in range(samples):
            a += rows[k, s] * column[s]
        products[first + k * stride] = a


@compiled
def forward(shape: Shape, weights: np.ndarray, buffer: Buffers, samples: int) -> None:
    """Run the forward pass from the inputs `buffer.after[0]` to the output's pre-activations `buffer.before[-1]`."""
    layer_count, kernel = shape.widths.size - 1, 0
    for layer in range(layer_count):
        inputs, units = shape.widths[layer], shape.widths[layer + 1]
        bias = kernel + inputs * units
        for unit in range(units):
            value = buffer.before[layer, unit, :samples]
            for s in range(samples):
                value[s] = weights[bias + unit]
            add_weighted(buffer.after[layer], weights, kernel + unit, units, inputs, value)
            if layer < layer_count - 1:
                activate(shape.activation, value, buffer.after[layer + 1, unit, :samples])
        kernel = bias + units


@compiled
def backward(
    shape: Shape, weights: np.ndarray, buffer: Buffers, targets: np.ndarray, gradient: np.ndarray, samples: int
) -> None:
    """Set `gradient` [entry] to the gradient of the mean loss; call `forward` on the same samples first.

    Args:
        targets: [output, sample].
    """
    layer_count = shape.widths.size - 1
    bias, current = weights.size - shape.widths[layer_count], 0
    output_error(shape, buffer, targets, samples)
    for layer in range(layer_count - 1, -1, -1):
        inputs, units = shape.widths[layer], shape.widths[layer + 1]
        kernel = bias - inputs * units
        for unit in range(units):
            error, total = buffer.error[current, unit, :samples], _ZERO
            for s in range(samples):
                total += error[s]
            gradient[bias + unit] = total
            dot_products(buffer.after[layer], error, inputs, kernel + unit, units, gradient)
        if layer > 0:
            for source in range(inputs):
                value, slope = buffer.error[1 - current, source, :samples], buffer.slope[:samples]
                for s in range(samples):
                    value[s] = _ZERO
                add_weighted(buffer.error[current], weights, kernel + source * units, 1, units, value)
                before, after = buffer.before[layer - 1, source, :samples], buffer.after[layer, source, :samples]
                differentiate(shape.activation, before, after, slope)
                for s in range(samples):
                    value[s] *= slope[s]
        current, bias = 1 - current, kernel - inputs
