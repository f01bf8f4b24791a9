"""The processors, memory and devices that this process may use."""

import os
from contextlib import suppress


def choose_device(device: str) -> None:
    """Let TensorFlow use a GPU if there is one (`auto`), or hide all (`cpu`).

    It must be called before TensorFlow is imported; processes that this one starts inherit the choice.
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
