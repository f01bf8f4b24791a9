"""Find weights that a training step reads and that Keras does not track, so that no optimizer trains them.

Keras 3 tracks weights that `add_weight` makes, and layers that are attributes of a layer or a model. It tracks neither
a plain `tf.Variable` nor a layer to which only a function refers.

Imports TensorFlow with the user's own settings.
"""

import gc
from collections.abc import Iterator

import keras
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph  # TensorFlow exports it under no other name

from pipeline.recorder.layers import optimizers


class UntrackedWeights:
    """Looks at the graph of a training step while it is traced.

    share: entries of untracked weights / entries of all weights; None before the first look.
    """

    def __init__(self, model: keras.Model) -> None:
        self.share: float | None = None
        self._model = model
        self._graph_id: int | None = None  # of the graph that was examined last

    def look(self) -> None:
        """Examine the weights that the step being traced has read so far; only the first look at a graph counts.

        The first look comes before the loss, because a loss may use a network of its own, such as a perceptual loss.
        """
        graph = _outermost(tf.compat.v1.get_default_graph())
        if tf.executing_eagerly() or not isinstance(graph, FuncGraph) or id(graph) == self._graph_id:
            return
        self._graph_id = id(graph)
        tracked = {id(each.value) for each in _tracked(self._model)}
        untracked = [
            each
            for each in graph._watched_variables
            if each.trainable and each.dtype.is_floating and each.shape.rank and each.shape.rank > 1
            if id(each) not in tracked and not _is_frozen(each)
        ]
        entries = sum(each.shape.num_elements() or 0 for each in untracked)
        self.share = entries / max(1, entries + self._model.count_params())


def _outermost(graph: tf.Graph) -> tf.Graph:
    while isinstance(graph, FuncGraph) and isinstance(graph.outer_graph, FuncGraph):
        graph = graph.outer_graph
    return graph


def _tracked(model: keras.Model) -> Iterator[keras.Variable]:
    yield from model.variables
    for metric in model.metrics:
        yield from metric.variables
    for optimizer in optimizers(model):
        yield from optimizer.variables


def _is_frozen(variable: tf.Variable) -> bool:
    """Return whether a `keras.Variable` holds the variable and is not trained, as in a teacher network."""
    owners = [each for each in gc.get_referrers(variable) if isinstance(each, keras.Variable)]
    return any(not owner.trainable for owner in owners)
