"""Series and signals: forecasting, classification, memory."""

from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, parts, predictions


def _weather(seed: int, hours: int) -> np.ndarray:
    """Return scaled temperatures: a day's cycle, a year's, and weather that lasts some days."""
    random, time = np.random.default_rng(seed), np.arange(hours)
    weather = np.zeros(hours)
    for hour in range(1, hours):
        weather[hour] = 0.97 * weather[hour - 1] + random.normal(0, 0.25)
    series = np.sin(2 * np.pi * time / 24) + np.sin(2 * np.pi * time / 2000) + weather + random.normal(0, 0.1, hours)
    return ((series - series.mean()) / series.std()).astype("float32")


def temperature_next_hour(seed: int) -> Prepared:
    """A day of hours to the next one, by an LSTM; windows from timeseries_dataset_from_array."""
    series = _weather(seed, 5000)

    def windows(first: int, last: int, is_shuffled: bool = False) -> Any:
        return keras.utils.timeseries_dataset_from_array(
            series[first : last - 24, None],
            series[first + 24 : last],
            24,
            batch_size=64,
            shuffle=is_shuffled,
            seed=seed,
        )

    model = keras.Sequential([keras.Input((24, 1)), layers.LSTM(16), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)
    inputs = np.lib.stride_tricks.sliding_window_view(series[4000:-1], 24)
    targets = series[4024:]

    def baseline() -> float:
        before = np.lib.stride_tricks.sliding_window_view(series[:2999], 24)
        return r2_score(targets, RidgeCV().fit(before, series[24:3000]).predict(inputs))

    return Prepared(
        model,
        {"x": windows(0, 3000, True), "validation_data": windows(3000, 4000), "epochs": 8, "callbacks": [stop]},
        lambda: r2_score(targets, predictions(model, inputs[..., None])),
        baseline,
    )


def twelve_hours_ahead(seed: int) -> Prepared:
    """Two days of hours to the next twelve at once, by dilated convolutions."""
    cut = np.lib.stride_tricks.sliding_window_view(_weather(seed, 5000), 60)
    (x, y), (x_val, y_val), (x_test, y_test) = parts(cut[:, :48, None].copy(), cut[:, 48:].copy())
    inputs = keras.Input((48, 1))
    hidden: Any = inputs
    for dilation in (1, 2, 4):
        hidden = layers.Conv1D(16, 3, padding="causal", dilation_rate=dilation, activation="relu")(hidden)
    model = keras.Model(inputs, layers.Dense(12)(layers.Flatten()(hidden)))
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 20, "batch_size": 32, "callbacks": [stop]},
        lambda: r2_score(y_test, predictions(model, x_test)),
        lambda: r2_score(y_test, RidgeCV(np.logspace(-1, 3, 5)).fit(x[..., 0], y).predict(x_test[..., 0])),
        (x, y),
    )


def _motions(seed: int, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return signals of three axes and which of five motions they show: each has its frequency and its axes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, count)
    speeds = np.array([0.05, 0.08, 0.12, 0.12, 0.18])[labels] * random.uniform(0.9, 1.1, count)
    strengths = np.array([[1, 0.3, 0.1], [0.8, 0.8, 0.2], [0.2, 1, 0.6], [1, 0.2, 0.6], [0.5, 0.5, 1]])[labels]
    phases = 2 * np.pi * (speeds[:, None] * np.arange(length) + random.random((count, 1)))
    signals = np.sin(phases)[..., None] * strengths[:, None] + random.normal(0, 0.7, (count, length, 3))
    return signals.astype("float32"), labels


def _trees(train: tuple[np.ndarray, ...], test: tuple[np.ndarray, ...]) -> float:
    """Return the accuracy of trees on the spectra of the signals."""
    spectra = [np.abs(np.fft.rfft(part[0], axis=1)).reshape(len(part[0]), -1) for part in (train, test)]
    trees = ExtraTreesClassifier(100, random_state=0).fit(spectra[0], train[1])
    return float(trees.score(spectra[1], test[1]))


def motions_by_gru(seed: int) -> Prepared:
    """Five motions from three axes of acceleration, by a GRU in both directions."""
    train, validation, test = parts(*_motions(seed, 2400, 32))
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Bidirectional(layers.GRU(32)),
            layers.Dropout(0.2),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation, "epochs": 10, "batch_size": 32},
        lambda: float((predictions(model, test[0]).argmax(axis=1) == test[1]).mean()),
        lambda: _trees(train, test),
        train,
    )


def engine_noise(seed: int) -> Prepared:
    """Whole signals by three normalised convolutions, with a plateau's smaller learning rate and early stopping."""
    train, validation, test = parts(*_motions(seed, 2000, 64))
    inputs = keras.Input((64, 3))
    hidden: Any = inputs
    for _ in range(3):
        hidden = layers.Conv1D(24, 5, padding="same")(hidden)
        hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(hidden)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    slower = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=4, min_lr=1e-4)
    stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    arguments = {"x": train[0], "y": train[1], "validation_data": validation, "callbacks": [slower, stop]}
    return Prepared(
        model,
        {**arguments, "epochs": 30, "batch_size": 32},
        lambda: float((predictions(model, test[0]).argmax(axis=1) == test[1]).mean()),
        lambda: _trees(train, test),
        train,
    )


class _Reset(keras.callbacks.Callback):
    """Forget the states before each epoch, which begins with the streams' first steps again."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.layers[0].reset_state()


def stateful_streams(seed: int) -> Prepared:
    """Sixteen streams, cut into chunks of 20 steps that follow each other in batches: the states are carried along."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(16, 1600)).astype("float32")
    levels = np.zeros_like(inputs)
    for step in range(1600):
        levels[:, step] = 0.97 * levels[:, step - 1] * (step > 0) + 0.25 * inputs[:, step]
    targets = (levels + random.normal(0, 0.1, levels.shape)).astype("float32")

    def chunks(streams: np.ndarray) -> np.ndarray:
        return streams.reshape(16, -1, 20, 1).swapaxes(0, 1).reshape(-1, 20, 1)

    (x, y), (x_val, y_val), (x_test, y_test) = parts(chunks(inputs), chunks(targets))
    recurrent = layers.GRU(16, return_sequences=True, stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(16, 20, 1)), recurrent, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(5e-3), "mse")

    def score() -> float:
        recurrent.reset_state()
        return r2_score(y_test.ravel(), model.predict(x_test, batch_size=16, verbose=0).ravel())

    def baseline() -> float:
        def table(first: int, last: int) -> np.ndarray:
            return np.lib.stride_tricks.sliding_window_view(inputs[:, first:last], 20, axis=1).reshape(-1, 20)

        linear = RidgeCV().fit(table(0, 960), targets[:, 19:960].ravel())
        return r2_score(targets[:, 1299:].ravel(), linear.predict(table(1280, 1600)))

    arguments = {"x": x, "y": y, "validation_data": (x_val, y_val), "shuffle": False, "callbacks": [_Reset()]}
    return Prepared(model, {**arguments, "epochs": 30, "batch_size": 16}, score, baseline)


PROGRAMS = (
    GoodProgram(
        temperature_next_hour,
        "sequences",
        "keras.io: timeseries forecasting for weather prediction",
        Expected("R2", "ridge regression on the window, near the true process", 0.025, 0.85),
    ),
    GoodProgram(
        twelve_hours_ahead,
        "sequences",
        "TensorFlow: time series forecasting, many steps at once",
        Expected("R2", "ridge regression on the window, near the true process", 0.06, 0.4),
    ),
    GoodProgram(
        motions_by_gru,
        "sequences",
        "activity recognition from a telephone's sensors, in many tutorials",
        Expected("accuracy", "trees on spectra", 0.03, 0.85),
    ),
    GoodProgram(
        engine_noise,
        "sequences",
        "keras.io: timeseries classification from scratch",
        Expected("accuracy", "trees on spectra", 0.02, 0.9),
    ),
    GoodProgram(
        stateful_streams,
        "sequences",
        "Keras guide: working with RNNs, cross-batch statefulness",
        Expected("R2", "ridge regression on the last 20 steps", 0.0, 0.8),
    ),
)
