"""Models with several inputs or outputs, and recommenders."""

import keras
import numpy as np
from keras import layers, regularizers
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, parts, predictions


def support_tickets(seed: int) -> Prepared:
    """A title's ids, a text's ids and the sender's tags give a priority and a department."""
    random, count = np.random.default_rng(seed), 3000
    department, urgency = random.integers(0, 4, count), random.random(count)
    shares = random.dirichlet(0.3 * np.ones(120), 4)
    title, body = (np.stack([random.choice(120, size, p=shares[place]) for place in department]) for size in (4, 12))
    tags = (random.random((count, 6)) < urgency[:, None]).astype("float32")
    priority = (urgency + random.normal(0, 0.1, count)).astype("float32")
    train, validation, test = parts(title, body, tags, priority, department)
    inputs = {name: keras.Input((size,), name=name) for name, size in (("title", 4), ("body", 12), ("tags", 6))}
    pooled = [
        layers.GlobalAveragePooling1D()(layers.Embedding(120, 16)(inputs["title"])),
        layers.LSTM(16)(layers.Embedding(120, 16)(inputs["body"])),
    ]
    joined = layers.concatenate([*pooled, inputs["tags"]])
    outputs = {
        "priority": layers.Dense(1, name="priority")(joined),
        "department": layers.Dense(4, activation="softmax", name="department")(joined),
    }
    model = keras.Model(inputs, outputs)
    losses = {"priority": "mse", "department": "sparse_categorical_crossentropy"}
    model.compile("adam", losses, loss_weights={"priority": 1.0, "department": 0.5}, metrics={"department": "accuracy"})

    def named(part: tuple[np.ndarray, ...]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        return dict(zip(inputs, part[:3], strict=True)), {"priority": part[3], "department": part[4]}

    def score() -> float:
        predicted = model.predict(named(test)[0], verbose=0)
        right = (predicted["department"].argmax(axis=1) == test[4]).mean()
        return float((right + r2_score(test[3], predicted["priority"][:, 0])) / 2)

    def baseline() -> float:
        def counts(part: tuple[np.ndarray, ...]) -> np.ndarray:
            return np.eye(120)[np.column_stack(part[:2])].sum(axis=1)

        right = LogisticRegression(max_iter=300).fit(counts(train), train[4]).score(counts(test), test[4])
        return float((right + Ridge().fit(train[2], train[3]).score(test[2], test[3])) / 2)

    x, y = named(train)
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": named(validation), "epochs": 15, "batch_size": 32},
        score,
        baseline,
        (x, y),
    )


def price_and_sale(seed: int) -> Prepared:
    """One trunk, two heads: what a car costs, and whether it is sold within a week."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(4000, 8)).astype("float32")
    price = columns[:, 0] + 0.6 * columns[:, 1] - 0.5 * columns[:, 2] + random.normal(0, 0.5, 4000)
    sold = columns[:, 3] - 0.8 * columns[:, 0] + random.logistic(0, 0.8, 4000) > 0
    train, validation, test = parts(columns, price.astype("float32"), sold.astype("float32"))
    inputs = keras.Input((8,))
    trunk = layers.Dense(32, activation="relu")(layers.Dense(32, activation="relu")(inputs))
    heads = [layers.Dense(1, name="price")(trunk), layers.Dense(1, activation="sigmoid", name="sold")(trunk)]
    model = keras.Model(inputs, heads)
    model.compile("adam", ["mse", "binary_crossentropy"], metrics=[["mae"], ["accuracy"]])
    stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)

    def score() -> float:
        cost, chance = model.predict(test[0], verbose=0)
        return float((r2_score(test[1], cost[:, 0]) + ((chance[:, 0] > 0.5) == test[2]).mean()) / 2)

    def baseline() -> float:
        right = LogisticRegression().fit(train[0], train[2]).score(test[0], test[2])
        return float((Ridge().fit(train[0], train[1]).score(test[0], test[1]) + right) / 2)

    arguments = {"x": train[0], "y": list(train[1:]), "validation_data": (validation[0], list(validation[1:]))}
    return Prepared(model, {**arguments, "epochs": 25, "batch_size": 32, "callbacks": [stop]}, score, baseline)


def film_ratings(seed: int) -> Prepared:
    """Ratings from a dot product of a user's and a film's embedding, with biases."""
    random, count = np.random.default_rng(seed), 24000
    user, film = random.integers(0, 200, count), random.integers(0, 120, count)
    taste = (random.normal(size=(200, 2))[user] * random.normal(size=(120, 2))[film]).sum(axis=1)
    biases = random.normal(0, 0.5, 200)[user] + random.normal(0, 0.5, 120)[film]
    ratings = ((taste + biases + random.normal(0, 0.5, count)) / 2).astype("float32")
    train, validation, test = parts(user[:, None], film[:, None], ratings, (taste + biases) / 2)
    inputs, vectors, offsets = [], [], []
    for ids in (200, 120):
        inputs.append(keras.Input((1,), dtype="int32"))
        penalty = regularizers.L2(1e-6)
        vectors.append(layers.Flatten()(layers.Embedding(ids, 4, embeddings_regularizer=penalty)(inputs[-1])))
        offsets.append(layers.Flatten()(layers.Embedding(ids, 1)(inputs[-1])))
    model = keras.Model(inputs, layers.add([layers.Dot(1)(vectors), *offsets]))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)

    arguments = {"x": list(train[:2]), "y": train[2], "validation_data": (list(validation[:2]), validation[2])}
    return Prepared(
        model,
        {**arguments, "epochs": 15, "batch_size": 128, "callbacks": [stop]},
        lambda: r2_score(test[2], predictions(model, list(test[:2]))),
        lambda: r2_score(test[2], test[3]),
    )


def skips_of_all_depths(seed: int) -> Prepared:
    """Dense layers that each see all before them; the target mixes a plain part and a curved one."""
    random = np.random.default_rng(seed)
    columns = random.uniform(-1, 1, (4000, 12)).astype("float32")
    targets = columns[:, :4].sum(axis=1) + 2 * np.sin(3 * columns[:, 4]) * columns[:, 5] + random.normal(0, 0.3, 4000)
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, targets.astype("float32"))
    inputs = keras.Input((12,))
    stream = inputs
    for _ in range(4):
        stream = layers.concatenate([stream, layers.Dense(24, activation="swish")(stream)])
    model = keras.Model(inputs, layers.Dense(1)(stream))
    model.compile(keras.optimizers.Nadam(2e-3), "mse")
    noise = 0.09 / np.var(y_test)
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 30, "batch_size": 64},
        lambda: r2_score(y_test, predictions(model, x_test)),
        lambda: float(1 - noise),
        (x, y),
    )


PROGRAMS = (
    GoodProgram(
        support_tickets,
        "several inputs or outputs",
        "Keras guide: the functional API's ticket classifier",
        Expected("mean of accuracy and R2", "linear models on counts and tags, the form of the true ones", 0.03, 0.8),
    ),
    GoodProgram(
        price_and_sale,
        "several inputs or outputs",
        "Keras guide: multi-output models",
        Expected("mean of R2 and accuracy", "linear models, the form of the true ones", 0.02, 0.7),
    ),
    GoodProgram(
        film_ratings,
        "several inputs or outputs",
        "keras.io: collaborative filtering for movie recommendations",
        Expected("R2", "the true tastes and biases", 0.03, 0.75),
    ),
    GoodProgram(
        skips_of_all_depths,
        "several inputs or outputs",
        "densely connected networks as in the Keras functional guide",
        Expected("R2", "the true function", 0.03, 0.85),
    ),
)
