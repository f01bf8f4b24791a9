"""Place all weights of a network in one flat vector, so that optimizer and statistics need few, large operations."""

from dataclasses import dataclass
from math import prod

from pipeline.foundations.tensorflow import keras, tf


@dataclass(frozen=True)
class Layout:
    """The place of each variable in the flat vector.

    paths: the path of each variable, in order.
    shapes: the shape of each variable, in order.
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
        """Split `flat`, [..., entry], into the entries of each variable, [..., size]."""
        return tf.split(flat, self.sizes, axis=-1)

    def variables(self, flat: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Split `flat`, [replica, entry], into the variables of all replicas, [replica, *shape]."""
        if not self.shapes:
            return ()
        pieces = self.pieces(flat)
        return tuple(tf.reshape(piece, (-1, *shape)) for piece, shape in zip(pieces, self.shapes, strict=True))

    def kernel_entries(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """Return from `flat`, [..., entry], the kernel entries of each layer, [..., size]."""
        pieces = self.pieces(flat)
        return [pieces[index] for index in self.kernels]
