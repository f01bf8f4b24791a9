"""Warn of another module named `pipeline`: users often have a folder of this name, and Python imports only one.

Python prefers a package or a module to a folder without `__init__.py`; among equals it takes the first on its path. If
this package hides the user's module, a warning says so. If the user's module hides this package, no code here runs,
and Python's ImportError names the user's file.
"""

import os
import sys
import warnings

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = os.path.basename(PACKAGE)
OWN = os.path.join("diagnosis", "causes.py")  # only a copy of this package has it


def warn_of_namesakes() -> None:
    """Warn of the module that Python would import if this package did not exist; name the importing line."""
    other = next((path for folder in sys.path if isinstance(folder, str) for path in _namesakes(folder)), None)
    if other:
        warnings.warn(
            f"`import {NAME}` imports {PACKAGE}, not {os.path.abspath(other)}: rename the latter to import both",
            stacklevel=3,  # past this function and the package, to the importing line
        )


def _namesakes(folder: str) -> list[str]:
    """Return the modules and folders of modules with this package's name in a folder of Python's path."""
    module, package = (os.path.join(folder, name) for name in (f"{NAME}.py", NAME))
    namesakes = [module] if os.path.isfile(module) else []
    if os.path.isdir(package) and not os.path.isfile(os.path.join(package, OWN)) and _has_modules(package):
        namesakes.append(package)
    return namesakes


def _has_modules(folder: str, deeper: bool = True) -> bool:
    """Return whether the folder, or a folder directly in it, has modules; a folder without modules hides nothing."""
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.name.endswith(".py") or (deeper and entry.is_dir() and _has_modules(entry.path, deeper=False))
                for entry in entries
            )
    except OSError:  # unreadable, so nobody can import from it
        return False
