"""One flat vector for all weights of a network: the optimizer and the statistics become a few large operations."""

from dataclasses import dataclass
from math import prod

from pipeline.foundations.tensorflow import keras, tf


@dataclass(frozen=True)
class Layout:
    """Where each variable lies in the flat vector: `paths` and `shapes` in order, `kernels` by layer."""

    paths: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    kernels: tuple[int, ...] = ()

    @classmethod
    def of(cls, variables: list[keras.Variable], kernels: tuple[str, ...] = ()) -> "Layout":
        """The layout of `variables`; `kernels` are the paths of those that belong to layers 1, 2, ..."""
        paths = tuple(variable.path for variable in variables)
        return cls(paths, tuple(tuple(v.shape) for v in variables), tuple(paths.index(path) for path in kernels))

    @property
    def sizes(self) -> list[int]:
        """Entries of each variable."""
        return [prod(shape) for shape in self.shapes]

    def pieces(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """[..., entry] cut into each variable's entries, [..., size]."""
        return tf.split(flat, self.sizes, axis=-1)

    def variables(self, flat: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """[replica, entry] as each variable's stack, [replica, *shape]."""
        if not self.shapes:
            return ()
        pieces = self.pieces(flat)
        return tuple(tf.reshape(piece, (-1, *shape)) for piece, shape in zip(pieces, self.shapes, strict=True))

    def kernel_entries(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """[..., entry] -> for each layer its kernel's entries, [..., size]."""
        pieces = self.pieces(flat)
        return [pieces[index] for index in self.kernels]
