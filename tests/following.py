"""A follower as a process, and a training for it that only tells: both run in any folder that has a params.yaml."""

import sys

from workspace import ROOT

PATHS = {"PYTHONPATH": str(ROOT)}
FOLLOW = [sys.executable, "-m", "pipeline.tracking.live"]
SCRIPT = """
import time
import numpy as np
from pipeline.history.progress import progress_file
with progress_file("v", "variant", 240, 2, 2, ["train_loss"]) as file:
    for epoch in range(241):
        for replica in range(2):
            file.trained([replica], range(epoch, epoch + 1), {"train_loss": np.random.rand(1, 1)})
        time.sleep(0.5)
    time.sleep(600)
"""
TRAIN = [sys.executable, "-c", SCRIPT]
