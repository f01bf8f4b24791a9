"""Tells benign from malignant tumours by thirty measured values.

Source: https://github.com/keras-team/keras/issues/18796
"""
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH = 20, 32


def data(fixed=False):
    x, y = load_breast_cancer(return_X_y=True)
    x, x_held, y, y_held = train_test_split(x, y.astype("float32"), test_size=0.3, random_state=5, stratify=y)
    scaler = StandardScaler().fit(x)
    return (scaler.transform(x).astype("float32"), y[:, None],
            scaler.transform(x_held).astype("float32"), y_held[:, None])


def model(fixed=False):
    network = keras.Sequential([
        layers.Input((30,)),
        layers.Dense(24, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    metric = keras.metrics.BinaryAccuracy(name="accuracy") if fixed else keras.metrics.Accuracy(name="accuracy")
    network.compile(optimizer="adam", loss="binary_crossentropy", metrics=[metric])
    return network


def score(network, x, y):
    """The accuracy that Keras reports."""
    return float(network.evaluate(x, y, verbose=0, return_dict=True)["accuracy"])


PASS = 0.9
FAULT = ("the metric keras.metrics.Accuracy() compares probabilities with 0/1 labels for exact equality, so it reports (nearly) 0; the network "
         "itself is fine, only what is reported is wrong")
REPAIR = "BinaryAccuracy as metric"
