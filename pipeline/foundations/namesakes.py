"""Another `pipeline` beside this one: it is a common name for a folder of one's own, and only one can be imported.

Python takes a package or a module before a folder without `__init__.py`, wherever they stand on its path, and of equals
the first. So the user's own may be hidden by this one, which is said here, in one line. Where it is the other way round
nothing of this package runs; Python's ImportError then names the user's file.
"""

import os
import sys
import warnings

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = os.path.basename(PACKAGE)
OWN = os.path.join("diagnosis", "causes.py")  # only a copy of this package has it


def warn_of_namesakes() -> None:
    """Warn, where this package was imported, of what would have been if it were not there."""
    other = next((place for folder in sys.path if isinstance(folder, str) for place in _namesakes(folder)), None)
    if other:
        warnings.warn(
            f"`import {NAME}` takes {PACKAGE}, not {os.path.abspath(other)}: rename the latter to import both",
            stacklevel=3,  # this function, the package, and then who imports it
        )


def _namesakes(folder: str) -> list[str]:
    """Of a folder on Python's path: a module, and a folder with modules that is no copy of this package."""
    module, package = (os.path.join(folder, name) for name in (f"{NAME}.py", NAME))
    found = [module] if os.path.isfile(module) else []
    if os.path.isdir(package) and not os.path.isfile(os.path.join(package, OWN)) and _has_modules(package):
        found.append(package)
    return found


def _has_modules(folder: str, deeper: bool = True) -> bool:
    """In the folder or in one of its own: without modules nobody imports anything of it."""
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.name.endswith(".py") or (deeper and entry.is_dir() and _has_modules(entry.path, deeper=False))
                for entry in entries
            )
    except OSError:  # nobody can import from it either
        return False
