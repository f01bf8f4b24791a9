"""Count the steps that the optimizer took against the batches that `fit` ran, and read the loss scale."""

import keras
import numpy as np

from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.layers import optimizers


class Updates:
    """Counts the updates of one model's weights, epoch by epoch."""

    def __init__(self, model: keras.Model, hooks: FitHooks) -> None:
        self._model = model
        self._hooks = hooks
        self._before: tuple[float, float] | None = None  # steps and batches before the epoch
        self._first_scale: float | None = None

    def begin(self) -> None:
        """Read the loss scale before the first step."""
        if self._first_scale is None:
            self._first_scale = self._scale()

    def epoch_begins(self) -> None:
        """Start counting."""
        self._before = self._counts()

    def epoch_ends(self) -> dict[str, float]:
        """Return `updates_applied` and `loss_scale_fall`, each where it is known."""
        facts: dict[str, float] = {}
        now, scale = self._counts(), self._scale()
        if now is not None and self._before is not None:
            steps, batches = (after - before for after, before in zip(now, self._before, strict=True))
            facts |= {"updates_applied": steps / batches} if batches > 0 else {}
        if scale is not None and self._first_scale:
            facts["loss_scale_fall"] = scale / self._first_scale
        return facts

    def _counts(self) -> tuple[float, float] | None:
        """Return the optimizer's steps and the batches so far.

        None if batches are not counted, or if the model has several optimizers, of which any may take the steps.
        """
        batches = self._hooks.batches
        if len(optimizers(self._model)) != 1 or batches is None:
            return None
        optimizer = self._model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        # With accumulated gradients, `iterations` counts groups of steps, and `_iterations` steps.
        steps = getattr(inner, "_iterations", inner.iterations)
        return float(np.asarray(steps)), batches

    def _scale(self) -> float | None:
        optimizer = self._model.optimizer
        if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return None
        return float(np.asarray(optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale))
