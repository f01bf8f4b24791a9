"""List the versions of software that a result depends on."""

import platform
from importlib.metadata import version

PACKAGES = ("tensorflow", "keras", "numba", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of Python and the packages that results depend on, and the type of processor.

    The result has no date and no machine name, so that the same setup gives the same bytes.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "processor": platform.machine(), **{name: version(name) for name in PACKAGES}}
