"""Faults of the model's structure: equal units, frozen layers, moving averages, too many weights."""

import keras
import numpy as np
from keras import initializers, layers, optimizers
from sklearn.datasets import make_circles

from benchmarks.known_faults.parts import compile_model, digits, stack
from benchmarks.known_faults.program import Program, ProgramData


def unfreeze_data(repaired: bool) -> ProgramData:
    x, y = make_circles(900, noise=0.08, factor=0.5, random_state=1)
    x, y = x.astype("float32"), y.astype("int32")
    return ProgramData(x[:600], y[:600], x[600:], y[600:])


def unfreeze_model(repaired: bool) -> keras.Model:
    """Train the output layer alone first, then make the body trainable; only compiling again makes that effective."""

    def compile_it() -> None:
        compile_model(model, optimizers.Adam(0.02), "binary_crossentropy")

    body = stack(2, layers.Dense(16, "tanh"), layers.Dense(2, "tanh"))
    model = keras.Sequential([body, layers.Dense(1, "sigmoid")])
    body.trainable = False
    compile_it()
    data = unfreeze_data(repaired)
    model.fit(data.x, data.y, batch_size=32, epochs=1, verbose=0)
    body.trainable = True
    if repaired:
        compile_it()
    return model


def zero_weights_data(repaired: bool) -> ProgramData:
    return digits()


def zero_weights_model(repaired: bool) -> keras.Model:
    start = initializers.RandomUniform(-0.1, 0.1) if repaired else "zeros"
    sequence = [
        layers.Dense(100, "sigmoid", kernel_initializer=start),
        layers.Dense(10, "softmax", kernel_initializer=start),
    ]
    return compile_model(stack(64, *sequence), optimizers.SGD(0.5), "sparse_categorical_crossentropy")


def constant_kernels_data(repaired: bool) -> ProgramData:
    return digits()


def constant_kernels_model(repaired: bool) -> keras.Model:
    start = "glorot_uniform" if repaired else initializers.Constant(0.05)
    sequence = [
        layers.Dense(32, "relu", kernel_initializer=start),
        layers.Dense(32, "relu", kernel_initializer=start),
        layers.Dense(10, "softmax", kernel_initializer=start),
    ]
    return compile_model(stack(64, *sequence), optimizers.Adam(0.003), "sparse_categorical_crossentropy")


def frozen_body_data(repaired: bool) -> ProgramData:
    return digits()


def frozen_body_model(repaired: bool) -> keras.Model:
    body = stack(64, layers.Dense(32, "relu"), layers.Dense(4, "tanh"))
    body.trainable = repaired
    model = keras.Sequential([body, layers.Dense(10, "softmax")])
    return compile_model(model, optimizers.Adam(0.01), "sparse_categorical_crossentropy")


def faint_ink_data(repaired: bool) -> ProgramData:
    """Return digits of low contrast: pixels from 0.8 to 0.9."""
    x, y, x_held_out, y_held_out = digits()
    return ProgramData(0.9 - 0.1 * x, y, 0.9 - 0.1 * x_held_out, y_held_out)


def faint_ink_model(repaired: bool) -> keras.Model:
    sequence = [
        layers.BatchNormalization(momentum=0.9 if repaired else 0.999),
        layers.Dense(64, "relu"),
        layers.Dense(10, "softmax"),
    ]
    return compile_model(stack(64, *sequence), optimizers.Adam(0.003), "sparse_categorical_crossentropy")


def few_rows_data(repaired: bool) -> ProgramData:
    random = np.random.default_rng(10)
    x = random.normal(size=(3000, 60)).astype("float32")
    y = (x[:, 0] + x[:, 1] - x[:, 2] > 0).astype("int32")
    train = 2000 if repaired else 50
    return ProgramData(x[:train], y[:train], x[2000:], y[2000:])


def few_rows_model(repaired: bool) -> keras.Model:
    sequence = [layers.Dense(512, "relu"), layers.Dense(128, "relu"), layers.Dense(1, "sigmoid")]
    return compile_model(stack(60, *sequence), optimizers.Adam(0.001), "binary_crossentropy")


def word_vectors_data(repaired: bool) -> ProgramData:
    """Return texts on four subjects; a tenth of the 200 words belongs to each subject, the others to none."""
    random = np.random.default_rng(16)
    subject = random.integers(0, 4, 1000)
    own = subject[:, None] * 20 + random.integers(0, 20, (1000, 15))
    common = random.integers(80, 200, (1000, 15))
    x = np.where(random.uniform(size=(1000, 15)) < 0.35, own, common).astype("int32")
    y = subject.astype("int32")
    return ProgramData(x[:800], y[:800], x[800:], y[800:])


def word_vectors_model(repaired: bool) -> keras.Model:
    sequence = [layers.GlobalAveragePooling1D(), layers.Dense(16, "relu"), layers.Dense(4, "softmax")]
    model = stack(15, layers.Embedding(200, 8, trainable=repaired), *sequence)
    return compile_model(model, optimizers.Adam(0.01), "sparse_categorical_crossentropy")


def no_activation_data(repaired: bool) -> ProgramData:
    x, y = make_circles(900, noise=0.08, factor=0.5, random_state=11)
    x, y = (x / x.std()).astype("float32"), y.astype("int32")
    return ProgramData(x[:600], y[:600], x[600:], y[600:])


def no_activation_model(repaired: bool) -> keras.Model:
    hidden = [layers.Dense(16, "relu" if repaired else None) for _ in range(3)]
    return compile_model(stack(2, *hidden, layers.Dense(1, "sigmoid")), optimizers.Adam(0.01), "binary_crossentropy")


PROGRAMS = (
    Program(
        name="unfreeze",
        fault="Frozen hidden layers, made trainable without compiling again: they stay frozen.",
        remedy="Compiling again after `trainable` is changed.",
        truth=("frozen",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=30,
        batch_size=32,
        data=unfreeze_data,
        model=unfreeze_model,
    ),
    Program(
        name="zero_weights",
        fault="All kernels are 0, so all hidden units stay equal.",
        remedy="Small random kernels.",
        truth=("symmetric",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=20,
        batch_size=32,
        data=zero_weights_data,
        model=zero_weights_model,
    ),
)
MORE = (
    Program(
        name="constant_kernels",
        fault="All weights of all kernels are 0.05.",
        remedy="Random kernels.",
        truth=("symmetric",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=15,
        batch_size=32,
        data=constant_kernels_data,
        model=constant_kernels_model,
    ),
    Program(
        name="frozen_body",
        fault="Random hidden layers that are not trainable, the last of them narrow.",
        remedy="Trainable hidden layers.",
        truth=("frozen",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=20,
        batch_size=32,
        data=frozen_body_data,
        model=frozen_body_model,
    ),
    Program(
        name="faint_ink",
        fault="Batch normalisation after two hundred steps, whose moving averages need a thousand.",
        remedy="Moving averages over ten steps (`momentum=0.9`).",
        truth=("batch_statistics",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=5,
        batch_size=32,
        data=faint_ink_data,
        model=faint_ink_model,
    ),
    Program(
        name="few_rows",
        fault="Fifty rows with many irrelevant columns, and a wide network that memorises them.",
        remedy="Two thousand rows.",
        truth=("overfitting",),
        also=(),
        learned={"accuracy": 0.8},
        epochs=20,
        batch_size=32,
        data=few_rows_data,
        model=few_rows_model,
    ),
    Program(
        name="word_vectors",
        fault="Word vectors that are random, because they were never loaded, and not trainable.",
        remedy="Trainable word vectors.",
        truth=("frozen",),
        also=(),
        learned={"accuracy": 0.85},
        epochs=15,
        batch_size=32,
        data=word_vectors_data,
        model=word_vectors_model,
    ),
    Program(
        name="no_activation",
        fault="Hidden layers without an activation: the network is linear, and circles need more.",
        remedy="ReLU hidden layers.",
        truth=("unexplained",),
        also=(),
        learned={"accuracy": 0.9},
        epochs=20,
        batch_size=32,
        data=no_activation_data,
        model=no_activation_model,
    ),
)
