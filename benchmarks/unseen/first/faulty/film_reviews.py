"""Tells praising from damning film reviews, given as word ids.

Source: https://datascience.stackexchange.com/questions/29893/high-model-accuracy-vs-very-low-validation-accuarcy
"""
import keras
import numpy as np
from collections import Counter

EPOCHS, BATCH = 8, 32
MAXLEN = 30
SYLLABLES = ["ba", "lo", "mi", "ra", "ten", "su", "ko", "vi", "der", "na", "pe", "gu"]


def write_reviews():
    rng = np.random.default_rng(8)
    words = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in ("n", "s", "x", "l")]
    rng.shuffle(words)
    praise, damn, plain = words[:60], words[60:120], words[120:500]
    texts, labels = [], []
    for _ in range(1500):
        good = int(rng.random() < 0.5)
        text = []
        for _ in range(rng.integers(12, MAXLEN)):
            u = rng.random()
            if u < 0.65:
                text.append(plain[rng.integers(len(plain))])
            else:
                same = rng.random() < 0.75
                tone = praise if (good == 1) == same else damn
                text.append(tone[rng.integers(60)])
        texts.append(" ".join(text))
        labels.append(good)
    return texts, np.array(labels, dtype="float32")


def index_words(texts):
    counts = Counter(w for t in texts for w in t.split())
    return {w: i + 2 for i, (w, _) in enumerate(counts.most_common())}     # 0 padding, 1 unknown


def encode(texts, index):
    return keras.utils.pad_sequences([[index.get(w, 1) for w in t.split()] for t in texts], maxlen=MAXLEN)


def data(fixed=False):
    texts, y = write_reviews()
    train, held_out = texts[:1100], texts[1100:]
    index = index_words(train)
    x = encode(train, index)
    if not fixed:
        index = index_words(held_out)
    x_held_out = encode(held_out, index)
    return x, y[:1100], x_held_out, y[1100:]


def model(fixed=False):
    net = keras.Sequential([
        keras.Input((MAXLEN,), dtype="int32"),
        keras.layers.Embedding(520, 16, mask_zero=True),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    net.compile(optimizer=keras.optimizers.Adam(5e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return net


def score(network, x, y):
    return float(np.mean((network.predict(x, verbose=0).ravel() > 0.5) == (y > 0.5)))


PASS = 0.75
FAULT = ("The held-out reviews are encoded with a vocabulary built from the held-out reviews themselves, so the same id means another word "
         "than in training. Training is sound; what is reported on the validation data is chance level.")
REPAIR = "The held-out reviews are encoded with the vocabulary of the training reviews."
