"""What happens around the model while `fit` runs: the facts of the fit, against real fits whose facts are known."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from watched_models import Batches, compiled, points, tiny

from pipeline import Diagnosis
from pipeline.foundations.formats import load_arrays, save_arrays
from pipeline.history import record
from pipeline.history.agreement import expect_whole
from pipeline.recorder.fit_arguments import FitArguments, arguments_of_fit
from pipeline.recorder.fit_facts import FIT_FACTS
from pipeline.training.common.train_replicas import join_records


@pytest.fixture(autouse=True)
def without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MLflow, and names that count from the first."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)


class Reader(keras.callbacks.Callback):
    """Reads the arguments of its `fit`."""

    arguments: FitArguments

    def on_train_begin(self, logs: Any = None) -> None:
        """As Diagnosis does."""
        self.arguments = arguments_of_fit(self.model)


def read(model: keras.Model, *data: Any, **arguments: Any) -> FitArguments:
    """The arguments of a `fit`, as a callback reads them."""
    reader = Reader()
    model.fit(*data, verbose=0, callbacks=[reader], **arguments)
    return reader.arguments


def test_arguments_are_those_of_fit_after_the_split() -> None:
    model, inputs, labels = tiny()
    arguments = read(
        model, inputs, labels, validation_split=0.25, batch_size=24, epochs=3, class_weight={0: 1.0, 1: 2.0}
    )
    assert arguments.is_known
    assert arguments.has_arrays
    assert len(arguments.x) == len(arguments.y) == 72
    assert len(arguments.validation_arrays[0]) == 24
    assert arguments.sample_weight is None
    assert arguments.class_weight == {0: 1.0, 1: 2.0}
    assert (arguments.shuffle, arguments.validation_split, arguments.batch_size) == (True, 0.25, 24)
    assert (arguments.epochs, arguments.initial_epoch, arguments.steps_per_epoch) == (3, 0, None)
    assert isinstance(arguments.callbacks[0], Reader)


@pytest.mark.parametrize("data", [Batches, lambda: tf.data.Dataset.from_tensor_slices(points()).batch(16)])
def test_batches_are_no_arrays(data: Any) -> None:
    arguments = read(tiny()[0], data(), shuffle=False)
    assert arguments.is_known
    assert not arguments.has_arrays
    assert arguments.validation_arrays is None


def test_a_fit_of_the_models_own_has_no_known_arguments() -> None:
    class OwnFit(keras.Sequential):
        def fit(self, x: Any, y: Any, callbacks: Any, verbose: int) -> None:
            listed = keras.callbacks.CallbackList(callbacks, model=self)
            listed.on_train_begin()

    model = compiled(OwnFit([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]))
    assert read(model, *points()) == FitArguments()


def test_facts_are_stored_with_the_record(tmp_path: Path) -> None:
    histories = []
    for replica in range(2):
        keras.utils.clear_session(free_memory=False)  # layers of both models get the same names
        model, inputs, labels = tiny()
        diagnosis = Diagnosis(inputs, labels)
        model.fit(inputs, labels, verbose=0, callbacks=[diagnosis])
        histories.append(diagnosis.history.assign_coords(replica=[replica]))
    joined = join_records([diagnosis.watching.recorder.without_logs(each) for each in histories])
    path = tmp_path / "history.nc"
    save_arrays(joined, path)
    loaded = load_arrays(path, record.REQUIRED, record.OPTIONAL)
    expect_whole(loaded)
    facts = record.fit_facts(loaded)
    assert facts.keys() == FIT_FACTS.keys()
    assert all(each.shape == (2,) for each in facts.values())
    np.testing.assert_equal(facts, record.fit_facts(joined))


def test_a_record_without_facts_has_none() -> None:
    model, inputs, labels = tiny()
    diagnosis = Diagnosis(inputs, labels)
    model.fit(inputs, labels, verbose=0, callbacks=[diagnosis])
    assert record.fit_facts(diagnosis.history.drop_vars(record.FIT_FACT)) == {}
