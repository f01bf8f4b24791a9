"""Read Keras's graph of a model: which layers a skip connection bypasses, and which are last before an output."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Protocol

import keras


class Node(Protocol):
    """The attributes that are read of Keras's node: one call of an operation; its parents give its inputs."""

    operation: keras.Operation
    parent_nodes: Sequence["Node"]
    output_tensors: Sequence[keras.KerasTensor]
    is_input: bool


class Graph:
    """The operations of a Functional or Sequential model, and their connections."""

    def __init__(self, functional: keras.Model) -> None:
        self._outputs = [_node(tensor) for tensor in keras.tree.flatten(functional.outputs)]
        self.nodes = list(_ancestors(self._outputs))

    @property
    def operations(self) -> list[keras.Operation]:
        """All operations, each once."""
        return list({id(node.operation): node.operation for node in self.nodes}.values())

    @property
    def ends(self) -> list[keras.Operation]:
        """The operations that give the outputs, each once."""
        return list({id(node.operation): node.operation for node in self._outputs}.values())

    def is_bypassed(self, operation: keras.Operation) -> bool:
        """Return whether every output that depends on the operation also has a path from an input around it."""
        for output in self._outputs:
            if not any(node.operation is operation for node in _ancestors([output])):
                continue
            around = _ancestors([output], stops_at=lambda node: node.operation is operation)
            if not any(node.is_input and node.operation is not operation for node in around):
                return False
        return True

    def last(self, is_counted: Callable[[keras.Operation], bool]) -> set[int]:
        """Return the ids of the counted operations that have a path to an output without another counted operation."""
        return {
            id(node.operation)
            for node in _ancestors(self._outputs, stops_at=lambda node: is_counted(node.operation))
            if is_counted(node.operation)
        }

    @property
    def number_count(self) -> int:
        """How many numbers all operations together return for one row; an unknown dimension counts as 1."""
        shapes = [tensor.shape[1:] for node in self.nodes for tensor in node.output_tensors]
        return sum(prod(size or 1 for size in shape) for shape in shapes)


def graph(layer: keras.Operation) -> Graph | None:
    """Return the graph of a Functional or built Sequential model; None for other models, which have none."""
    functional = getattr(layer, "_functional", None) or layer
    if not isinstance(functional, keras.Model) or not getattr(functional, "_nodes", None):
        return None
    if not getattr(functional, "outputs", None):
        return None
    return Graph(functional)


def _node(tensor: keras.KerasTensor) -> Node:
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def _ancestors(starts: Sequence[Node], stops_at: Callable[[Node], bool] = lambda node: False) -> Iterator[Node]:
    """Yield the starts and all their ancestors, each once; skip the ancestors of nodes at which `stops_at` is True."""
    visited: set[int] = set()
    remaining = list(starts)
    while remaining:
        node = remaining.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        yield node
        if not stops_at(node):
            remaining.extend(node.parent_nodes)
