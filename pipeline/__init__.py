"""Find out why a deep network does not train: the public names, which docs/reference.md describes.

Each name is imported at its first use, because every stage imports this package but needs none of its names.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.foundations.namesakes import warn_of_namesakes

__version__ = "0.1.0"
# A new public name must be added to this list, to the imports for type checkers, and to _MODULES.
__all__ = ["Diagnosis", "UserError", "__version__", "autolog", "diagnose", "read_history"]

if TYPE_CHECKING:
    from pipeline.api import diagnose, read_history
    from pipeline.foundations.errors import UserError
    from pipeline.watch.autolog import autolog
    from pipeline.watch.callback import Diagnosis
else:  # hidden from type checkers, which would otherwise accept any name
    _MODULES = {
        "Diagnosis": "pipeline.watch.callback",
        "UserError": "pipeline.foundations.errors",
        "autolog": "pipeline.watch.autolog",
        "diagnose": "pipeline.api",
        "read_history": "pipeline.api",
    }

    def __getattr__(name: str) -> object:
        """Import a public name at its first use (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = getattr(import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        """Return the public names, imported or not."""
        return sorted(__all__)


warn_of_namesakes()
