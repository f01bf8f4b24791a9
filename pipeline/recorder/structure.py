"""Which layers a skip connection bypasses, and which end at an output, read from Keras's own graph of a model."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Protocol

import keras


class Node(Protocol):
    """What is read of Keras's node, which is one call of an operation: it knows the nodes whose outputs it takes."""

    operation: keras.Operation
    parent_nodes: Sequence["Node"]
    output_tensors: Sequence[keras.KerasTensor]
    is_input: bool


class Graph:
    """The operations of a Functional or Sequential model, and how they are joined."""

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
        """Return whether every output that depends on the operation is also reached from an input without it."""
        for output in self._outputs:
            if not any(node.operation is operation for node in _ancestors([output])):
                continue
            around = _ancestors([output], stops_at=lambda node: node.operation is operation)
            if not any(node.is_input and node.operation is not operation for node in around):
                return False
        return True

    def last(self, counts: Callable[[keras.Operation], bool]) -> set[int]:
        """Return the ids of the operations that count and that no other such operation follows on some way."""
        return {
            id(node.operation)
            for node in _ancestors(self._outputs, stops_at=lambda node: counts(node.operation))
            if counts(node.operation)
        }

    @property
    def entries(self) -> int:
        """How many numbers all operations give for one row; an unknown dimension counts as 1."""
        shapes = [tensor.shape[1:] for node in self.nodes for tensor in node.output_tensors]
        return sum(prod(size or 1 for size in shape) for shape in shapes)


def graph(layer: keras.Operation) -> Graph | None:
    """Return the graph of a Functional or built Sequential model; None for others, whose call alone knows it."""
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
    """Yield the starts and every node above them, each once; nothing above a node at which it stops."""
    visited: set[int] = set()
    waiting = list(starts)
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        yield node
        if not stops_at(node):
            waiting.extend(node.parent_nodes)
