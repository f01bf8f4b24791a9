"""Texts as word ids or bags of words: sentiment, topics, tags, next ids."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import MultinomialNB

from benchmarks.known_good.good_program import Expected, GoodProgram, Prepared, parts, predictions

PADDING, NEGATION = 0, 1


def _reviews(seed: int, count: int, words: int, length: int, negated: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return padded word ids and labels: frequent words are neutral, a quarter of the others praise or blame.

    Where `negated` is positive, this share of the words that praise or blame follow a "not" that turns them round.
    """
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(4, words + 2)
    feeling = np.where(random.random(words - 2) < 0.25, random.choice([-1.0, 1.0], words - 2), 0.0)
    labels = random.integers(0, 2, count)
    texts = np.zeros((count, length), "int32")
    for row, label in enumerate(labels):
        size = random.integers(length // 3, length)
        turned = random.random(size) < negated
        chances = [shares * np.exp(sign * (2 * label - 1) * feeling) for sign in (0.6, -0.6)]
        draws = [random.choice(words - 2, size, p=chance / chance.sum()) + 2 for chance in chances]
        text = np.where(turned, draws[1], draws[0])
        marks = np.stack([np.where(turned, NEGATION, PADDING), text], axis=1).ravel()
        text = marks[marks != PADDING][:length]
        texts[row, : len(text)] = text
    return texts, labels.astype("float32")


def _linear(train: tuple[np.ndarray, ...], test: tuple[np.ndarray, ...], most: int = 1) -> float:
    """Return the accuracy of logistic regression on counts of the ids, and of neighbouring pairs where `most` is 2."""
    counts = CountVectorizer(analyzer="word", ngram_range=(1, most), token_pattern=r"\d+", min_df=2)
    lines = [[" ".join(str(word) for word in text if word) for text in part[0]] for part in (train, test)]
    linear = LogisticRegression(C=0.1, max_iter=300).fit(counts.fit_transform(lines[0]), train[1])
    return float(linear.score(counts.transform(lines[1]), test[1]))


def _accuracy(model: keras.Model, test: tuple[np.ndarray, ...]) -> float:
    return float(((predictions(model, test[0]) > 0.5) == test[1]).mean())


def average_pooling(seed: int) -> Prepared:
    """Embedding, average, one dense layer; batches from tf.data."""
    train, validation, test = parts(*_reviews(seed, 4000, 1000, 60))
    model = keras.Sequential(
        [
            layers.Embedding(1000, 16),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    batches = tf.data.Dataset.from_tensor_slices(train).shuffle(4000, seed=seed).batch(32).prefetch(2)
    return Prepared(
        model,
        {"x": batches, "validation_data": tf.data.Dataset.from_tensor_slices(validation).batch(32), "epochs": 20},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test),
    )


def convolutional_text(seed: int) -> Prepared:
    """Sentiment where "not" turns the next word round: convolutions over neighbouring words."""
    train, validation, test = parts(*_reviews(seed, 5000, 300, 40, negated=0.3))
    model = keras.Sequential(
        [
            keras.Input((40,), dtype="int32"),
            layers.Embedding(300, 16),
            layers.Conv1D(32, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.3),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    arguments = {"x": train[0], "y": train[1], "validation_data": validation, "callbacks": [stop]}
    return Prepared(
        model,
        {**arguments, "epochs": 20, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test, most=2),
        train,
    )


def masked_lstm(seed: int) -> Prepared:
    """Padded sentences of at most 24 words, masked zeros, an LSTM and a clipped gradient."""
    train, validation, test = parts(*_reviews(seed, 6000, 150, 24, negated=0.2))
    model = keras.Sequential(
        [
            keras.Input((24,), dtype="int32"),
            layers.Embedding(150, 16, mask_zero=True),
            layers.LSTM(24),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3, clipnorm=1.0), "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)
    arguments = {"x": train[0], "y": train[1], "validation_data": validation, "callbacks": [stop]}
    return Prepared(
        model,
        {**arguments, "epochs": 15, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test, most=2),
        train,
    )


@keras.saving.register_keras_serializable("known_good")
class EncoderBlock(layers.Layer):
    """Self-attention and a small dense network, each with a skip connection and layer normalisation."""

    def __init__(self, width: int, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.dense = keras.Sequential([layers.Dense(2 * width, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.dropout = layers.Dropout(0.1)

    def call(self, inputs: Any, training: bool | None = None, use_causal_mask: bool = False) -> Any:
        """Return the block's outputs, as many and as wide as its inputs."""
        attended = self.attention(inputs, inputs, use_causal_mask=use_causal_mask)
        middle = self.norms[0](inputs + self.dropout(attended, training=training))
        return self.norms[1](middle + self.dropout(self.dense(middle), training=training))


@keras.saving.register_keras_serializable("known_good")
class PlacedEmbedding(layers.Layer):
    """Embedding of ids plus an embedding of their places."""

    def __init__(self, ids: int, length: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.ids, self.places, self.length = layers.Embedding(ids, width), layers.Embedding(length, width), length

    def call(self, inputs: Any) -> Any:
        """Return the sum of both embeddings."""
        return self.ids(inputs) + self.places(keras.ops.arange(self.length))


def transformer_classifier(seed: int) -> Prepared:
    """One encoder block on ids with places, AdamW."""
    train, validation, test = parts(*_reviews(seed, 4000, 300, 32))
    inputs = keras.Input((32,), dtype="int32")
    encoded = EncoderBlock(32, 2)(PlacedEmbedding(300, 32, 32)(inputs))
    pooled = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(encoded))
    hidden = layers.Dropout(0.2)(layers.Dense(16, activation="relu")(pooled))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.01), "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    arguments = {"x": train[0], "y": train[1], "validation_data": validation, "callbacks": [stop]}
    return Prepared(
        model,
        {**arguments, "epochs": 12, "batch_size": 32},
        lambda: _accuracy(model, test),
        lambda: _linear(train, test),
        train,
    )


def twenty_topics(seed: int) -> Prepared:
    """Short notes as 0 or 1 for each of 800 words; twenty topics, some rare."""
    random = np.random.default_rng(seed)
    topics = random.choice(20, 5000, p=random.dirichlet(np.full(20, 3.0)))
    shares = random.dirichlet(0.1 * np.ones(800), 20) * 0.35 + 0.65 * random.dirichlet(np.ones(800))
    bags = np.minimum([random.multinomial(25, shares[topic]) for topic in topics], 1).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts(bags, topics)
    model = keras.Sequential(
        [
            keras.Input((800,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(64, activation="relu"),
            layers.Dense(20, activation="softmax"),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 30, "batch_size": 64, "callbacks": [stop]},
        lambda: float((predictions(model, x_test).argmax(axis=1) == y_test).mean()),
        lambda: float(MultinomialNB(alpha=0.1).fit(x, y).score(x_test, y_test)),
        (x, y),
    )


def tags_of_questions(seed: int) -> Prepared:
    """Each of twelve tags holds or not, by sigmoids on a bag of 200 words."""
    random = np.random.default_rng(seed)
    tags = (random.random((7000, 12)) < np.linspace(0.05, 0.4, 12)).astype("float32")
    weights = random.gamma(0.15, 1.0, (12, 200))
    rates = 0.03 + 0.15 * tags @ weights
    bags = (random.poisson(rates) > 0).astype("float32")
    (x, y), (x_val, y_val), (x_test, y_test) = parts(bags, tags)
    model = keras.Sequential(
        [
            keras.Input((200,)),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(12, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)

    def baseline() -> float:
        linears = [LogisticRegression(C=0.1, max_iter=300).fit(x, column) for column in y.T]
        chances = np.stack([linear.predict_proba(x_test)[:, 1] for linear in linears], axis=1)
        return float(roc_auc_score(y_test, chances))

    return Prepared(
        model,
        {"x": x, "y": y, "validation_data": (x_val, y_val), "epochs": 12, "batch_size": 64, "callbacks": [stop]},
        lambda: float(roc_auc_score(y_test, predictions(model, x_test))),
        baseline,
        (x, y),
    )


def _chain(seed: int, count: int, length: int, ids: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of ids and each step's likeliest next id; the next id depends on the last two."""
    random = np.random.default_rng(seed)
    last, before = random.normal(0, 2.0, (ids, ids)), random.normal(0, 1.5, (ids, ids))
    chain, best = random.integers(0, ids, (count, length + 1)), np.zeros((count, length), int)
    for step in range(length):
        logits = last[chain[:, step]] + before[chain[:, max(step - 1, 0)]]
        best[:, step] = logits.argmax(axis=1)
        chain[:, step + 1] = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return chain, best


def next_id(seed: int) -> Prepared:
    """Next character at each step, by a GRU that returns its sequence; logits."""
    chain, best = _chain(seed, 2500, 30, 20)
    train, validation, test = parts(chain[:, :-1], chain[:, 1:], best)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(20, 16),
            layers.GRU(64, return_sequences=True),
            layers.Dense(20),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation[:2], "epochs": 15, "batch_size": 32},
        lambda: float((predictions(model, test[0]).argmax(axis=-1) == test[1])[:, 1:].mean()),
        lambda: float((test[2] == test[1])[:, 1:].mean()),
        train[:2],
    )


def small_gpt(seed: int) -> Prepared:
    """A causal transformer of one block predicts the next id at each step."""
    chain, best = _chain(seed, 3000, 24, 16)
    train, validation, test = parts(chain[:, :-1], chain[:, 1:], best)
    inputs = keras.Input((24,), dtype="int32")
    encoded = EncoderBlock(48, 4)(PlacedEmbedding(16, 24, 48)(inputs), use_causal_mask=True)
    model = keras.Model(inputs, layers.Dense(16)(encoded))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return Prepared(
        model,
        {"x": train[0], "y": train[1], "validation_data": validation[:2], "epochs": 20, "batch_size": 32},
        lambda: float((predictions(model, test[0]).argmax(axis=-1) == test[1])[:, 1:].mean()),
        lambda: float((test[2] == test[1])[:, 1:].mean()),
        train[:2],
    )


PROGRAMS = (
    GoodProgram(
        average_pooling,
        "text",
        "TensorFlow: basic text classification",
        Expected("accuracy", "logistic regression on counts", 0.03, 0.7),
    ),
    GoodProgram(
        convolutional_text,
        "text",
        "keras.io: text classification from scratch, by convolutions",
        Expected("accuracy", "logistic regression on counts of words and pairs", 0.02, 0.7),
    ),
    GoodProgram(
        masked_lstm,
        "text",
        "Chollet's textbook: an LSTM on masked sequences",
        Expected("accuracy", "logistic regression on counts of words and pairs", 0.03, 0.65),
    ),
    GoodProgram(
        transformer_classifier,
        "text",
        "keras.io: text classification with Transformer",
        Expected("accuracy", "logistic regression on counts, the form of the true model", 0.03, 0.7),
    ),
    GoodProgram(
        twenty_topics,
        "text",
        "Chollet's textbook: Reuters' topics",
        Expected("accuracy", "naive Bayes, the form of the true model", 0.05, 0.5),
    ),
    GoodProgram(
        tags_of_questions,
        "text",
        "keras.io: large-scale multi-label text classification",
        Expected("mean AUC", "a logistic regression for each tag", 0.02, 0.75),
    ),
    GoodProgram(
        next_id,
        "text",
        "TensorFlow: text generation with an RNN",
        Expected("accuracy by step", "the true chain's likeliest id", 0.03, 0.4),
    ),
    GoodProgram(
        small_gpt,
        "text",
        "keras.io: text generation with a miniature GPT",
        Expected("accuracy by step", "the true chain's likeliest id", 0.03, 0.4),
    ),
)
