"""The compiled loops' products of matrices, blocks and bins, by comparison with NumPy in float64."""

import os
import platform
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from imports import ROOT

from pipeline.history.record import GRADIENT_EDGES, WEIGHT_EDGES
from pipeline.training.compiled import epochs, outputs, passes
from pipeline.training.compiled.eligible import ACTIVATIONS, TASK_KINDS
from pipeline.training.compiled.measures import add_counts, bins_of
from pipeline.training.compiled.shapes import MOST_SAMPLES, block_of, positions, shape_of, weight_count

WIDTHS = ((2, 5, 5, 1), (9, 1, 17, 3), (64, 32, 8, 10), (3, 40, 70, 2))
DRAW = np.random.default_rng(1)


def plain(widths: tuple[int, ...], weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the gradient of the mean squared error of a tanh network in float64, in the order of Keras's variables."""
    kernels, biases, at = [], [], 0
    for below, units in pairwise(widths):
        kernels.append(weights[at : at + below * units].reshape(below, units))
        biases.append(weights[at + below * units : at + (below + 1) * units])
        at += (below + 1) * units
    signals = [inputs]
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        signals.append(np.tanh(signals[-1] @ kernel + bias))
    error = 2 * (signals[-1] @ kernels[-1] + biases[-1] - targets) / targets.size
    gradient: list[np.ndarray] = []
    for kernel, signal in zip(reversed(kernels), reversed(signals), strict=True):
        gradient = [(signal.T @ error).ravel(), error.sum(axis=0), *gradient]
        error = (error @ kernel.T) * (1 - signal**2)
    return np.concatenate(gradient)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("samples", [1, 20, 32, 33, MOST_SAMPLES])
def test_gradients_of_a_block_are_those_of_numpy(widths: tuple[int, ...], samples: int) -> None:
    shape = shape_of(widths, ACTIVATIONS.index("tanh"), TASK_KINDS.index("regression"))
    inputs, targets = DRAW.normal(size=(samples, widths[0])), DRAW.normal(size=(samples, widths[-1]))
    flat = DRAW.normal(size=positions(shape).size) / 4
    weights, gradient = np.zeros((2, weight_count(shape)), np.float32)
    weights[positions(shape)] = flat
    block = block_of(shape, samples)
    data = passes.DataParts(
        *(part.astype(np.float32) for part in (inputs, targets)),
        np.arange(samples, dtype=np.int32),
        np.array([samples]),
        np.ones((1, widths[-1])),
    )
    for _ in range(2):  # the second time, the buffers are full
        gradient[:] = 0
        passes.load_samples(data, data.rows, 0, samples, shape, block)
        passes.forward(shape, weights, block, samples)
        outputs.output_error(shape, block, samples, samples)
        passes.backward(shape, weights, block, samples, gradient)
    expected = plain(widths, flat, inputs, targets)
    np.testing.assert_allclose(gradient[positions(shape)], expected, rtol=1e-4, atol=2e-6)
    padding = np.ones(gradient.size, bool)
    padding[positions(shape)] = False
    assert (gradient[padding] == 0).all()


def test_predictions_of_several_blocks_are_in_order() -> None:
    shape = shape_of((1, 1), ACTIVATIONS.index("linear"), TASK_KINDS.index("regression"))
    weights = np.zeros(weight_count(shape), np.float32)
    weights[positions(shape)] = 2, 1  # the kernel and the bias
    inputs = np.arange(3 * MOST_SAMPLES + 5, dtype=np.float32)[:, None]
    rows, none = np.arange(len(inputs), dtype=np.int32), np.empty((len(inputs), 0), np.float32)
    predictions = np.empty_like(inputs)
    data = passes.DataParts(inputs, none, rows, np.array([len(inputs)]), np.empty((1, 0)))
    epochs.predict(shape, weights, data, block_of(shape, len(inputs)), predictions)
    np.testing.assert_array_equal(predictions, 2 * inputs + 1)


@pytest.mark.parametrize("edges", [GRADIENT_EDGES, WEIGHT_EDGES, (0.5,)], ids=["gradient", "weight", "one"])
def test_counts_are_numpys_also_at_the_edges_and_for_every_exponent(edges: tuple[float, ...]) -> None:
    exact = np.array(edges, np.float32)
    numbers = DRAW.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)  # also NaN, infinite, subnormal
    near = [np.nextafter(exact, np.float32(direction)) for direction in (-np.inf, np.inf)]
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45], np.float32)
    values = np.concatenate([numbers, exact, *near, special, DRAW.normal(size=1000).astype(np.float32)])
    counts = np.zeros(exact.size + 1, np.int32)
    shape = shape_of((values.size, 1), ACTIVATIONS.index("linear"), TASK_KINDS.index("regression"))
    entries = np.zeros(weight_count(shape), np.float32)
    entries[positions(shape)[:-1]] = values  # all but the bias
    add_counts(shape, 0, entries, bins_of(edges), counts)
    numbers = values[~np.isnan(values)].astype(np.float64)
    expected, _ = np.histogram(numbers, [-np.inf, *exact.astype(np.float64), np.inf])
    np.testing.assert_array_equal(counts, expected)


BYTES = """
import hashlib
import numpy as np
from pipeline.training.compiled import passes
from pipeline.training.compiled.shapes import block_of, shape_of, weight_count

shape = shape_of((20, 40, 33, 3), 1, 0)
draw = np.random.default_rng(1)
weights = draw.normal(size=weight_count(shape)).astype(np.float32)
block, gradient = block_of(shape, 100), np.zeros_like(weights)
for array in (block.signals, block.errors):
    array[:] = draw.normal(size=array.size)
passes.forward(shape, weights, block, 100)
passes.backward(shape, weights, block, 100, gradient)
print(hashlib.sha256(gradient.tobytes() + block.signals.tobytes()).hexdigest())
"""


@pytest.mark.campaign
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names instructions of x86-64")
def test_products_are_the_same_to_the_bit_with_vectors_of_any_length(tmp_path: object) -> None:
    def digest(**features: str) -> str:
        environment = {**os.environ, **features, "NUMBA_CACHE_DIR": f"{tmp_path}/{len(features)}"}
        return subprocess.check_output([sys.executable, "-c", BYTES], cwd=ROOT, env=environment, text=True)

    assert digest() == digest(NUMBA_CPU_FEATURES="+avx2,+fma")
