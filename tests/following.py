"""A follower as a process, and two trainings for it, the second of which the callback watches.

All run in any folder that has a params.yaml. The trainings hurry to epoch 20, then crawl until the test writes the file
GO_ON, hurry for 60 epochs, and crawl again: so a page that opens late, on a crowded machine, still sees them grow.
"""

from workspace import ROOT

GO_ON = "go_on"
PATHS = {"PYTHONPATH": str(ROOT)}
FOLLOW = ["python3", "-m", "pipeline.tracking.live"]
PACE = f"""
import time
from pathlib import Path
began = []
def pace(epoch):
    if not began and Path({GO_ON!r}).exists():
        began.append(epoch)
    hurries = epoch < began[0] + 60 if began else epoch < 20
    time.sleep(0.2 if hurries else 5)
"""
SCRIPT = f"""{PACE}
import numpy as np
from pipeline.history.training_progress import progress_file
with progress_file("v", "variant", 240, 2, 2, ["train_loss"]) as file:
    for epoch in range(241):
        for replica in range(2):
            file.on_epochs([replica], range(epoch, epoch + 1), {{"train_loss": np.random.rand(1, 1)}})
        pace(epoch)
"""
TRAIN = ["python3", "-c", SCRIPT]
WATCHED_SCRIPT = f"""{PACE}
import keras
import numpy as np
from pipeline import Diagnosis
inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1, "sigmoid")])
model.compile("sgd", "binary_crossentropy")
paced = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: pace(epoch))
labels = inputs[:, :1] > 0
model.fit(inputs, labels, epochs=240, verbose=0, callbacks=[Diagnosis(inputs, labels, max_overhead=1000), paced])
"""
WATCHED = ["python3", "-c", WATCHED_SCRIPT]
