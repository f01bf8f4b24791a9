"""Why a deep network does not train: the public surface, which docs/reference.md describes.

Every stage imports this package first and needs nothing of it, so each name is imported where it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.foundations.namesakes import warn_of_namesakes

__version__ = "0.1.0"
# A new public name stands here, in the imports for type checkers and in _MODULES: then it is imported like the others.
__all__ = ["Diagnosis", "UserError", "__version__", "autolog", "diagnose", "read_history"]

if TYPE_CHECKING:
    from pipeline.api import diagnose, read_history
    from pipeline.foundations.errors import UserError
    from pipeline.watch.autolog import autolog
    from pipeline.watch.callback import Diagnosis
else:  # hidden from type checkers, which would take any name for a public one
    _MODULES = {
        "Diagnosis": "pipeline.watch.callback",
        "UserError": "pipeline.foundations.errors",
        "autolog": "pipeline.watch.autolog",
        "diagnose": "pipeline.api",
        "read_history": "pipeline.api",
    }

    def __getattr__(name: str) -> object:
        """A public name, at its first use (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_MODULES[name]), name)
        return found

    def __dir__() -> list[str]:
        """What is public, asked for already or not."""
        return sorted(__all__)


warn_of_namesakes()
