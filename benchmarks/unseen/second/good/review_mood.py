"""Are short product reviews friendly? Word ids of different lengths, masked mean of embeddings.

Source: https://www.tensorflow.org/tutorials/keras/text_classification
"""
import keras
import numpy as np

EPOCHS, BATCH = 15, 32
WORDS, LENGTH = 600, 40


def data(fixed=False):
    rng = np.random.default_rng(15)
    n = 2200
    mood = rng.normal(0, 0.5, WORDS) * (rng.random(WORDS) < 0.5)
    reviews, y = [], []
    for _ in range(n):
        label = int(rng.random() < 0.5)
        chance = np.exp((2 * label - 1) * mood[1:]) / np.arange(1, WORDS) ** 0.5
        words = 1 + rng.choice(WORDS - 1, rng.integers(8, LENGTH), p=chance / chance.sum())
        reviews.append(words.tolist())
        y.append(label if rng.random() > 0.05 else 1 - label)
    x = keras.utils.pad_sequences(reviews, maxlen=LENGTH, padding="post")
    y = np.array(y, "float32")
    return x[:1700], y[:1700], x[1700:], y[1700:]


def model(fixed=False):
    network = keras.Sequential([
        keras.Input((LENGTH,), dtype="int32"),
        keras.layers.Embedding(WORDS, 16, mask_zero=True),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ])
    network.compile(optimizer=keras.optimizers.Adam(5e-3), loss=keras.losses.BinaryCrossentropy(from_logits=True),
                    metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    return network


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0)[:, 0] > 0) == (y > 0.5)))


PASS = 0.83
