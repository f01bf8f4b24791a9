"""How the kernels of this room are compiled: by Numba, to machine code that is kept for the next process.

`fastmath` lets a sum over samples be taken in the order that suits the processor's vectors. Nothing else is given
up: infinities and what is not a number stay what they are, for a diverged replica must be seen.

On x86-64 the code is tuned for one processor, whichever it runs on: LLVM would choose the width of vectors by the
processor's name, and with it the order of sums, so that two machines with the same instructions gave different bits.
The same code on one type of processor gives the same bits.

Compiling takes some ten seconds, once for each state of these sources on a machine. The code lies in the user's cache
folder, or under NUMBA_CACHE_DIR where that is set, and is found there by these sources' bytes: clones and DVC's
temporary workspaces share it.
"""

import hashlib
import platform
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Self

import numba
from numba.core.caching import CacheImpl, UserWideCacheLocator
from platformdirs import user_cache_path

ROOM = Path(__file__).resolve().parent
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(ROOM.glob("*.py")))).hexdigest()
TUNED_FOR = "haswell"  # vectors of 256 bits; its instructions are still those of the processor at hand
KEPT = Path(numba.config.CACHE_DIR or user_cache_path("why-deep-networks-fail-to-train"))


@cache
def folder() -> Path | None:
    """Where the code of these sources is kept: beside them where nothing can be written elsewhere."""
    for parent in (KEPT, ROOM / "__pycache__"):
        found = parent / f"compiled-{SOURCES[:16]}"
        try:
            found.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=found).close()
        except OSError:
            continue
        return found
    return None


class ByContent(UserWideCacheLocator):
    """Where Numba keeps the code of this room.

    Numba's own locators tell the same module in two folders apart, and notice a changed module by itself alone, while
    kernels here contain those of other modules.
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Self | None:
        """None for code of others, and where nothing can be written: Numba then asks its next locator."""
        return cls(py_func, py_file) if Path(py_file).resolve().parent == ROOM and folder() else None

    def get_cache_path(self) -> str:
        """The folder."""
        return str(folder())

    def get_source_stamp(self) -> str:
        """What must be equal for kept code to be used."""
        return SOURCES


if platform.machine() in ("x86_64", "AMD64") and numba.config.CPU_NAME is None:
    numba.config.CPU_NAME = TUNED_FOR
others = numba.config.CACHE_LOCATOR_CLASSES or ",".join(each.__name__ for each in CacheImpl._locator_classes)
numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{ByContent.__name__},{others}"
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
inlined = numba.njit(inline="always", error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
