"""Regression of table rows: noise, skewed targets, counts, quantiles, outliers, depth."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import HuberRegressor, RidgeCV
from sklearn.metrics import d2_tweedie_score, mean_pinball_loss, r2_score

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, mixed, parts, predictions


def diabetes(seed: int) -> Prepared:
    """Scikit-learn's 442 patients: half of the variance is noise."""
    columns, targets = mixed(seed, *load_diabetes(return_X_y=True))
    x, x_test, y, y_test = columns[:330] / 0.0476, columns[330:] / 0.0476, targets[:330], targets[330:]
    middle, spread = y.mean(), y.std()
    hidden = [layers.Dense(16, activation="relu"), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((10,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    stop = keras.callbacks.EarlyStopping(patience=15, restore_best_weights=True)
    arguments = {"x": x, "y": (y - middle) / spread, "validation_split": 0.2, "epochs": 80, "callbacks": [stop]}
    return Prepared(
        model,
        {**arguments, "batch_size": 16},
        lambda: r2_score(y_test, predictions(model, x_test) * spread + middle),
        lambda: r2_score(y_test, RidgeCV(np.logspace(-1, 3, 9)).fit(x, y).predict(x_test)),
        (x, (y - middle) / spread),
    )


def house_prices(seed: int) -> Prepared:
    """Prices over three decades, learned as logarithms of 100,000; raw columns behind a Normalization layer."""
    random, count = np.random.default_rng(seed), 3000
    area, age, rooms = random.lognormal(4.7, 0.4, count), random.integers(0, 90, count), random.integers(1, 9, count)
    place = random.uniform(-1, 1, (count, 2))
    price = 0.9 * np.log(area) - 0.006 * age + 0.04 * rooms - 1.2 * (place**2).sum(axis=1) - 3.3
    prices = np.exp(price + random.normal(0, 0.2, count)) * 1e5
    (x, y), (x_val, y_val), (x_test, y_test) = parts(
        np.column_stack([area, age, rooms, place]).astype("float32"), np.log(prices / 1e5).astype("float32")
    )
    scaling = layers.Normalization()
    scaling.adapt(x)
    hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((5,)), scaling, *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3), "mean_squared_error", metrics=["mae"])
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 30, "batch_size": 32},
        lambda: r2_score(y_test, predictions(model, x_test)),
        lambda: r2_score(y_test, HistGradientBoostingRegressor(max_iter=100).fit(x, y).predict(x_test)),
        (x, y),
    )


def bicycle_counts(seed: int) -> Prepared:
    """Rented bicycles an hour: counts with Poisson's loss and an exponential output."""
    random, count = np.random.default_rng(seed), 5000
    hour, warmth, rain = random.uniform(0, 24, count), random.normal(15, 8, count), random.random(count) < 0.2
    rate = np.exp(1.2 + 0.9 * np.sin((hour - 8) * np.pi / 12) + 0.04 * (warmth - 15) - 0.8 * rain)
    clock = 2 * np.pi * hour / 24
    columns = np.column_stack([np.sin(clock), np.cos(clock), (warmth - 15) / 8, rain]).astype("float32")
    (x, y, _), (x_val, y_val, _), (x_test, y_test, rate_test) = parts(columns, random.poisson(rate), rate)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="exponential")]
    )
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.Poisson())
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 25, "batch_size": 64},
        lambda: d2_tweedie_score(y_test, predictions(model, x_test), power=1),
        lambda: d2_tweedie_score(y_test, rate_test, power=1),
        (x, y),
    )


def ninth_decile(seed: int) -> Prepared:
    """The 0.9 quantile of a delivery's duration, by a pinball loss of one's own."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(10000, 6)).astype("float32")
    spread = np.exp(0.5 * columns[:, 0])
    durations = columns[:, 1] - 0.7 * columns[:, 2] + spread * random.normal(size=10000)
    true = columns[:, 1] - 0.7 * columns[:, 2] + 1.2816 * spread
    (x, y, _), (x_val, y_val, _), (x_test, y_test, true_test) = parts(columns, durations.astype("float32"), true)

    def pinball(targets: Any, outputs: Any) -> Any:
        errors = ops.reshape(targets, ops.shape(outputs)) - outputs
        return ops.mean(ops.maximum(0.9 * errors, -0.1 * errors), axis=-1)

    hidden = [layers.Dense(32, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(2e-3), pinball)
    stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)

    def skill(predicted: np.ndarray) -> float:
        constant = np.full(len(y_test), np.quantile(y, 0.9))
        return 1 - mean_pinball_loss(y_test, predicted, alpha=0.9) / mean_pinball_loss(y_test, constant, alpha=0.9)

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 20, "batch_size": 64, "callbacks": [stop]},
        lambda: skill(predictions(model, x_test)),
        lambda: skill(true_test),
        (x, y),
    )


def huber_with_outliers(seed: int) -> Prepared:
    """One target of twenty is grossly wrong; Huber's loss, judged on right targets."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(4000, 8)).astype("float32")
    right = columns[:, 0] - 0.8 * columns[:, 1] + 0.6 * columns[:, 2] + np.sin(2 * columns[:, 3])
    targets = right + random.normal(0, 0.3, 4000) + (random.random(4000) < 0.05) * random.normal(0, 15, 4000)
    (x, y, _), (x_val, y_val, _), (x_test, _, right_test) = parts(columns, targets.astype("float32"), right)
    hidden = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    model = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.Huber(1.0), metrics=["mae"])
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 20, "batch_size": 32},
        lambda: r2_score(right_test, predictions(model, x_test)),
        lambda: r2_score(right_test, HuberRegressor(max_iter=300).fit(x, y).predict(x_test)),
        (x, y),
    )


def deep_residual_mlp(seed: int) -> Prepared:
    """Seven residual blocks, sixteen layers deep, on Friedman's function; normalised, with clipped gradients."""
    columns, targets = make_friedman1(4000, 10, noise=1.0, random_state=seed)
    scaled = ((targets - 14.4) / 5).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts((columns * 2 - 1).astype("float32"), scaled)
    inputs = keras.Input((10,))
    stream = layers.Dense(32)(inputs)
    for _ in range(7):
        block = layers.LayerNormalization()(stream)
        block = layers.Dense(32, activation="gelu")(block)
        stream = layers.add([stream, layers.Dense(32)(block)])
    model = keras.Model(inputs, layers.Dense(1)(layers.LayerNormalization()(stream)))
    steps = 20 * -(-len(x) // 64)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=2e-3, warmup_steps=steps // 10)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0), "mse")
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 20, "batch_size": 64},
        lambda: r2_score(y_test, predictions(model, x_test)),
        lambda: r2_score(y_test, HistGradientBoostingRegressor(max_iter=150).fit(x, y).predict(x_test)),
        (x, y),
    )


PROGRAMS = (
    GoodProgram(
        diabetes,
        "tabular",
        "TensorFlow: basic regression, on scikit-learn's diabetes data",
        Expected("R2", "ridge regression", 0.04, 0.3),
    ),
    GoodProgram(
        house_prices,
        "tabular",
        "Chollet's Boston housing; Kaggle's house prices with logarithms",
        Expected("R2", "gradient boosted trees", 0.02, 0.85),
    ),
    GoodProgram(
        bicycle_counts,
        "tabular",
        "scikit-learn's Poisson regression of bicycle rentals, as a network",
        Expected("explained Poisson deviance", "the true rates", 0.03, 0.5),
    ),
    GoodProgram(
        ninth_decile,
        "tabular",
        "quantile regression with a loss of one's own, in many blog posts",
        Expected("1 - pinball loss / the constant quantile's", "the true quantile", 0.03, 0.3),
    ),
    GoodProgram(
        huber_with_outliers,
        "tabular",
        "Géron's textbook: regression with Huber's loss",
        Expected("R2 of right targets", "Huber's linear regression", 0.0, 0.85),
    ),
    GoodProgram(
        deep_residual_mlp,
        "tabular",
        "Gorishniy and others: residual networks for tables",
        Expected("R2", "gradient boosted trees", 0.02, 0.85),
    ),
)
