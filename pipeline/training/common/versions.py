"""What a result was made with, as far as it is not in params.yaml."""

import platform
from importlib.metadata import version

PACKAGES = ("tensorflow", "keras", "numba", "numpy")


def versions() -> dict[str, str]:
    """Of Python, the type of processor, and the packages that the numbers depend on. No clock, no name of a machine."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "processor": platform.machine(), **{name: version(name) for name in PACKAGES}}
