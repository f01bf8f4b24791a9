"""Measure facts about a model's inputs and possible outputs; a record may lack any of them."""

from collections.abc import Sequence

import keras

from pipeline.foundations.untyped import Batch
from pipeline.recorder import input_facts, output_facts
from pipeline.recorder.fit_hooks import FitHooks
from pipeline.recorder.guard import Guard
from pipeline.recorder.layers import Row
from pipeline.recorder.probe import Probe, Rows


class SideFacts:
    """Measures the facts of one model, and adds them to the record.

    facts: the record's own dict, by names of REPLICA_VALUES in `history.record`.
    """

    def __init__(self, model: keras.Model, facts: dict[str, float], guard: Guard) -> None:
        self.facts = facts
        self._model = model
        self._guard = guard
        self._is_model_measured = False

    def measure_rows(self, inputs: Batch, targets: Batch) -> None:
        """Measure all known rows."""
        with self._guard.optional("compare the targets with the inputs"):
            self.facts |= input_facts.of_rows(inputs, targets)

    def measure_model(self, rows: Sequence[Row], probe: Probe, data: Rows, hooks: FitHooks) -> None:
        """Measure the kind of the inputs, and the model's outputs, at the first measured state only."""
        if self._is_model_measured:
            return
        self._is_model_measured = True
        with self._guard.optional("determine the kind of the inputs"):
            self.facts |= input_facts.of_kind(self._model, data)
        with self._guard.optional("measure the range of the outputs"):
            self.facts |= output_facts.of_outputs(self._model, rows, probe, data, hooks.has_all_pairs)

    def compare_logged(self, is_same_rows: bool) -> None:
        """Add whether every `fit` so far logs the loss of the same rows as the record's training loss."""
        self.facts["logged_alike"] = min(float(is_same_rows), self.facts.get("logged_alike", 1.0))
