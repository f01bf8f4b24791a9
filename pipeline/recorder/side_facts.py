"""Facts about what a model gets and can give, measured into the record's `sides`; the record can do without each."""

from collections.abc import Sequence

import keras

from pipeline.foundations.untyped import Batch
from pipeline.recorder import input_facts, output_facts
from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import Row
from pipeline.recorder.probe import Probe, Rows


class SideFacts:
    """Measures the facts of one model.

    sides: by names of REPLICA_VALUES in `history.record`.
    """

    def __init__(self, model: keras.Model, sides: dict[str, float], guard: Guard) -> None:
        self.sides = sides
        self._model = model
        self._guard = guard
        self._has_model = False

    def measure_rows(self, inputs: Batch, targets: Batch) -> None:
        """Measure all rows at hand."""
        with self._guard.optional("compare the targets with the inputs"):
            self.sides |= input_facts.of_rows(inputs, targets)

    def measure_model(self, rows: Sequence[Row], probe: Probe, data: Rows, hooks: FitHooks) -> None:
        """Measure inputs and outputs of the model, once: at the first state that is measured."""
        if self._has_model:
            return
        self._has_model = True
        with self._guard.optional("measure the scale of the inputs"):
            self.sides |= input_facts.of_signal(self._model, rows, probe, data)
        with self._guard.optional("find the kind of the inputs"):
            self.sides |= input_facts.of_kind(self._model, data)
        with self._guard.optional("measure the range of the outputs"):
            self.sides |= output_facts.of_outputs(self._model, rows, probe, data, hooks.has_all_pairs)

    def compare_logged(self, is_alike: bool) -> None:
        """Note whether the first epoch of every `fit` so far trained on the rows of the record's training loss."""
        self.sides["logged_alike"] = min(float(is_alike), self.sides.get("logged_alike", 1.0))
