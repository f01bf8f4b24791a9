"""How the kernels of this package are compiled: by Numba, to machine code that is kept for the next process.

`fastmath` lets a sum over samples be taken in the order that suits the processor's vectors. Nothing else is given
up: infinities and what is not a number stay what they are, for a diverged replica must be seen.

On x86-64 the loops are optimised for one processor, whichever they run on. LLVM chooses the width of vectors by the
processor, and with it the order of sums: two machines would give different bits, and a network that one of them trains
would fail on the other. Instructions are then chosen for the processor at hand, so a machine without 512-bit vectors
takes two of 256 bits for each.

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

import llvmlite.binding as llvm
import numba
from numba.core.caching import CacheImpl, UserWideCacheLocator
from numba.core.registry import cpu_target
from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parent
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(PACKAGE.glob("*.py")))).hexdigest()
# What the optimizer believes the processor to be: LLVM's name and features. Both count; with them it takes 16 samples
# at a time where there are many, and 8 in a batch of 32.
CPU = "haswell"
FEATURES = "+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+popcnt,+avx512f,+avx512bw,+avx512dq,+avx512vl"
KEPT = Path(numba.config.CACHE_DIR or user_cache_path("why-deep-networks-fail-to-train"))


@cache
def folder() -> Path | None:
    """Where the code of these sources is kept: beside them where nothing can be written elsewhere."""
    for parent in (KEPT, PACKAGE / "__pycache__"):
        found = parent / f"compiled-{SOURCES[:16]}"
        try:
            found.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=found).close()
        except OSError:
            continue
        return found
    return None


class ByContent(UserWideCacheLocator):
    """Where Numba keeps the code of this package.

    Numba's own locators tell the same module in two folders apart, and notice a changed module by itself alone, while
    kernels here contain those of other modules.
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Self | None:
        """None for code of others, and where nothing can be written: Numba then asks its next locator."""
        return cls(py_func, py_file) if Path(py_file).resolve().parent == PACKAGE and folder() else None

    def get_cache_path(self) -> str:
        """The folder."""
        return str(folder())

    def get_source_stamp(self) -> str:
        """What must be equal for kept code to be used."""
        return SOURCES


def _optimise_alike_everywhere() -> None:
    """Numba has one description of the processor for both steps, and no public way to tell them apart."""
    numba.config.CPU_NAME = CPU
    codegen = cpu_target.target_context.codegen()
    machine = llvm.Target.from_triple(llvm.get_process_triple())
    codegen._tm = machine.create_target_machine(cpu=CPU, features=FEATURES, opt=numba.config.OPT, jit=True)


if platform.machine() in ("x86_64", "AMD64") and numba.config.CPU_NAME is None:
    _optimise_alike_everywhere()
others = numba.config.CACHE_LOCATOR_CLASSES or ",".join(each.__name__ for each in CacheImpl._locator_classes)
numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{ByContent.__name__},{others}"
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
inlined = numba.njit(inline="always", error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
