"""The one door to TensorFlow and Keras: what must be set before they are imported is set here.

In Python and not in the Makefile, so that `dvc repro` typed by hand gives the same bytes. Single-threaded operations
and no oneDNN are also the fastest for networks this small (oneDNN's batched matrix product costs 3 times more at
5 x 5); two operations may run at once, which is how measuring overlaps training.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
# `auto` where a GPU may be taken: see `training.common.machine.choose_device`.
if os.environ.get("PIPELINE_DEVICE") != "auto":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # one processor type, one result
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Hide what TensorFlow's C++ writes to stderr about absent GPUs before its own log level holds."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Let packages that nobody has imported yet seem not to be installed."""
    hidden = [package for package in packages if package not in sys.modules]
    for package in hidden:
        sys.modules[package] = None  # type: ignore[assignment]  # Python's own sign for it
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


# What Keras and TensorFlow import only where they can, for helpers that nobody here calls: a third of their own time.
with _silent_libraries(), _hidden("sklearn", "matplotlib", "jax"):
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # several processes share it
    tf.config.list_logical_devices()  # starts the runtime, with these settings

tf.get_logger().setLevel("ERROR")  # it warns of compiling anew where another variant must be
keras.config.set_floatx("float32")  # whatever a user's keras.json says

__all__ = ["keras", "tf"]
