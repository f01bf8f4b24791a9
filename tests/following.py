"""A follower as a process, and a training for it that only tells: both run in any folder that has a params.yaml. And a
training that the callback watches, which takes its time."""

import sys

from workspace import ROOT

PATHS = {"PYTHONPATH": str(ROOT)}
FOLLOW = [sys.executable, "-m", "pipeline.tracking.live"]
SCRIPT = """
import time
import numpy as np
from pipeline.history.training_progress import progress_file
with progress_file("v", "variant", 240, 2, 2, ["train_loss"]) as file:
    for epoch in range(241):
        for replica in range(2):
            file.on_epochs([replica], range(epoch, epoch + 1), {"train_loss": np.random.rand(1, 1)})
        time.sleep(0.5)
    time.sleep(600)
"""
TRAIN = [sys.executable, "-c", SCRIPT]
WATCHED_SCRIPT = """
import time
import keras
import numpy as np
from pipeline import Diagnosis
inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1, "sigmoid")])
model.compile("sgd", "binary_crossentropy")
slow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.5))
labels = inputs[:, :1] > 0
model.fit(inputs, labels, epochs=1000, verbose=0, callbacks=[Diagnosis(inputs, labels, max_overhead=1000), slow])
"""
WATCHED = [sys.executable, "-c", WATCHED_SCRIPT]
