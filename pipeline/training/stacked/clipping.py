"""Clip the gradients of stacked replicas, each by its own norm; an optimizer would use the whole stack's norm."""

from pipeline.foundations.tensorflow import tf
from pipeline.models.keras_objects import Clipping
from pipeline.models.layout import Layout


def clip(gradient: tf.Tensor, layout: Layout, clipping: Clipping) -> tf.Tensor:
    """Return the gradient [replica, entry], clipped as Keras does (Pascanu et al. 2013, arXiv 1211.5063)."""
    if clipping.global_clipnorm is not None:
        return tf.clip_by_norm(gradient, clipping.global_clipnorm, axes=[1])
    if clipping.clipnorm is not None:
        pieces = layout.pieces(gradient)
        return tf.concat([tf.clip_by_norm(piece, clipping.clipnorm, axes=[1]) for piece in pieces], axis=1)
    return gradient
