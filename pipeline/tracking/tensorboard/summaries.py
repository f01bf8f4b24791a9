"""Convert a replica's history to TensorBoard's events: curves and histograms, with the epoch as the step.

This needs TensorBoard's message types, but no TensorFlow. The wall time of an event is its epoch in seconds, not the
time of day, so that the same history gives the same bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.histogram.metadata import create_summary_metadata as histogram_metadata
from tensorboard.plugins.scalar.metadata import create_summary_metadata as scalar_metadata
from tensorboard.util.tensor_util import make_tensor_proto

from pipeline.history.record import LAYER_VALUES, curve_text, parts_of, task_of
from pipeline.tracking.tensorboard import bins

FILE_VERSION: Final = "brain.Event:2"  # TensorBoard needs it to recognise the format
LAYER_SCALARS: Final = ("gradient_mean_abs", "probe_gradient_mean_abs")
STEP: Final = "The step is the epoch: 0 is before training."
GRADIENT: Final = f"""All entries of this kernel's gradient on the full training set, in the unit of the loss. All
layers of a run share one axis: a layer that is only a spike at 0 has far smaller gradients than the others;
`gradient_log10` shows how much smaller. {STEP}"""
GRADIENT_LOG10: Final = f"""The size of the entries of this kernel's gradient: **x = log10 |g|**, so -2 means 0.01
and -3 means 0.001. All charts share one axis. A *vanishing* gradient lies farther left in layers nearer to the
input. The leftmost bin, below -12, is **zero**: no gradient arrives, as below a *dead* layer. {STEP}"""
KERNEL: Final = f"The weights of this layer's kernel. The two outermost bins are open. {STEP}"


@dataclass(frozen=True)
class TagSeries:
    """The values of one tag by epoch: numbers for a curve, arrays [bucket, (left, right, count)] for a histogram."""

    tag: str
    metadata: SummaryMetadata
    values: dict[int, np.ndarray]


def events(history: xr.Dataset, position: int) -> Iterator[Event]:
    """Yield all events of the replica at `position`, in the order of the epochs.

    Without recorded histograms there are only curves. Tags begin with the layer or the curve:
    `hidden_01/kernel`, `hidden_01/kernel/gradient`, ..., `accuracy/test`, `loss/train`.
    """
    replica = history.isel(replica=position)
    series = [*_curves(replica), *_layer_scalars(replica)]
    if "gradient_histogram" in history:
        series += _histograms(replica)
    yield Event(file_version=FILE_VERSION)
    described_tags: set[str] = set()
    for epoch in history.epoch.values.tolist():
        values = []
        for each in series:
            if epoch in each.values:
                # TensorBoard keeps the metadata of a tag's first value.
                metadata = None if each.tag in described_tags else each.metadata
                tensor = make_tensor_proto(np.asarray(each.values[epoch], np.float32))
                values.append(Summary.Value(tag=each.tag, metadata=metadata, tensor=tensor))
                described_tags.add(each.tag)
        yield Event(step=epoch, wall_time=epoch, summary=Summary(value=values))


def _curves(replica: xr.Dataset) -> Iterator[TagSeries]:
    task = task_of(replica)
    for part in parts_of(replica):
        for curve in task.curves:
            name = f"{part}_{curve}"
            yield _scalar(f"{curve}/{part}", curve_text(name, task), replica[name])


def _layer_scalars(replica: xr.Dataset) -> Iterator[TagSeries]:
    for layer, name in enumerate(replica.path.values.tolist()):
        for value in LAYER_SCALARS:
            if value in replica:
                yield _scalar(f"{name}/kernel/{value}", LAYER_VALUES[value], replica[value].isel(layer=layer))


def _histograms(replica: xr.Dataset) -> Iterator[TagSeries]:
    gradients, weights = replica.gradient_histogram.values, replica.weight_histogram.values  # [epoch, layer, bin]
    gradient_edges, weight_edges = replica.gradient_bin.values[1:], replica.weight_bin.values[1:]
    epochs = replica.recorded_epoch.values.tolist()
    raw, visible = bins.close_logarithmic_bins(gradient_edges), bins.symmetric_range(gradients, gradient_edges)
    decades, linear = bins.log10_edges(gradient_edges), bins.close_linear_bins(weight_edges)
    for layer, name in enumerate(replica.path.values.tolist()):
        tag, gradient, kernel = f"{name}/kernel", gradients[:, layer], weights[:, layer]
        yield _histogram(tag, KERNEL, epochs, kernel, linear, bins.occupied_bins(kernel))
        yield _histogram(f"{tag}/gradient", GRADIENT, epochs, gradient, raw, visible)
        yield _histogram(
            f"{tag}/gradient_log10", GRADIENT_LOG10, epochs, bins.magnitude_counts(gradient), decades, slice(None)
        )


def _scalar(tag: str, text: str, values: xr.DataArray) -> TagSeries:
    """Return a curve. A NaN at epoch 0 means "not recorded" and is left out; a later NaN is a value."""
    (epochs,) = values.indexes.values()
    by_epoch = dict(zip(epochs.tolist(), values.values, strict=True))
    recorded = {epoch: value for epoch, value in by_epoch.items() if epoch > 0 or not np.isnan(value)}
    return TagSeries(tag, scalar_metadata(None, f"{text[0].upper()}{text[1:]}. {STEP}"), recorded)


def _histogram(
    tag: str, text: str, epochs: list[int], counts: np.ndarray, edges: np.ndarray, visible: slice
) -> TagSeries:
    """Return a histogram of `counts` [epoch, bin] between `edges` [bin + 1], without epochs that have no counts."""
    left, right, counts = edges[:-1][visible], edges[1:][visible], counts[:, visible]
    by_epoch = zip(epochs, counts, strict=True)
    values = {epoch: bins.to_buckets(left, right, row) for epoch, row in by_epoch if row.any()}
    return TagSeries(tag, histogram_metadata(None, text), values)
