"""Lay out all weights of a network in one flat vector: optimizer and statistics become a few large operations."""

from dataclasses import dataclass
from math import prod

from pipeline.foundations.tensorflow import keras, tf


@dataclass(frozen=True)
class Layout:
    """Where each variable lies in the flat vector.

    paths, shapes: of the variables, in order.
    kernels: for each layer the position of its kernel among the variables.
    """

    paths: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    kernels: tuple[int, ...] = ()

    @classmethod
    def of(cls, variables: list[keras.Variable], kernels: tuple[str, ...] = ()) -> "Layout":
        """Return the layout of `variables`; `kernels` are the paths of the kernels of layers 1, 2, ..."""
        paths = tuple(variable.path for variable in variables)
        return cls(paths, tuple(tuple(v.shape) for v in variables), tuple(paths.index(path) for path in kernels))

    @property
    def sizes(self) -> list[int]:
        """Return the number of entries of each variable."""
        return [prod(shape) for shape in self.shapes]

    def pieces(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """Split [..., entry] into each variable's entries, [..., size]."""
        return tf.split(flat, self.sizes, axis=-1)

    def variables(self, flat: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Split [replica, entry] into each variable's stack, [replica, *shape]."""
        if not self.shapes:
            return ()
        pieces = self.pieces(flat)
        return tuple(tf.reshape(piece, (-1, *shape)) for piece, shape in zip(pieces, self.shapes, strict=True))

    def kernel_entries(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """Return the kernel entries of each layer, [..., size], of [..., entry]."""
        pieces = self.pieces(flat)
        return [pieces[index] for index in self.kernels]
