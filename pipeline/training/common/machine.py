"""Measure the processors and the memory that this process may use, and choose its devices."""

import os
from contextlib import suppress


def choose_device(device: str) -> None:
    """Let TensorFlow use a GPU if there is one (`auto`), or hide all GPUs (`cpu`).

    Must be called before TensorFlow is imported. Child processes inherit the choice.
    """
    os.environ["PIPELINE_DEVICE"] = device


def cores() -> int:
    """Return the number of processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int | None:
    """Return the machine's memory in bytes; None if the system does not report it."""
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
