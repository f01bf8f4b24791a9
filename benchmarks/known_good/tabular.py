"""Classification of table rows: weak signals, rare classes, many classes."""

import keras
import numpy as np
from keras import layers, regularizers
from sklearn.datasets import load_breast_cancer, load_iris, make_classification, make_moons
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, mixed, parts, predictions


def _labels(random: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    return (random.random(len(logits)) < 1 / (1 + np.exp(-logits))).astype("float32")


def census_income(seed: int) -> Prepared:
    """Named columns, numbers and categories, from which a quarter of the people earn much."""
    random, count = np.random.default_rng(seed), 8000
    age, schooling = random.integers(17, 75, count), random.integers(1, 17, count)
    hours, job = random.normal(40, 11, count).clip(5, 90), random.integers(0, 14, count)
    household = random.choice(5, count, p=[0.45, 0.3, 0.12, 0.08, 0.05])
    logits = 0.3 * (schooling - 10) + 0.03 * (hours - 40) - 0.002 * (age - 50) ** 2 - 1.2
    logits = logits + random.normal(0, 0.8, 14)[job] + np.array([1.2, -0.8, -0.4, -0.6, 0.1])[household]
    numbers = np.stack([age, schooling, hours], axis=1).astype("float32")
    train, validation, test = parts(numbers, job, household, _labels(random, logits))

    def named(part: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
        columns = {name: part[0][:, [place]] for place, name in enumerate(("age", "schooling", "hours"))}
        return {**columns, "job": part[1][:, None], "household": part[2][:, None]}

    inputs = {name: keras.Input((1,), name=name) for name in ("age", "schooling", "hours")}
    inputs |= {name: keras.Input((1,), name=name, dtype="int64") for name in ("job", "household")}
    encoded = []
    for place, name in enumerate(("age", "schooling", "hours")):
        scaling = layers.Normalization()
        scaling.adapt(train[0][:, [place]])
        encoded.append(scaling(inputs[name]))
    encoded += [layers.CategoryEncoding(14)(inputs["job"]), layers.CategoryEncoding(5)(inputs["household"])]
    hidden = layers.Dense(32, activation="relu")(layers.concatenate(encoded))
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(hidden))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])

    def baseline() -> float:
        def table(part: tuple[np.ndarray, ...]) -> np.ndarray:
            return np.column_stack([part[0], part[0][:, 0] ** 2, np.eye(14)[part[1]], np.eye(5)[part[2]]])

        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(table(train), train[3])
        return float(roc_auc_score(test[3], linear.predict_proba(table(test))[:, 1]))

    return Prepared(
        model,
        {"x": named(train), "y": train[3], "validation_data": (named(validation), validation[3]), "epochs": 15},
        lambda: float(roc_auc_score(test[3], predictions(model, named(test)))),
        baseline,
        (named(train), train[3]),
    )


def churn(seed: int) -> Prepared:
    """Nineteen scaled columns with a weak signal; a quarter of the customers leave."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(7000, 19)).astype("float32")
    logits = -1.3 + columns[:, :6] @ np.array([0.6, -0.5, 0.4, 0.3, -0.3, 0.2]) + 0.3 * columns[:, 0] * columns[:, 1]
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, _labels(random, logits))
    model = keras.Sequential(
        [
            keras.Input((19,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy", "AUC"])
    stop = keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True)

    def baseline() -> float:
        return float(roc_auc_score(y_test, LogisticRegression().fit(x, y).predict_proba(x_test)[:, 1]))

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 40, "batch_size": 64, "callbacks": [stop]},
        lambda: float(roc_auc_score(y_test, predictions(model, x_test))),
        baseline,
        (x, y),
    )


def credit_default(seed: int) -> Prepared:
    """Skewed amounts and payment delays; a fifth of the clients default."""
    random, count = np.random.default_rng(seed), 8000
    limit, age = random.lognormal(11.5, 0.8, count), random.integers(21, 70, count)
    delays = random.poisson(random.gamma(0.7, 0.7, count)[:, None], (count, 6)).clip(0, 8)
    bills = random.lognormal(9.5, 1.2, (count, 6))
    logits = -1.6 + 0.8 * np.sqrt(delays[:, 0]) + 0.15 * delays[:, 1:].sum(axis=1) - 0.5 * (np.log(limit) - 11.5)
    amounts = np.log1p(np.column_stack([limit, bills]))
    table = StandardScaler().fit_transform(np.column_stack([amounts, age, delays])).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts(table, _labels(random, logits))
    model = keras.Sequential([keras.Input((14,))])
    for units in (64, 32):
        model.add(layers.Dense(units, use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
        model.add(layers.Dropout(0.3))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.AdamW(2e-3, weight_decay=1e-3), "binary_crossentropy", metrics=["AUC"])
    stop = keras.callbacks.EarlyStopping("val_AUC", mode="max", patience=8, restore_best_weights=True)

    def baseline() -> float:
        trees = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.06, max_leaf_nodes=8).fit(x, y)
        return float(roc_auc_score(y_test, trees.predict_proba(x_test)[:, 1]))

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 40, "batch_size": 128, "callbacks": [stop]},
        lambda: float(roc_auc_score(y_test, predictions(model, x_test))),
        baseline,
        (x, y),
    )


def clicks(seed: int) -> Prepared:
    """Six of a hundred impressions are clicked; ids of site and advertisement have embeddings, beside plain numbers."""
    random, count = np.random.default_rng(seed), 20000
    site, advertisement = random.integers(0, 50, count), random.integers(0, 80, count)
    numbers = random.normal(size=(count, 5)).astype("float32")
    logits = -3.6 + random.normal(0, 0.7, 50)[site] + random.normal(0, 0.7, 80)[advertisement]
    logits = logits + numbers @ np.array([0.5, -0.4, 0.3, 0, 0])
    train, validation, test = parts(site[:, None], advertisement[:, None], numbers, _labels(random, logits))
    inputs = [keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32"), keras.Input((5,))]
    embedded = [
        layers.Flatten()(layers.Embedding(ids, 4)(column)) for ids, column in zip((50, 80), inputs[:2], strict=True)
    ]
    hidden = layers.Dense(16, activation="relu")(layers.concatenate([*embedded, inputs[2]]))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    stop = keras.callbacks.EarlyStopping("val_auc", mode="max", patience=3, restore_best_weights=True)

    def baseline() -> float:
        encoder = OneHotEncoder().fit(np.column_stack([site, advertisement]))

        def table(part: tuple[np.ndarray, ...]) -> np.ndarray:
            return np.column_stack([encoder.transform(np.column_stack(part[:2])).toarray(), part[2]])

        linear = LogisticRegression(max_iter=300).fit(table(train), train[3])
        return float(roc_auc_score(test[3], linear.predict_proba(table(test))[:, 1]))

    arguments = {"x": list(train[:3]), "y": train[3], "validation_data": (list(validation[:3]), validation[3])}
    return Prepared(
        model,
        {**arguments, "epochs": 15, "batch_size": 128, "callbacks": [stop]},
        lambda: float(roc_auc_score(test[3], predictions(model, list(test[:3])))),
        baseline,
    )


def fraud_with_class_weights(seed: int) -> Prepared:
    """Two of a hundred transactions are fraud; both classes weigh the same in the loss."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(24000, 20)).astype("float32")
    labels = (random.random(24000) < 0.02).astype("float32")
    columns[labels == 1, :5] += [1.4, -1.2, 1.0, -0.8, 0.6]
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, labels)
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = [keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")]
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=metrics)
    weights = {0: 0.5 / (1 - y.mean()), 1: 0.5 / y.mean()}

    def baseline() -> float:
        linear = LogisticRegression(class_weight="balanced").fit(x, y)
        return float(roc_auc_score(y_test, linear.predict_proba(x_test)[:, 1]))

    arguments = {"x": x, "y": y, "validation_data": (x_val, y_val), "class_weight": weights}
    return Prepared(
        model,
        {**arguments, "epochs": 12, "batch_size": 256},
        lambda: float(roc_auc_score(y_test, predictions(model, x_test))),
        baseline,
        (x, y),
    )


def focal_loss(seed: int) -> Prepared:
    """One of seven parts is defective, by a curved border that a linear model misses; focal loss on logits."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(20000, 8)).astype("float32")
    logits = 1.6 * (columns[:, 0] ** 2 + columns[:, 1] ** 2 + columns[:, 2] * columns[:, 3]) - 7
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, _labels(random, logits))
    hidden = [layers.Dense(32, activation="relu", kernel_initializer="he_normal") for _ in range(2)]
    model = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(1)])
    loss = keras.losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=[keras.metrics.AUC(curve="PR", from_logits=True)])
    stop = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)

    def baseline() -> float:
        trees = HistGradientBoostingClassifier(max_iter=60).fit(x, y)
        return float(average_precision_score(y_test, trees.predict_proba(x_test)[:, 1]))

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 25, "batch_size": 128, "callbacks": [stop]},
        lambda: float(average_precision_score(y_test, predictions(model, x_test))),
        baseline,
        (x, y),
    )


def machine_states(seed: int) -> Prepared:
    """Four states of a machine, three of them rare; each row weighs as its state is rare."""
    random = np.random.default_rng(seed)
    labels = random.choice(4, 8000, p=[0.86, 0.08, 0.04, 0.02])
    columns = (random.normal(size=(8000, 12)) + 0.8 * random.normal(size=(4, 12))[labels]).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, labels)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(32, activation="relu", kernel_regularizer=regularizers.L2(1e-3)),
            layers.Dense(4, activation="softmax"),
        ]
    )
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", weighted_metrics=[accuracy])
    weights = len(y) / (4 * np.bincount(y))

    def baseline() -> float:
        linear = LogisticRegression(class_weight="balanced", max_iter=500).fit(x, y)
        return float(balanced_accuracy_score(y_test, linear.predict(x_test)))

    arguments = {"x": x, "y": y, "sample_weight": weights[y], "validation_data": (x_val, y_val, weights[y_val])}
    return Prepared(
        model,
        {**arguments, "epochs": 20, "batch_size": 64},
        lambda: float(balanced_accuracy_score(y_test, predictions(model, x_test).argmax(axis=1))),
        baseline,
        (x, y),
    )


def breast_cancer(seed: int) -> Prepared:
    """Scikit-learn's 569 biopsies, scaled, and a small network."""
    columns, labels = mixed(seed, *load_breast_cancer(return_X_y=True))
    (x, y), (x_test, y_test) = parts(columns, labels, train=0.7, validation=0.3)[:2]
    scaler = StandardScaler().fit(x)
    x, x_test = scaler.transform(x).astype("float32"), scaler.transform(x_test).astype("float32")
    model = keras.Sequential(
        [keras.Input((30,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": x, "y": y, "validation_split": 0.2, "epochs": 30, "batch_size": 16},
        lambda: float(((predictions(model, x_test) > 0.5) == y_test).mean()),
        lambda: float(LogisticRegression().fit(x, y).score(x_test, y_test)),
        (x, y),
    )


def iris(seed: int) -> Prepared:
    """Three kinds of flowers by four lengths, one-hot targets, 105 rows."""
    columns, labels = mixed(seed, *load_iris(return_X_y=True))
    (x, y), (x_test, y_test) = parts(columns.astype("float32"), labels, train=0.7, validation=0.3)[:2]
    scaling = layers.Normalization()
    scaling.adapt(x)
    model = keras.Sequential(
        [keras.Input((4,)), scaling, layers.Dense(10, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    targets = keras.utils.to_categorical(y, 3)
    return Prepared(
        model,
        {"x": x, "y": targets, "epochs": 60, "batch_size": 16},
        lambda: float((predictions(model, x_test).argmax(axis=1) == y_test).mean()),
        lambda: float(LogisticRegression(max_iter=500).fit(x, y).score(x_test, y_test)),
        (x, targets),
    )


def two_moons(seed: int) -> Prepared:
    """Two interleaved half circles with noise, and two layers of tanh."""
    points, labels = make_moons(3000, noise=0.25, random_state=seed)
    (x, y), (x_val, y_val), (x_test, y_test) = parts(points.astype("float32"), labels)
    hidden = [layers.Dense(16, activation="tanh") for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 40, "batch_size": 32},
        lambda: float(((predictions(model, x_test) > 0.5) == y_test).mean()),
        lambda: float(SVC().fit(x, y).score(x_test, y_test)),
        (x, y),
    )


def thirty_classes(seed: int) -> Prepared:
    """Thirty overlapping classes of forty columns, with smoothed labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 30, 9000)
    columns = (random.normal(size=(9000, 40)) + 0.45 * random.normal(size=(30, 40))[labels]).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, labels)
    model = keras.Sequential(
        [keras.Input((40,)), layers.Dense(128, activation="relu"), layers.Dropout(0.4), layers.Dense(30)]
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return Prepared(
        model,
        {"x": x, "y": np.eye(30)[y], "validation_data": (x_val, np.eye(30)[y_val]), "epochs": 25, "batch_size": 64},
        lambda: float((predictions(model, x_test).argmax(axis=1) == y_test).mean()),
        lambda: float(LinearDiscriminantAnalysis().fit(x, y).score(x_test, y_test)),
        (x, np.eye(30)[y]),
    )


def self_normalising(seed: int) -> Prepared:
    """Eight SELU layers with LeCun's initialiser and alpha dropout on scaled columns."""
    columns, labels = make_classification(
        6000, 20, n_informative=8, n_clusters_per_class=3, flip_y=0.08, random_state=seed
    )
    table = StandardScaler().fit_transform(columns).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts(table, labels)
    model = keras.Sequential([keras.Input((20,))])
    for _ in range(8):
        model.add(layers.Dense(48, activation="selu", kernel_initializer="lecun_normal"))
    model.add(layers.AlphaDropout(0.05))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 40, "batch_size": 64, "callbacks": [stop]},
        lambda: float(((predictions(model, x_test) > 0.5) == y_test).mean()),
        lambda: float(SVC().fit(x, y).score(x_test, y_test)),
        (x, y),
    )


def few_rows_many_columns(seed: int) -> Prepared:
    """Three hundred rows of a hundred columns, of which ten matter: L2 and dropout keep noise from being learned."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(1800, 100)).astype("float32")
    labels = _labels(random, columns[:, :10] @ random.choice([-0.8, 0.8], 10))
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, labels, train=1 / 6, validation=1 / 6)
    model = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dropout(0.2),
            layers.Dense(32, activation="relu", kernel_regularizer=regularizers.L2(0.02)),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid", kernel_regularizer=regularizers.L2(0.02)),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 40, "batch_size": 16},
        lambda: float(((predictions(model, x_test) > 0.5) == y_test).mean()),
        lambda: float(LogisticRegression(C=0.02).fit(x, y).score(x_test, y_test)),
        (x, y),
    )


def ordinal_ratings(seed: int) -> Prepared:
    """Five levels of satisfaction as four cumulative sigmoid targets: above 1, above 2, above 3, above 4."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(5000, 10)).astype("float32")
    liking = columns[:, :4] @ [0.9, -0.7, 0.5, 0.4] + 0.5 * np.abs(columns[:, 4]) + random.logistic(0, 0.5, 5000)
    levels = np.digitize(liking, [-1, 0, 0.8, 1.8])
    cumulative = (levels[:, None] > np.arange(4)).astype("float32")
    (x, y, level), (x_val, y_val, _), (x_test, _, level_test) = parts(columns, cumulative, levels)
    model = keras.Sequential(
        [keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(4, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")

    def skill(predicted: np.ndarray) -> float:
        errors = np.abs(level_test - predicted).mean()
        return float(1 - errors / np.abs(level_test - np.median(level)).mean())

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 25, "batch_size": 64},
        lambda: skill((predictions(model, x_test) > 0.5).sum(axis=1)),
        lambda: skill(LogisticRegression(max_iter=500).fit(x, level).predict(x_test)),
        (x, y),
    )


def loan_grades_in_bfloat16(seed: int) -> Prepared:
    """Six grades under the mixed_bfloat16 policy; the softmax stays in float32."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(6000, 16)).astype("float32")
    scores = np.tanh(columns @ random.normal(0, 0.5, (16, 12))) @ random.normal(0, 1.2, (12, 6))
    labels = (scores + random.gumbel(0, 1, (6000, 6))).argmax(axis=1)
    (x, y), (x_val, y_val), (x_test, y_test) = parts(columns, labels)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
    outputs = [layers.Dense(6), layers.Activation("softmax", dtype="float32")]
    model = keras.Sequential([keras.Input((16,)), *hidden, *outputs])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)

    def skill(probabilities: np.ndarray) -> float:
        shares = np.tile(np.bincount(y, minlength=6) / len(y), (len(y_test), 1))
        probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
        return 1 - log_loss(y_test, probabilities, labels=range(6)) / log_loss(y_test, shares, labels=range(6))

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 25, "batch_size": 64, "callbacks": [stop]},
        lambda: skill(predictions(model, x_test)),
        lambda: skill(LogisticRegression(max_iter=500).fit(x, y).predict_proba(x_test)),
        (x, y),
    )


PROGRAMS = (
    GoodProgram(
        census_income,
        "tabular",
        "keras.io: structured data classification, on the census income data",
        Expected("AUC", "logistic regression with age squared", 0.01, 0.80),
    ),
    GoodProgram(
        churn, "tabular", "many notebooks on telephone customers", Expected("AUC", "logistic regression", 0.01, 0.70)
    ),
    GoodProgram(
        credit_default,
        "tabular",
        "many notebooks on the Taiwan credit card clients",
        Expected("AUC", "gradient boosted trees", 0.015, 0.68),
    ),
    GoodProgram(
        clicks,
        "tabular",
        "keras.io: wide and deep networks; click-through data",
        Expected("AUC", "logistic regression on one-hot ids, the form of the true model", 0.015, 0.70),
    ),
    GoodProgram(
        fraud_with_class_weights,
        "tabular",
        "keras.io: imbalanced classification, credit card fraud",
        Expected("AUC", "balanced logistic regression, the form of the true model", 0.02, 0.9),
    ),
    GoodProgram(
        focal_loss,
        "tabular",
        "keras.io: focal loss, here on a table",
        Expected("average precision", "gradient boosted trees", 0.02, 0.6),
    ),
    GoodProgram(
        machine_states,
        "tabular",
        "TensorFlow: training with sample weights; predictive maintenance",
        Expected("balanced accuracy", "balanced logistic regression", 0.03, 0.7),
    ),
    GoodProgram(
        breast_cancer,
        "tabular",
        "scikit-learn's breast cancer data in many first tutorials",
        Expected("accuracy", "logistic regression", 0.02, 0.93),
    ),
    GoodProgram(iris, "tabular", "the first network of many", Expected("accuracy", "logistic regression", 0.05, 0.9)),
    GoodProgram(
        two_moons,
        "tabular",
        "the playground's two classes in the plane",
        Expected("accuracy", "support vectors with a Gaussian kernel", 0.02, 0.9),
    ),
    GoodProgram(
        thirty_classes,
        "tabular",
        "label smoothing, as in PyImageSearch's tutorial",
        Expected("accuracy", "linear discriminants, the form of the true model", 0.05, 0.5),
    ),
    GoodProgram(
        self_normalising,
        "tabular",
        "keras.io: Reuters with a self-normalizing network",
        Expected("accuracy", "support vectors with a Gaussian kernel", 0.03, 0.8),
    ),
    GoodProgram(
        few_rows_many_columns,
        "tabular",
        "TensorFlow: overfit and underfit",
        Expected("accuracy", "logistic regression with a strong penalty", 0.03, 0.7),
    ),
    GoodProgram(
        ordinal_ratings,
        "tabular",
        "ordinal regression by cumulative targets, in many tutorials",
        Expected("1 - mean error / the median's", "logistic regression on five classes", 0.02, 0.3),
    ),
    GoodProgram(
        loan_grades_in_bfloat16,
        "tabular",
        "keras.io and TensorFlow: mixed precision",
        Expected("1 - log loss / the class shares'", "logistic regression", 0.02, 0.2),
    ),
)
