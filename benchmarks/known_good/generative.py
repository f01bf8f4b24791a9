"""Reconstruction and generation: autoencoders, plain, denoising and variational."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, mixed, parts, predictions


def _explained(inputs: np.ndarray, outputs: np.ndarray) -> float:
    """Return the share of the variance over all rows and columns that the outputs explain."""
    errors = (inputs - np.asarray(outputs).reshape(inputs.shape)) ** 2
    return float(1 - errors.mean() / ((inputs - inputs.mean(axis=0)) ** 2).mean())


def _components(train: np.ndarray, test: np.ndarray, count: int) -> float:
    """Return what the same number of principal components explains of the test rows."""
    shapes = len(train), -1
    reduced = PCA(count, random_state=0).fit(train.reshape(shapes))
    flat = test.reshape(len(test), -1)
    return _explained(flat, reduced.inverse_transform(reduced.transform(flat)))


def _flat_digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    (pixels,) = mixed(seed, load_digits().data)
    (train,), (validation,), (test,) = parts((pixels / 16).astype("float32"))
    return train, validation, test


def digits_autoencoder(seed: int) -> Prepared:
    """Digits through a code of eight numbers; cross-entropy of the pixels."""
    train, validation, test = _flat_digits(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(8, name="code"),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    arguments = {"x": train, "y": train, "validation_data": (validation, validation), "shuffle": True}
    return Prepared(
        model,
        {**arguments, "epochs": 40, "batch_size": 32},
        lambda: _explained(test, predictions(model, test)),
        lambda: _components(train, test, 8),
        (train, train),
    )


def denoising_autoencoder(seed: int) -> Prepared:
    """Noisy digits to clean ones, by convolutions down and up."""
    random = np.random.default_rng(seed)
    clean = [part.reshape(-1, 8, 8, 1) for part in _flat_digits(seed)]
    noisy = [(part + random.normal(0, 0.4, part.shape)).clip(0, 1).astype("float32") for part in clean]
    inputs = keras.Input((8, 8, 1))
    hidden = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    hidden = layers.Conv2D(32, 3, 2, padding="same", activation="relu")(hidden)
    hidden = layers.Conv2D(32, 3, padding="same", activation="relu")(hidden)
    hidden = layers.Conv2DTranspose(32, 3, 2, padding="same", activation="relu")(hidden)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy")

    def baseline() -> float:
        flat = [(part[0].reshape(-1, 64), part[1].reshape(-1, 64)) for part in zip(noisy, clean, strict=True)]
        return _explained(flat[2][1], RidgeCV(np.logspace(-1, 3, 5)).fit(*flat[0]).predict(flat[2][0]))

    return Prepared(
        model,
        {"x": noisy[0], "y": clean[0], "validation_data": (noisy[1], clean[1]), "epochs": 25, "batch_size": 32},
        lambda: _explained(clean[2], model.predict(noisy[2], verbose=0)),
        baseline,
        (noisy[0], clean[0]),
    )


@keras.saving.register_keras_serializable("known_good")
class Sampling(layers.Layer):
    """Draw a code from its mean and the logarithm of its variance, and add their divergence to the losses.

    Args:
        weight: of the divergence in the loss; 0 where the model adds it itself.
    """

    def __init__(self, weight: float, **options: Any) -> None:
        super().__init__(**options)
        self.weight, self.random = weight, keras.random.SeedGenerator()

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Return the drawn codes."""
        mean, logarithm = inputs
        if self.weight:
            self.add_loss(self.weight * _divergence(mean, logarithm))
        return mean + ops.exp(0.5 * logarithm) * keras.random.normal(ops.shape(mean), seed=self.random)


def _divergence(mean: Any, logarithm: Any) -> Any:
    """Return the mean divergence of the codes' distribution from a standard normal one."""
    return ops.mean(ops.sum(-0.5 * (1 + logarithm - mean**2 - ops.exp(logarithm)), axis=1))


@keras.saving.register_keras_serializable("known_good")
class VariationalAutoencoder(keras.Model):
    """An encoder and a decoder with a step of their own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.encoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")])
        self.mean, self.logarithm, self.sampling = layers.Dense(2), layers.Dense(2), Sampling(0.0)
        self.decoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")])
        self.pixels = layers.Dense(64, activation="sigmoid")
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")]

    @property
    def metrics(self) -> list[keras.Metric]:
        """Return what an epoch reports."""
        return self.trackers

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the reconstruction of the mean code."""
        return self.pixels(self.decoder(self.mean(self.encoder(inputs))))

    def _terms(self, inputs: Any) -> tuple[Any, Any]:
        encoded = self.encoder(inputs)
        mean, logarithm = self.mean(encoded), self.logarithm(encoded)
        pixels = self.pixels(self.decoder(self.sampling((mean, logarithm))))
        crossentropy = ops.mean(64 * keras.losses.binary_crossentropy(inputs, pixels))
        return crossentropy, _divergence(mean, logarithm)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take a step and return the means so far."""
        with tf.GradientTape() as tape:
            crossentropy, divergence = self._terms(data)
            total = crossentropy + 0.3 * divergence
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(total, weights), weights, strict=True))
        for tracker, value in zip(self.trackers, (total, crossentropy, divergence), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def variational_autoencoder(seed: int) -> Prepared:
    """Digits in two variational dimensions, with a train_step of one's own."""
    train, validation, test = _flat_digits(seed)
    train = np.concatenate([train, validation])
    model = VariationalAutoencoder()
    model.compile(keras.optimizers.Adam(2e-3))
    return Prepared(
        model,
        {"x": train, "epochs": 60, "batch_size": 64},
        lambda: _explained(test, predictions(model, test)),
        lambda: _components(train, test, 2),
    )


def _waves(seed: int, count: int) -> np.ndarray:
    """Return noisy waves of 32 points that differ in phase, strength and offset."""
    random = np.random.default_rng(seed)
    phase, strength, offset = random.random((3, count, 1))
    waves = (0.5 + strength) * np.sin(np.linspace(0, 2 * np.pi, 32) + 2 * np.pi * phase) + offset - 0.5
    return (waves + random.normal(0, 0.1, waves.shape)).astype("float32")


def variational_by_added_loss(seed: int) -> Prepared:
    """Waves in four variational dimensions; the divergence comes by add_loss, the reconstruction by compile."""
    (train,), (validation,), (test,) = parts(_waves(seed, 4000))
    inputs = keras.Input((32,))
    hidden = layers.Dense(48, activation="relu")(inputs)
    code = Sampling(1e-3)((layers.Dense(4)(hidden), layers.Dense(4)(hidden)))
    model = keras.Model(inputs, layers.Dense(32)(layers.Dense(48, activation="relu")(code)))
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    return Prepared(
        model,
        {"x": train, "y": train, "validation_data": (validation, validation), "epochs": 30, "batch_size": 64},
        lambda: _explained(test, predictions(model, test)),
        lambda: _components(train, test, 3),
        (train, train),
    )


def anomalies_in_waves(seed: int) -> Prepared:
    """A convolutional autoencoder of ordinary waves; a spike in another shows as an error of reconstruction."""
    random = np.random.default_rng(seed)
    (train,), (validation,), (test,) = parts(_waves(seed, 3000)[..., None])
    spikes = np.zeros_like(test)
    spikes[np.arange(len(test)), random.integers(0, 32, len(test))] = random.choice([-0.8, 0.8], (len(test), 1))
    both, is_spiked = np.concatenate([test, test + spikes]), np.repeat([0, 1], len(test))
    model = keras.Sequential(
        [
            keras.Input((32, 1)),
            layers.Conv1D(16, 7, 2, padding="same", activation="relu"),
            layers.Conv1D(8, 7, 2, padding="same", activation="relu"),
            layers.Conv1DTranspose(8, 7, 2, padding="same", activation="relu"),
            layers.Conv1DTranspose(16, 7, 2, padding="same", activation="relu"),
            layers.Conv1D(1, 7, padding="same"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    stop = keras.callbacks.EarlyStopping(patience=5)

    def detected(reconstructed: np.ndarray) -> float:
        return float(roc_auc_score(is_spiked, np.abs(both - reconstructed.reshape(both.shape)).max(axis=(1, 2))))

    def baseline() -> float:
        reduced = PCA(3, random_state=0).fit(train[..., 0])
        return detected(reduced.inverse_transform(reduced.transform(both[..., 0])))

    arguments = {"x": train, "y": train, "validation_data": (validation, validation), "callbacks": [stop]}
    return Prepared(
        model,
        {**arguments, "epochs": 25, "batch_size": 64},
        lambda: detected(model.predict(both, verbose=0)),
        baseline,
        (train, train),
    )


PROGRAMS = (
    GoodProgram(
        digits_autoencoder,
        "generative",
        "Keras blog: building autoencoders",
        Expected("explained variance", "eight principal components", 0.0, 0.6),
    ),
    GoodProgram(
        denoising_autoencoder,
        "generative",
        "keras.io: convolutional autoencoder for image denoising",
        Expected("explained variance of clean pixels", "ridge regression", 0.01, 0.5),
    ),
    GoodProgram(
        variational_autoencoder,
        "generative",
        "keras.io: variational autoencoder",
        Expected("explained variance", "two principal components", 0.0, 0.3),
    ),
    GoodProgram(
        variational_by_added_loss,
        "generative",
        "Keras guide: a variational autoencoder with add_loss",
        Expected("explained variance", "three principal components, the true number", 0.03, 0.9),
    ),
    GoodProgram(
        anomalies_in_waves,
        "generative",
        "keras.io: timeseries anomaly detection using an autoencoder",
        Expected("AUC of spikes", "errors of three principal components, the form of the true model", 0.03, 0.9),
    ),
)
