"""Small models of every kind that the callback must watch, each with data to train it on and how `fit` is called."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

Built = tuple[keras.Model, Any, Any]
LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)


@dataclass(frozen=True)
class Kind:
    """make: the compiled model, inputs and targets. fit: further arguments. watch: of the callback. epochs: how many.
    validated: whether the training data are validation data too."""

    make: Callable[[], Built]
    fit: dict[str, Any] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)
    epochs: int = 2
    validated: bool = True


def points(rows: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Two inputs, and whether they lie within a circle."""
    inputs = np.random.default_rng(0).normal(size=(rows, 2)).astype("float32")
    return inputs, ((inputs**2).sum(axis=1) > 1.4).astype("int32")


def images(rows: int = 48, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Noise, brighter in one class."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, rows)
    return (random.normal(size=(rows, size, size, 3)) + labels[:, None, None, None]).astype("float32"), labels


def words(rows: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of words, and whether the first is a low one."""
    inputs = np.random.default_rng(0).integers(0, 20, (rows, 3))
    return inputs, (inputs[:, 0] < 10).astype("int32")


def compiled(model: keras.Model, loss: Any = "binary_crossentropy", **more: Any) -> keras.Model:
    """With momentum, whose graph is built in half the time of Adam's, and accuracy beside the loss."""
    momentum = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(**{"optimizer": momentum, "loss": loss, "metrics": ["accuracy"], **more})
    return model


def dense(**more: Any) -> Built:
    """Two hidden layers, with dropout between, and Adam."""
    hidden = [layers.Dense(8, "relu"), layers.Dropout(0.2), layers.Dense(8, "tanh")]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid", dtype="float32")])
    return compiled(model, **{"optimizer": keras.optimizers.Adam(0.01), **more}), *points()


def tiny(**more: Any) -> Built:
    """Two layers, and plain steps."""
    hidden = keras.Sequential([keras.Input((2,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    return compiled(hidden, optimizer=keras.optimizers.SGD(0.1), **more), *points()


def unbuilt(last: str = "sigmoid", loss: Any = "binary_crossentropy") -> Built:
    """Without a known input until it sees one."""
    return compiled(keras.Sequential([layers.Dense(8, "relu"), layers.Dense(1, last)]), loss), *points()


def compiled_by_xla() -> keras.Model:
    """One hidden layer, for XLA takes long."""
    hidden = [layers.Dense(4, "relu"), layers.Dropout(0.2)]
    return compiled(keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid")]), jit_compile=True)


def residual() -> Built:
    """Functional, with sums, batch normalisation and separate activations."""
    start = signal = keras.Input((2,))
    signal = layers.Dense(8)(signal)
    for _ in range(2):
        around = signal
        signal = layers.Dense(8, kernel_regularizer="l2")(signal)
        signal = layers.Activation("relu")(layers.BatchNormalization()(signal))
        signal = layers.Add()([around, signal])
    model = keras.Model(start, layers.Dense(1, "sigmoid")(signal))
    return compiled(model), *points()


def nested() -> Built:
    """A model in a model, and one layer that is called twice."""
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8, "relu"), layers.Dense(8)], name="inner")
    shared = layers.Dense(8, "tanh", name="shared")
    start = keras.Input((2,))
    signal = inner(shared(layers.Dense(8, "relu")(start)))
    return compiled(keras.Model(start, layers.Dense(1, "sigmoid")(shared(signal)))), *points()


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """With a call of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(8, "relu"), layers.Dense(8)
        self.leaky, self.last = layers.LeakyReLU(), layers.Dense(1, "sigmoid")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """A path around the second layer."""
        signal = self.first(inputs)
        return self.last(signal + self.leaky(self.second(signal)))


class OwnStep(Subclassed):
    """With a training step of its own, which calls `apply`."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """As Keras's."""
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(inputs, targets, self(inputs, training=True), weights)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def two_ways() -> Built:
    """Two inputs, two outputs."""
    start, other = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    signal = layers.Concatenate()([layers.Dense(4, "relu")(start), layers.Dense(4, "tanh")(other)])
    ends = {"one": layers.Dense(1, "sigmoid", name="one")(signal), "two": layers.Dense(1, name="two")(signal)}
    model = keras.Model({"left": start, "right": other}, ends)
    model.compile(keras.optimizers.Adam(0.01), {"one": "binary_crossentropy", "two": "mse"})
    inputs, labels = points()
    return model, {"left": inputs, "right": inputs[::-1].copy()}, {"one": labels, "two": inputs[:, :1]}


def embedded() -> Built:
    """An embedding, whose gradients are sparse; a mask, a penalty, and a learning rate that falls at each step."""
    stack = [
        layers.Embedding(20, 4, mask_zero=True),
        layers.LSTM(6, kernel_regularizer="l2"),
        layers.Dense(1, "sigmoid"),
    ]
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 4, 0.9)
    return compiled(keras.Sequential([keras.Input((3,)), *stack]), optimizer=keras.optimizers.Adam(rate)), *words()


def recurrent() -> Built:
    """A plain cell both ways, and a gated one."""
    inputs = np.random.default_rng(0).normal(size=(48, 3, 2)).astype("float32")
    back = layers.Bidirectional(layers.SimpleRNN(4, "relu", return_sequences=True))
    model = keras.Sequential([keras.Input((3, 2)), back, layers.GRU(4), layers.Dense(1)])
    return compiled(model, "mse", metrics=["mae"]), inputs, inputs.sum(axis=(1, 2))


def recurrent_everywhere() -> Built:
    """Padded and masked, in float16: a layer that is called twice, and a model in a model."""
    inputs, labels = words()
    with keras_policy("mixed_float16"):
        start, shared = keras.Input((3,)), layers.LSTM(4, return_sequences=True, name="shared")
        inner = keras.Sequential([keras.Input((3, 4)), layers.SimpleRNN(4, dropout=0.2)], name="inner")
        signal = shared(shared(layers.Embedding(20, 4, mask_zero=True)(start)))
        joined = layers.Concatenate()([inner(layers.Embedding(20, 4)(start)), signal[:, -1]])
        model = keras.Model(start, layers.Dense(1, "sigmoid", dtype="float32")(joined))
    return compiled(model), np.pad(inputs[:, :2], ((0, 0), (0, 1))), labels


def transformer() -> Built:
    """One block of attention."""
    start = keras.Input((3,))
    signal = layers.Embedding(20, 8)(start)
    signal = layers.LayerNormalization()(signal + layers.MultiHeadAttention(2, 4)(signal, signal))
    signal = layers.LayerNormalization()(signal + layers.Dense(8)(layers.Dense(16, "gelu")(signal)))
    return compiled(keras.Model(start, layers.Dense(1, "sigmoid")(signal[:, 0]))), *words()


def u_net() -> Built:
    """A class for every pixel; kinds of convolutions, and batch normalisation."""
    start = keras.Input((8, 8, 3))
    first = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(start)))
    deep = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    joined = layers.Concatenate()([first, layers.UpSampling2D()(deep)])
    end = layers.Conv2D(1, 1, activation="sigmoid")(joined)
    inputs, _ = images()
    return compiled(keras.Model(start, end)), inputs, (inputs.sum(axis=-1, keepdims=True) > 1).astype("int32")


def mobile_net() -> Built:
    """MobileNetV2 up to its first sum, on small images: each kind of its blocks; the rest repeats them."""
    inputs, labels = images(16, 32)
    body = keras.applications.MobileNetV2(input_shape=(32, 32, 3), weights=None, include_top=False)
    signal = layers.GlobalAveragePooling2D()(body.get_layer("block_2_add").output)
    model = keras.Model(body.input, layers.Dense(3, "softmax")(signal))
    return compiled(model, "sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01)), inputs, labels


def own_loss(targets: Any, outputs: Any) -> Any:
    """A loss that nobody knows."""
    return keras.ops.mean(keras.ops.abs(keras.ops.cast(targets[:, None], outputs.dtype) - outputs) ** 1.5, axis=-1)


def mixed() -> Built:
    """In float16, with a loss that is scaled."""
    with keras_policy("mixed_float16"):
        return dense()


class keras_policy:  # noqa: N801  a context
    """Keras's precision for the length of a context."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self._name)

    def __exit__(self, *error: object) -> None:
        keras.config.set_dtype_policy(self._before)


class Batches(keras.utils.PyDataset):
    """The points as a data set of Python's."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = points()
        return inputs[16 * place : 16 * place + 16], labels[16 * place : 16 * place + 16]


def generated() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches without end."""
    inputs, labels = points()
    while True:
        for start in range(0, 96, 16):
            yield inputs[start : start + 16], labels[start : start + 16]


def streamed() -> tuple[Any, None]:
    """As TensorFlow's data set, shuffled."""
    return tf.data.Dataset.from_tensor_slices(points()).shuffle(96, seed=3).batch(20), None


SAMPLE_WEIGHTS = np.linspace(0, 1, 96).astype("float32")
# What does not touch goes into one training; a name says all that is in it.
KINDS: dict[str, Kind] = {
    "sequential": Kind(lambda: dense(optimizer=keras.optimizers.Adam(0.01))),
    "unbuilt, from logits, Python's data set": Kind(
        lambda: (unbuilt("linear", LOGITS)[0], Batches(), None), {"validation_data": points()}, validated=False
    ),
    "functional": Kind(residual),
    "nested and shared, generator": Kind(
        lambda: (nested()[0], generated(), None), {"steps_per_epoch": 6, "validation_data": points()}, validated=False
    ),
    "subclassed, own loss, sample weights": Kind(
        lambda: (compiled(Subclassed(), own_loss), *points()), {"sample_weight": SAMPLE_WEIGHTS}, validated=False
    ),
    "own training step, data set": Kind(
        lambda: (compiled(OwnStep(), metrics=None), *streamed()), {"validation_data": points()}, validated=False
    ),
    "several inputs and outputs": Kind(two_ways),
    "embedding and LSTM, masked": Kind(embedded, validated=False),
    "recurrent": Kind(recurrent, watch={"histograms": False}, validated=False),
    "recurrent everywhere": Kind(recurrent_everywhere, watch={"histograms": False}, epochs=1, validated=False),
    "attention": Kind(transformer, watch={"histograms": False}, validated=False),
    "U-Net": Kind(u_net, validated=False),
    "mixed precision, class weights": Kind(mixed, {"class_weight": {0: 1.0, 1: 3.0}}, validated=False),
    "XLA": Kind(lambda: (compiled_by_xla(), *points()), validated=False),
    "several steps at once, clipped, part held back": Kind(
        lambda: dense(steps_per_execution=3, optimizer=keras.optimizers.SGD(0.1, global_clipnorm=0.1)),
        {"validation_split": 0.25},
        validated=False,
    ),
    "eager": Kind(lambda: dense(run_eagerly=True)),
    "MobileNetV2": Kind(mobile_net, watch={"histograms": False}, epochs=1, validated=False),
}
