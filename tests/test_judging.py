"""Judging a watched fit of any task: its score, the loss of the best constant outputs, and the reference."""

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from pipeline import Diagnosis
from pipeline.data.reference.reference import Reference
from pipeline.data.reference.yardstick import LEAST_SKILL
from pipeline.watch.judging.counted_rows import _padding
from pipeline.watch.judging.loss_scale import loss_scale
from pipeline.watch.judging.reference_inputs import _with_previous

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_models_once")]  # each trains a network

RANDOM = np.random.default_rng(0)
COLUMNS = RANDOM.normal(size=(400, 4)).astype("float32")
SIGNAL = COLUMNS @ np.array([1.0, -0.7, 0.4, 0.0])
NOISE = RANDOM.normal(size=400)


# For trainings of few steps, because a graph takes longest, and no judgement depends on it.
AT_ONCE = {"run_eagerly": True}


def network(outputs: int = 1, activation: str | None = None, inputs: int = 4, hidden: int = 8) -> keras.Sequential:
    keras.utils.set_random_seed(0)
    last = layers.Dense(outputs, activation)
    return keras.Sequential([keras.Input((inputs,)), layers.Dense(hidden, "relu"), last])


def watched(model: keras.Model, x: Any, y: Any, epochs: int = 12, given: bool = True, **fit: Any) -> Diagnosis:
    """Train on three quarters of the rows, and validate on the others; the first and the last epoch are recorded."""

    def part(rows: slice, values: Any) -> Any:
        return keras.tree.map_structure(lambda leaf: leaf[rows], values)

    cut = 3 * len(keras.tree.flatten(x)[0]) // 4
    rows = (part(slice(cut), x), part(slice(cut), y)) if given else ()
    diagnosis = Diagnosis(*rows, record_every=epochs)
    fit = {"validation_data": (part(slice(cut, None), x), part(slice(cut, None), y)), "batch_size": 25, **fit}
    callbacks = [*fit.pop("callbacks", ()), diagnosis]
    model.fit(part(slice(cut), x), part(slice(cut), y), epochs=epochs, verbose=0, callbacks=callbacks, **fit)
    return diagnosis


def yardstick(diagnosis: Diagnosis) -> dict[str, Any]:
    return json.loads(diagnosis.history.attrs["yardstick"])


def reference(diagnosis: Diagnosis) -> Reference:
    return Reference.model_validate_json(diagnosis.history.attrs["reference"])


def pinball(targets: Any, outputs: Any) -> Any:
    errors = ops.reshape(targets, ops.shape(outputs)) - outputs
    return ops.mean(ops.maximum(0.9 * errors, -0.1 * errors), axis=-1)


def density(targets: Any, outputs: Any) -> Any:
    """Return the negative logarithm of a normal density; the outputs are mean and logarithm of the deviation."""
    middle, width = outputs[:, 0], outputs[:, 1]
    return ops.mean(width + 0.5 * ((ops.reshape(targets, ops.shape(middle)) - middle) / ops.exp(width)) ** 2)


def power(targets: Any, outputs: Any) -> Any:
    return ops.mean(ops.abs(ops.reshape(targets, ops.shape(outputs)) - outputs) ** 1.5)


COUNTS = RANDOM.poisson(np.exp(0.8 * SIGNAL)).astype("float32")
VALUES = (SIGNAL + 0.5 * NOISE).astype("float32")
OUTLIERS = VALUES + 20 * (RANDOM.random(400) < 0.04).astype("float32")
LABELS = (SIGNAL + NOISE > 0).astype("float32")
RARE = (SIGNAL + NOISE > 1.9).astype("float32")
TAGS = np.stack([SIGNAL + NOISE > 0.5, COLUMNS[:, 3] > 0.3, COLUMNS[:, 1] > 1], axis=1).astype("float32")


@pytest.mark.parametrize(
    ("loss", "outputs", "activation", "targets"),
    [
        ("poisson", 1, "exponential", COUNTS),
        (pinball, 1, None, VALUES),
        pytest.param(density, 2, None, VALUES, marks=pytest.mark.long),
        pytest.param(keras.losses.Huber(), 1, None, OUTLIERS, marks=pytest.mark.long),
        ("binary_crossentropy", 3, "sigmoid", TAGS),
        pytest.param(power, 1, None, VALUES, marks=pytest.mark.long),
    ],
    ids=["counts", "a quantile", "a density", "outliers", "several labels", "a user's own loss"],
)
def test_other_losses_are_judged_by_their_skill(
    loss: Any, outputs: int, activation: str | None, targets: np.ndarray
) -> None:
    """A trained network is above the bar; a network whose weights never change is not."""
    good, still = network(outputs, activation), network(outputs, activation)
    good.compile(keras.optimizers.Adam(0.03), loss)
    diagnosis = watched(good, COLUMNS, targets)
    assert yardstick(diagnosis)["score"] == "skill"
    assert diagnosis.outcome == "learned", diagnosis.verdict.headline
    assert "Skill is 1 - loss" in str(diagnosis.verdict)
    still.compile(keras.optimizers.SGD(0.0), loss, **AT_ONCE)
    assert watched(still, COLUMNS, targets, epochs=1).outcome == "not_learned"


@pytest.mark.parametrize(
    ("metrics", "score"),
    [
        (["accuracy"], "balanced_accuracy"),
        ([], "balanced_accuracy"),
        (["AUC"], "auc"),
        (["accuracy", lambda: keras.metrics.AUC(curve="PR", name="pr")], "auc"),
        ([lambda: keras.metrics.PrecisionAtRecall(0.5)], "auc"),
    ],
)
def test_a_compiled_metric_of_ranking_is_the_score(metrics: list[Any], score: str) -> None:
    model = network(1, "sigmoid")
    made = [each() if callable(each) else each for each in metrics]
    model.compile("adam", "binary_crossentropy", metrics=made, **AT_ONCE)
    diagnosis = watched(model, COLUMNS, LABELS, epochs=1)
    assert yardstick(diagnosis)["score"] == score
    assert score in reference(diagnosis).scores["linear"]


def test_rare_classes_that_are_ranked_well_are_learned() -> None:
    """With a threshold of one half, the rare class is hardly ever predicted."""
    model = network(1, "sigmoid")
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["AUC"])
    diagnosis = watched(model, COLUMNS, RARE)
    assert (diagnosis.outcome, yardstick(diagnosis)["score"]) == ("learned", "auc")
    assert "AUC" in diagnosis.verdict.headline


def test_top_k_accuracy_has_the_k_of_the_compiled_metric() -> None:
    labels = np.digitize(SIGNAL + NOISE, [-1.5, -0.7, 0.0, 0.7, 1.5])
    model = network(6, "softmax")
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=[keras.metrics.SparseTopKCategoricalAccuracy(k=2)], **AT_ONCE
    )
    diagnosis = watched(model, COLUMNS, labels, epochs=2)
    assert yardstick(diagnosis) == {
        "score": "top_k_accuracy",
        "guess": 2 / 6,
        "usual": pytest.approx(2 / 3),
        "top_k": 2,
        "name": "",
    }


def two_outputs(rate: float) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    hidden = layers.Dense(8, "relu")(inputs)
    heads = [layers.Dense(1, name="price")(hidden), layers.Dense(1, "sigmoid", name="sold")(hidden)]
    model = keras.Model(inputs, heads)
    model.compile(keras.optimizers.Adam(rate), ["mse", "binary_crossentropy"])
    return model


def test_the_worst_of_several_outputs_decides() -> None:
    good = watched(two_outputs(0.03), COLUMNS, [VALUES, LABELS])
    assert good.outcome == "learned"
    assert "`price` R² " in good.verdict.headline
    assert "`sold` balanced accuracy " in good.verdict.headline
    unrelated = np.random.default_rng(1).integers(0, 2, 400).astype("float32")
    bad = watched(two_outputs(0.03), COLUMNS, [VALUES, unrelated])
    assert bad.outcome == "not_learned"
    price, sold = (json.loads(bad.history.attrs["outputs"])[place] for place in range(2))
    assert price["value"] > price["bar"]
    assert not sold["value"] > sold["bar"]


PICTURES = (np.outer(RANDOM.random(300), np.linspace(0, 1, 12)) + 0.2 * RANDOM.random((300, 12))).astype(
    "float32"
) / 1.2
PICTURES[:, 0] = 0.0  # as the edges of pictures


@pytest.mark.parametrize("loss", ["binary_crossentropy", pytest.param("mse", marks=pytest.mark.long)])
def test_an_autoencoder_is_judged_by_its_reconstruction(loss: str) -> None:
    model = network(12, "sigmoid", inputs=12)
    model.compile(keras.optimizers.Adam(0.02), loss)
    diagnosis = watched(model, PICTURES, PICTURES, epochs=20)
    assert (diagnosis.outcome, yardstick(diagnosis)["usual"]) == ("learned", LEAST_SKILL)
    assert "reference" not in diagnosis.history.attrs
    still = network(12, "sigmoid", inputs=12)
    still.compile(keras.optimizers.SGD(0.0), loss, **AT_ONCE)
    assert watched(still, PICTURES, PICTURES, epochs=1).outcome == "not_learned"


class OwnStep(keras.Model):
    """A model that computes its loss in its own step, and calls no `compute_loss`."""

    def __init__(self, has_targets: bool, outputs: int, rate: float) -> None:
        super().__init__()
        keras.utils.set_random_seed(0)
        self.inner = [layers.Dense(8, "relu"), layers.Dense(outputs)]
        self.has_targets = has_targets
        self.compile(keras.optimizers.Adam(rate), run_eagerly=not rate)

    def call(self, inputs: Any) -> Any:
        return self.inner[1](self.inner[0](inputs))

    def train_step(self, data: Any) -> dict[str, Any]:
        inputs, targets = data if self.has_targets else (data, data)
        with tf.GradientTape() as tape:
            outputs = self(inputs)
            loss = tf.reduce_mean((tf.reshape(targets, tf.shape(outputs)) - outputs) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@pytest.mark.parametrize("has_targets", [True, False])
@pytest.mark.parametrize(("rate", "outcome"), [(0.03, "learned"), (0.0, "not_learned")])
def test_a_step_without_a_callable_loss_is_judged_by_its_predictions(
    has_targets: bool, rate: float, outcome: str
) -> None:
    model = OwnStep(has_targets, 1 if has_targets else 12, rate)
    diagnosis = Diagnosis()
    arguments = (COLUMNS, VALUES) if has_targets else (PICTURES,)
    model.fit(*arguments, epochs=30 if rate else 2, verbose=0, callbacks=[diagnosis])
    assert diagnosis.outcome == outcome, diagnosis.verdict
    assert yardstick(diagnosis)["score"] == "r2"


def test_a_model_without_any_score_gets_the_reason() -> None:
    class OfMeans(OwnStep):
        """A model whose targets are the means of its outputs."""

        def train_step(self, data: Any) -> dict[str, Any]:
            inputs, targets = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((targets - tf.reduce_mean(self(inputs), axis=1)) ** 2)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    model = OfMeans(True, 3, 0.0)
    diagnosis = Diagnosis()
    model.fit(COLUMNS, VALUES, epochs=1, verbose=0, callbacks=[diagnosis])
    assert diagnosis.outcome is None
    assert "Cannot tell whether this model learned: its training step computes the loss itself" in str(
        diagnosis.verdict
    )


def test_units_of_an_embedding_are_no_classes() -> None:
    class Embedder(OwnStep):
        """A model whose step pulls rows of one label together."""

        def train_step(self, data: Any) -> dict[str, Any]:
            inputs, labels = data
            with tf.GradientTape() as tape:
                places = tf.linalg.normalize(self(inputs), axis=1)[0]
                same = tf.cast(labels[:, None] == labels[None, :], tf.float32)
                loss = tf.reduce_mean((tf.matmul(places, places, transpose_b=True) - same) ** 2)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    model, diagnosis = Embedder(True, 6, 0.0), Diagnosis()
    model.fit(COLUMNS, (COLUMNS[:, 0] > 0).astype("int32"), epochs=1, verbose=0, callbacks=[diagnosis])
    assert diagnosis.outcome is None
    assert "neither like its targets nor classes" in str(diagnosis.verdict)


def test_a_model_that_is_built_before_its_layers_is_watched() -> None:
    class Lazy(OwnStep):
        """A model whose `build` leaves its layers to the first batch."""

        def build(self, input_shape: Any) -> None:
            self.built = True

    model, diagnosis = Lazy(True, 1, 0.03), Diagnosis()
    model.build((None, COLUMNS.shape[1]))
    model.fit(COLUMNS, VALUES, epochs=2, verbose=0, callbacks=[diagnosis])
    assert diagnosis.outcome is not None


def test_a_model_whose_own_loss_is_nan_has_not_learned() -> None:
    model = network(2)
    model.compile("sgd", lambda y, p: ops.mean(p[:, 0] * np.nan), **AT_ONCE)
    assert watched(model, COLUMNS, VALUES, epochs=2).outcome == "not_learned"


def chain(count: int, length: int, ids: int) -> np.ndarray:
    """Return sequences in which each id makes some next ids likely."""
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.full(ids, 0.3), ids)
    rows = random.integers(0, ids, (count, length))
    for step in range(1, length):
        rows[:, step] = [random.choice(ids, p=shares[each]) for each in rows[:, step - 1]]
    return rows


@pytest.mark.parametrize("is_validated", [True, False])
def test_a_reference_by_step_does_not_see_the_next_id(is_validated: bool) -> None:
    """A flattened sequence would show the next id, which is the input of the next step: a score near 1."""
    rows = chain(160, 12, 8)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((11,), dtype="int32"), layers.Embedding(8, 8), layers.Dense(8)])
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    more = {} if is_validated else {"validation_data": None}
    diagnosis = watched(model, rows[:, :-1], rows[:, 1:], epochs=8, **more)
    known = reference(diagnosis)
    best = known.best("balanced_accuracy")[1]
    assert (known.inputs, known.part) == ("steps", "validation" if is_validated else "held-out training")
    assert 0.2 < best < 0.85
    assert diagnosis.outcome == "learned", diagnosis.verdict


def test_padding_does_not_count() -> None:
    ids = np.array([[3, 4, 0, 0], [5, 0, 2, 1]])
    targets = np.array([[4, 0, 0, 0], [0, 2, 1, 0]])
    assert _padding(ids, targets).tolist() == [[True, True, False, False], [True] * 4]


def test_masked_steps_are_left_out_of_the_scores() -> None:
    """All steps after a row's end predict the padding; if they counted, the score would be high."""
    rows = chain(80, 9, 6) + 1
    rows[:, 4:] = 0
    keras.utils.set_random_seed(0)
    layers_ = [layers.Embedding(7, 4, mask_zero=True), layers.SimpleRNN(4, return_sequences=True), layers.Dense(7)]
    model = keras.Sequential([keras.Input((8,), dtype="int32"), *layers_])
    model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True), **AT_ONCE)
    diagnosis = watched(model, rows[:, :-1], rows[:, 1:], epochs=1)
    outputs = np.asarray(model(rows[60:, :-1])).argmax(axis=-1)
    is_counted = rows[60:, :-1] != 0
    expected = (outputs == rows[60:, 1:])[is_counted].mean()
    assert float(diagnosis.history.validation_accuracy[0, -1]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("given", [True, False])
def test_the_reference_is_never_scored_on_rows_that_it_was_fitted_on(given: bool) -> None:
    """A forest predicts random labels perfectly on rows that it was fitted on, such as all rows given to Diagnosis."""
    random = np.random.default_rng(2)
    x, y = random.normal(size=(600, 5)).astype("float32"), random.integers(0, 2, 600).astype("float32")
    model = network(1, "sigmoid", inputs=5)
    model.compile("adam", "binary_crossentropy", **AT_ONCE)
    diagnosis = Diagnosis(x, y) if given else Diagnosis()
    if given:
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(50)
        arguments = {"x": batches, "validation_data": (x[:200], y[:200]), "shuffle": False}
    else:
        arguments = {"x": x, "y": y, "validation_split": 0.5}
    model.fit(**arguments, epochs=1, verbose=0, callbacks=[diagnosis])
    known = reference(diagnosis)
    assert known.scores["trees"]["balanced_accuracy"] < 0.65
    assert known.part == "validation"
    assert diagnosis.outcome == "not_learned"


def test_several_inputs_are_joined_if_all_are_columns() -> None:
    keras.utils.set_random_seed(0)
    group = RANDOM.integers(0, 5, 400)
    labels = ((SIGNAL > 0) ^ (group > 2)).astype("float32")
    inputs = {"columns": keras.Input((4,), name="columns"), "group": keras.Input((1,), name="group", dtype="int32")}
    joined = layers.concatenate([inputs["columns"], layers.CategoryEncoding(5)(inputs["group"])])
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(joined))
    model.compile("adam", "binary_crossentropy", **AT_ONCE)
    diagnosis = watched(model, {"columns": COLUMNS, "group": group[:, None]}, labels, epochs=1)
    assert reference(diagnosis).inputs == "columns"
    assert reference(diagnosis).scores["trees"]["balanced_accuracy"] > 0.7


def test_pictures_and_ids_keep_the_usual_bar() -> None:
    pictures = RANDOM.random((120, 4, 4, 1)).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", **AT_ONCE)
    diagnosis = watched(model, pictures, LABELS[:120], epochs=1)
    assert reference(diagnosis).inputs == "array"
    assert "(learned means above 0.75)" in diagnosis.verdict.headline


def test_a_copy_keeps_the_judgement() -> None:
    import pickle

    model = network(1, "exponential")
    model.compile("adam", "poisson", **AT_ONCE)
    diagnosis = watched(model, COLUMNS, COUNTS, epochs=2)
    assert str(pickle.loads(pickle.dumps(diagnosis)).verdict) == str(diagnosis.verdict)


@pytest.mark.parametrize(
    ("loss_of", "targets", "constant", "perfect"),
    [
        (lambda p: tf.reduce_mean((VALUES[:, None] - p) ** 2), VALUES, np.var(VALUES), 0.0),
        (lambda p: tf.reduce_mean(pinball(VALUES, p)), VALUES, None, 0.0),
        (lambda p: tf.reduce_sum(tf.abs(VALUES[:, None] - p)), VALUES, np.abs(VALUES - np.median(VALUES)).sum(), 0.0),
    ],
)
def test_the_losses_of_the_best_constant_and_of_perfect_outputs(
    loss_of: Callable[[Any], Any], targets: np.ndarray, constant: float | None, perfect: float
) -> None:
    outputs = np.zeros((400, 1), np.float32)
    outputs[0] = 1.0
    scale = loss_scale(loss_of, targets, outputs)
    if constant is None:
        quantile = np.full((400, 1), np.quantile(VALUES, 0.9), np.float32)
        constant = float(loss_of(tf.constant(quantile)))
    assert scale.constant == pytest.approx(constant, rel=2e-3)
    assert scale.perfect == pytest.approx(perfect, abs=1e-6)
    assert scale.skill(scale.constant) == 0
    assert scale.skill(scale.perfect) == 1


def test_a_loss_without_a_minimum_has_no_scale() -> None:
    outputs = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    assert loss_scale(lambda p: tf.reduce_mean(p), None, outputs) is None
    assert loss_scale(lambda p: tf.constant(1.0), None, outputs) is None


def test_a_model_whose_loss_has_no_minimum_is_judged_by_its_predictions() -> None:
    """The loss is the error without a square."""
    model = network()
    model.compile(keras.optimizers.Adam(0.01), lambda y, p: ops.mean(ops.reshape(y, ops.shape(p)) - p))
    diagnosis = watched(model, COLUMNS, VALUES, epochs=3)
    assert (diagnosis.outcome, yardstick(diagnosis)["score"]) == ("not_learned", "r2")


def test_a_step_has_its_own_input_and_the_previous_one() -> None:
    ids = _with_previous(np.array([[5, 7, 6]]), are_ids=True)
    assert ids.tolist() == [[10, 1], [14, 11], [12, 15]]  # even: now, odd: before
    values = np.arange(6.0).reshape(1, 3, 2)
    assert _with_previous(values, are_ids=False).tolist() == [[0, 1, 0, 0], [2, 3, 0, 1], [4, 5, 2, 3]]
