"""Small pictures: digits, shapes, segmentation, fine-tuning, pairs."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

from benchmarks.known_good.good_program import Expected, GoodProgram, Parts, Prepared, mixed, parts, predictions


def _digits(seed: int) -> Parts:
    """Return scikit-learn's digits, 8 x 8 x 1 in [0, 1], to train, validate and test."""
    flat, labels = mixed(seed, *load_digits(return_X_y=True))
    return parts((flat / 16).reshape(-1, 8, 8, 1).astype("float32"), labels)


def _accuracy(model: keras.Model, test: tuple[np.ndarray, ...]) -> float:
    return float((predictions(model, test[0]).argmax(axis=1) == test[1]).mean())


def _linear(train: tuple[np.ndarray, ...], test: tuple[np.ndarray, ...]) -> float:
    """Return the accuracy of logistic regression on the pixels."""
    linear = LogisticRegression(max_iter=500).fit(train[0].reshape(len(train[0]), -1), train[1])
    return float(linear.score(test[0].reshape(len(test[0]), -1), test[1]))


def _support_vectors(train: tuple[np.ndarray, ...], test: tuple[np.ndarray, ...]) -> float:
    """Return the accuracy of support vectors with a Gaussian kernel on the pixels."""
    machine = SVC().fit(train[0].reshape(len(train[0]), -1), train[1])
    return float(machine.score(test[0].reshape(len(test[0]), -1), test[1]))


def digits_dense(seed: int) -> Prepared:
    """The textbook's first network: flat pixels, one wide layer, RMSprop, no validation data."""
    train, _, test = _digits(seed)
    model = keras.Sequential(
        [layers.Flatten(), layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "epochs": 20, "batch_size": 64},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test),
        train,
    )


def digits_convolutions(seed: int) -> Prepared:
    """Two convolutions with pooling and dropout, one-hot targets."""
    train, validation, test = _digits(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    targets = np.eye(10, dtype="float32")
    arguments = {"x": train[0], "y": targets[train[1]], "validation_data": (validation[0], targets[validation[1]])}
    return Prepared(
        model,
        {**arguments, "epochs": 15, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _support_vectors(train, test),
        (train[0], targets[train[1]]),
    )


def digits_augmented(seed: int) -> Prepared:
    """Shifts and turns inside the model, on 400 digits."""
    train, validation, test = _digits(seed)
    train = (train[0][:400], train[1][:400])
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
            layers.RandomRotation(0.03, fill_mode="constant"),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(48, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 50, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test),
        train,
    )


def _shapes(seed: int, count: int) -> Parts:
    """Return noisy pictures, 16 x 16 x 1, of a disc, a square, a cross or a ring at any place."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    centre, size = random.uniform(5, 10, (2, count, 1, 1)), random.uniform(3, 4.5, (count, 1, 1))
    down, right = np.mgrid[:16, :16]
    y, x = np.abs(down - centre[0]), np.abs(right - centre[1])
    radius, widest = np.hypot(x, y), np.maximum(x, y)
    ring = (radius < size) & (radius > size - 1.6)
    masks = [radius < size, widest < size * 0.85, (np.minimum(x, y) < 1) & (widest < size), ring]
    pictures = np.choose(labels[:, None, None], masks) + random.normal(0, 0.3, (count, 16, 16))
    return parts(pictures[..., None].astype("float32"), labels)


def shapes_normalised(seed: int) -> Prepared:
    """Convolutions with batch normalisation before each activation."""
    train, validation, test = _shapes(seed, 3000)
    model = keras.Sequential([keras.Input((16, 16, 1))])
    for filters in (12, 24, 48):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(4, activation="softmax"))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 18, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _support_vectors(train, test),
        train,
    )


class _Batches(keras.utils.PyDataset):
    """Shuffled batches, some of them mirrored."""

    def __init__(self, pictures: np.ndarray, labels: np.ndarray, seed: int) -> None:
        super().__init__()
        self.pictures, self.labels, self.random = pictures, labels, np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self.labels) // 32

    def __getitem__(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[32 * place : 32 * (place + 1)]
        return self.pictures[rows][:, :, :: self.random.choice([-1, 1])], self.labels[rows]

    def on_epoch_end(self) -> None:
        self.order = self.random.permutation(len(self.labels))


def shapes_residual(seed: int) -> Prepared:
    """A small residual network, momentum with a cosine schedule, batches from a PyDataset."""
    train, validation, test = _shapes(seed, 3000)
    batches = _Batches(*train, seed=seed)
    inputs = keras.Input((16, 16, 1))
    stream = layers.Conv2D(12, 3, padding="same", activation="relu")(inputs)
    for filters in (12, 24):
        block = layers.Conv2D(filters, 3, 2, padding="same", use_bias=False)(stream)
        block = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(block))
        block = layers.BatchNormalization(momentum=0.9)(
            layers.Conv2D(filters, 3, padding="same", use_bias=False)(block)
        )
        stream = layers.ReLU()(layers.add([block, layers.Conv2D(filters, 1, 2, padding="same")(stream)]))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(stream)))
    rate = keras.optimizers.schedules.CosineDecay(0.05, 12 * len(batches))
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": batches, "validation_data": validation, "epochs": 12},
        lambda: _accuracy(model, test),
        lambda: _support_vectors(train, test),
    )


def shapes_depthwise(seed: int) -> Prepared:
    """Separable convolutions as in a mobile network; the weights that stay are a moving average."""
    train, validation, test = _shapes(seed, 2000)
    model = keras.Sequential([keras.Input((16, 16, 1)), layers.Conv2D(16, 3, 2, padding="same", use_bias=False)])
    model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.ReLU(6.0))
    for filters, stride in ((24, 1), (32, 2)):
        model.add(layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU(6.0))
        model.add(layers.Conv2D(filters, 1, use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU(6.0))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(4, activation="softmax"))
    optimizer = keras.optimizers.Adam(4e-3, use_ema=True, ema_momentum=0.98)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 15, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _support_vectors(train, test),
        train,
    )


def digits_in_float16(seed: int) -> Prepared:
    """A convolutional network under the mixed_float16 policy, whose loss Keras scales."""
    train, validation, test = _digits(seed)
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 18, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test),
        train,
    )


def segmentation(seed: int) -> Prepared:
    """Discs on noise, pixel by pixel, by a small U-Net; batches from tf.data."""
    random = np.random.default_rng(seed)
    centre, size = random.uniform(5, 19, (2, 800, 2, 1, 1)), random.uniform(2.5, 5, (800, 2, 1, 1))
    down, right = np.mgrid[:24, :24]
    masks = (np.hypot(down - centre[0], right - centre[1]) < size).any(axis=1)
    pictures = (0.7 * masks + random.normal(0, 0.5, masks.shape)).astype("float32")
    train, validation, test = parts(pictures[..., None], masks[..., None].astype("float32"))
    inputs = keras.Input((24, 24, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    coarse = layers.Conv2D(16, 3, padding="same", activation="relu")(coarse)
    joined = layers.concatenate([layers.Conv2DTranspose(8, 2, 2)(coarse), fine])
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(layers.Conv2D(8, 3, padding="same", activation="relu")(joined))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])

    def overlap(predicted: np.ndarray, mask: np.ndarray) -> float:
        return float((predicted & mask).sum() / (predicted | mask).sum())

    def baseline() -> float:
        smooth = [gaussian_filter(part[0][..., 0], (0, 1.2, 1.2)) for part in (train, test)]
        best = max(np.linspace(0.1, 0.7, 25), key=lambda bar: overlap(smooth[0] > bar, train[1][..., 0] > 0))
        return overlap(smooth[1] > best, test[1][..., 0] > 0)

    batches = tf.data.Dataset.from_tensor_slices(train).cache().shuffle(500, seed=seed).batch(16).prefetch(2)
    return Prepared(
        model,
        {"x": batches, "validation_data": tf.data.Dataset.from_tensor_slices(validation).batch(16), "epochs": 15},
        lambda: overlap(predictions(model, test[0]) > 0.5, test[1][..., 0] > 0),
        baseline,
    )


def _tuned(seed: int, is_unfrozen: bool) -> Prepared:
    """Train a base on the digits 0 to 4, then a head for 5 to 9 on 200 pictures; then both where `is_unfrozen`."""
    train, validation, test = _digits(seed)
    old = train[1] < 5
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
        ]
    )
    few = (train[0][~old][:200], train[1][~old][:200] - 5)
    judged, held = [(part[0][part[1] >= 5], part[1][part[1] >= 5] - 5) for part in (validation, test)]
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(
        inputs, layers.Dense(5, activation="softmax")(layers.Dropout(0.2)(base(inputs, training=False)))
    )
    loss = "sparse_categorical_crossentropy"
    base.trainable = is_unfrozen
    model.compile(keras.optimizers.Adam(1e-4 if is_unfrozen else 3e-3), loss, metrics=["accuracy"])

    def before() -> None:
        base.trainable = True
        first = keras.Sequential([base, layers.Dense(5, activation="softmax")])
        first.compile("adam", loss)
        first.fit(train[0][old], train[1][old], epochs=10, verbose=0)
        base.trainable = False
        model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
        if is_unfrozen:
            model.fit(*few, epochs=15, batch_size=16, verbose=0)
            base.trainable = True
            model.compile(keras.optimizers.Adam(1e-4), loss, metrics=["accuracy"])

    return Prepared(
        model,
        {"x": few[0], "y": few[1], "validation_data": judged, "epochs": 20, "batch_size": 16},
        lambda: _accuracy(model, held),
        lambda: _linear(few, held),
        few,
        before,
    )


def fine_tuning_head(seed: int) -> Prepared:
    """The first stage of fine-tuning: a new head on a frozen base that knows other digits."""
    return _tuned(seed, is_unfrozen=False)


def fine_tuning_all(seed: int) -> Prepared:
    """The last stage of fine-tuning: the base is unfrozen and all trains on with a small learning rate."""
    return _tuned(seed, is_unfrozen=True)


def _contrastive(is_same: Any, distances: Any) -> Any:
    """Return the contrastive loss of Hadsell and others, with a margin of 1."""
    is_same = ops.cast(ops.reshape(is_same, ops.shape(distances)), distances.dtype)
    return ops.mean(is_same * distances**2 + (1 - is_same) * ops.maximum(1 - distances, 0) ** 2)


def siamese_pairs(seed: int) -> Prepared:
    """Are two digits the same? One embedding for both pictures, and the contrastive loss of their distance."""

    def paired(part: tuple[np.ndarray, ...], count: int) -> tuple[list[np.ndarray], np.ndarray]:
        random = np.random.default_rng(seed)
        first = random.integers(0, len(part[1]), count)
        others = [
            random.choice(np.flatnonzero((part[1] == part[1][row]) == (place % 2))) for place, row in enumerate(first)
        ]
        return [part[0][first], part[0][others]], (np.arange(count) % 2).astype("float32")

    train, validation, test = (
        paired(part, count) for part, count in zip(_digits(seed), (5000, 1000, 1000), strict=True)
    )
    tower = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dense(32, activation="tanh"),
            layers.Dense(10),
        ]
    )
    pair = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    square = ops.sum((tower(pair[0]) - tower(pair[1])) ** 2, axis=1, keepdims=True)
    model = keras.Model(pair, ops.sqrt(ops.maximum(square, 1e-7)))
    model.compile(keras.optimizers.RMSprop(1e-3), _contrastive)

    def baseline() -> float:
        first, second = test[0]
        return float(roc_auc_score(test[1], -((first - second) ** 2).sum(axis=(1, 2, 3))))

    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 12, "batch_size": 64},
        lambda: float(roc_auc_score(test[1], -predictions(model, test[0]))),
        baseline,
    )


PROGRAMS = (
    GoodProgram(
        digits_dense,
        "pictures",
        "Chollet's textbook: a first look at a neural network",
        Expected("accuracy", "logistic regression", 0.01, 0.93),
    ),
    GoodProgram(
        digits_convolutions,
        "pictures",
        "keras.io: simple MNIST convnet",
        Expected("accuracy", "support vectors with a Gaussian kernel", 0.015, 0.95),
    ),
    GoodProgram(
        digits_augmented,
        "pictures",
        "keras.io: image classification from scratch, with augmentation",
        Expected("accuracy", "logistic regression", 0.015, 0.93),
    ),
    GoodProgram(
        shapes_normalised,
        "pictures",
        "TensorFlow: convolutional networks, with batch normalisation",
        Expected("accuracy", "support vectors with a Gaussian kernel", 0.0, 0.95),
    ),
    GoodProgram(
        shapes_residual,
        "pictures",
        "Chollet's textbook: residual connections",
        Expected("accuracy", "support vectors with a Gaussian kernel", 0.0, 0.95),
    ),
    GoodProgram(
        shapes_depthwise,
        "pictures",
        "keras.io: a mobile network's blocks; Keras's moving average of weights",
        Expected("accuracy", "support vectors with a Gaussian kernel", 0.0, 0.9),
    ),
    GoodProgram(
        digits_in_float16,
        "pictures",
        "TensorFlow: mixed precision",
        Expected("accuracy", "logistic regression", 0.015, 0.95),
    ),
    GoodProgram(
        segmentation,
        "pictures",
        "keras.io: image segmentation with a U-Net-like architecture",
        Expected("intersection over union", "the best threshold of the smoothed picture", 0.0, 0.7),
    ),
    GoodProgram(
        fine_tuning_head,
        "pictures",
        "Keras guide: transfer learning, the frozen stage",
        Expected("accuracy", "logistic regression on the same 200 pictures", 0.02, 0.9),
    ),
    GoodProgram(
        fine_tuning_all,
        "pictures",
        "Keras guide: transfer learning, the unfrozen stage",
        Expected("accuracy", "logistic regression on the same 200 pictures", 0.01, 0.9),
    ),
    GoodProgram(
        siamese_pairs,
        "pictures",
        "keras.io: image similarity with a siamese network and contrastive loss",
        Expected("AUC of pairs", "distance of the pixels", 0.0, 0.95),
    ),
)
