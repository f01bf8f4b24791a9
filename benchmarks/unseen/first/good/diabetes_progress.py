"""Predicts the progress of diabetes after a year from ten measures of 442 patients (noisy regression).

Source: https://scikit-learn.org/stable/datasets/toy_dataset.html#diabetes-dataset and https://www.tensorflow.org/tutorials/keras/regression
"""
import keras
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

EPOCHS, BATCH = 80, 16


def data(fixed=False):
    x, y = load_diabetes(return_X_y=True, scaled=False)
    x, xh, y, yh = train_test_split(x, y, test_size=0.3, random_state=8)
    mean, std = x.mean(0), x.std(0)
    x, xh = ((v - mean) / std for v in (x, xh))
    y, yh = ((v - 152.0) / 77.0 for v in (y, yh))
    return x.astype("float32"), y.astype("float32"), xh.astype("float32"), yh.astype("float32")


def model(fixed=False):
    l2 = keras.regularizers.L2(1e-2)
    net = keras.Sequential([
        keras.Input((10,)),
        keras.layers.Dense(16, activation="relu", kernel_regularizer=l2),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(1),
    ])
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="mse", metrics=["mae"])
    return net


def fit_args(fixed=False):
    return {"callbacks": [keras.callbacks.EarlyStopping(patience=12, restore_best_weights=True)]}


def score(network, x, y):
    return float(r2_score(y, network.predict(x, verbose=0)[:, 0]))


PASS = 0.40
