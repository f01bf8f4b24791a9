"""What this process may use of the machine."""

import os
from contextlib import suppress


def choose_device(device: str) -> None:
    """Let TensorFlow take a GPU where there is one (`auto`), or hide all (`cpu`): in this process, before the import,
    and in those that it starts."""
    os.environ["PIPELINE_DEVICE"] = device


def cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int | None:
    """Bytes of memory that the machine has, where it says so."""
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
