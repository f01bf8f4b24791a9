"""Set up TensorFlow and Keras, then import them. Stages import both from here only.

The settings must precede the import. They are made in Python, not in the Makefile, so that `dvc repro` typed by hand
gives the same bytes. One thread for each operation, without oneDNN, is also fastest for such small networks: oneDNN's
batched matrix product takes 3 times as long at 5 x 5. Two operations may run at once, so that measuring overlaps with
training.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
# `auto` allows a GPU: see `training.common.machine.choose_device`.
if os.environ.get("PIPELINE_DEVICE") != "auto":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # results must not depend on whether there is a GPU
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Hide what TensorFlow's C++ code writes to stderr about missing GPUs before its log level takes effect."""
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Let imports of these packages fail, unless they are imported already."""
    hidden = [package for package in packages if package not in sys.modules]
    for package in hidden:
        sys.modules[package] = None  # type: ignore[assignment]  # None in sys.modules makes an import fail
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


# Keras and TensorFlow import these packages for helpers that are not used here, which takes a third of the time.
with _silent_libraries(), _hidden("sklearn", "matplotlib", "jax"):
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # because several processes share it
    tf.config.list_logical_devices()  # starts the runtime, with these settings

tf.get_logger().setLevel("ERROR")  # otherwise it warns of retracing, which each further variant needs
keras.config.set_floatx("float32")  # overrides a user's keras.json

__all__ = ["keras", "tf"]
