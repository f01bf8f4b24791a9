"""Has a module of its own beside it, and ends by `sys.exit`. needs: my_model.py"""

import sys

import numpy as np
from my_model import make_model

x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
make_model().fit(x, (x[:, 0] > 0).astype("int32"), epochs=2, verbose=0, class_weight={0: 1.0, 1: 2.0})
sys.exit()
