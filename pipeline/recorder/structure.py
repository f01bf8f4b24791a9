"""Whether a path goes around a layer, and which layers end at an output: read from Keras's own graph of a model."""

from collections.abc import Callable, Iterator
from typing import Any

import keras


class Graph:
    """The operations of a Functional or Sequential model, and how they are joined.

    Keras keeps a node for each call of an operation; a node knows the nodes whose outputs it takes.
    """

    def __init__(self, functional: Any) -> None:
        self._outputs = [_node(tensor) for tensor in keras.tree.flatten(functional.outputs)]
        self.nodes = list(_above(self._outputs, lambda node: False))

    @property
    def operations(self) -> list[Any]:
        """Each once."""
        return list({id(node.operation): node.operation for node in self.nodes}.values())

    @property
    def ends(self) -> list[Any]:
        """The operations that give the outputs, each once."""
        return list({id(node.operation): node.operation for node in self._outputs}.values())

    def is_bypassed(self, operation: Any) -> bool:
        """Whether every output is still reached from an input where nothing passes through the operation."""
        for output in self._outputs:
            if not any(node.operation is operation for node in _above([output], lambda node: False)):
                continue
            around = _above([output], lambda node: node.operation is operation)
            if not any(node.is_input and node.operation is not operation for node in around):
                return False
        return True

    def last(self, counts: Callable[[Any], bool]) -> set[int]:
        """The ids of the operations that count and behind which none does, on some way to an output."""
        return {
            id(node.operation)
            for node in _above(self._outputs, lambda node: counts(node.operation))
            if counts(node.operation)
        }

    @property
    def entries(self) -> int:
        """Numbers that all operations give for one row, where shapes are known; what is not known counts as 1."""
        shapes = [tensor.shape[1:] for node in self.nodes for tensor in node.output_tensors]
        return sum(_product(shape) for shape in shapes)


def graph(layer: Any) -> Graph | None:
    """Of a Functional model or a built Sequential one; None for what is anything else, whose call alone knows."""
    functional = getattr(layer, "_functional", None) or layer
    if not isinstance(functional, keras.Model) or not getattr(functional, "_nodes", None):
        return None
    if not getattr(functional, "outputs", None):
        return None
    return Graph(functional)


def _node(tensor: Any) -> Any:
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def _above(starts: list[Any], stops_at: Callable[[Any], bool]) -> Iterator[Any]:
    """Every node from which one of `starts` is reached, themselves included, each once; nothing above a stop."""
    seen: set[int] = set()
    waiting = list(starts)
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if not stops_at(node):
            waiting.extend(node.parent_nodes)


def _product(shape: tuple[int | None, ...]) -> int:
    total = 1
    for size in shape:
        total *= size or 1
    return total
