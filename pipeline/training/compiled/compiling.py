"""Compile the functions of this package with Numba, to machine code that is kept for the next process.

`fastmath` allows sums over samples in the order that suits the processor's vectors. Nothing else is relaxed: NaN and
infinite values stay what they are, because a diverged replica must be recognised.

On x86-64 the loops are optimised for one processor, whichever they run on. LLVM chooses the width of vectors by the
processor, and with it the order of sums: two machines would give different bits, and a network that trains on one of
them could fail on the other. Only the instructions are chosen for the actual processor: a machine without 512-bit
vectors uses two of 256 bits.

Compiling takes some ten seconds, once per machine for each state of these sources. The code is kept in the user's cache
folder, or under NUMBA_CACHE_DIR if that is set, in a folder named by a hash of these sources: clones and DVC's
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
# The processor that LLVM optimises for: its name and features; both matter. With these it takes 16 samples at a time if
# there are many, and 8 in a batch of 32.
CPU = "haswell"
FEATURES = "+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+popcnt,+avx512f,+avx512bw,+avx512dq,+avx512vl"
CACHE = Path(numba.config.CACHE_DIR or user_cache_path("why-deep-networks-fail-to-train"))


@cache
def folder() -> Path | None:
    """Return the folder of the compiled code; None if no folder can be written to."""
    for parent in (CACHE, PACKAGE / "__pycache__"):
        path = parent / f"compiled-{SOURCES[:16]}"
        try:
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except OSError:
            continue
        return path
    return None


class ByContent(UserWideCacheLocator):
    """Tells Numba where to keep the code of this package.

    Numba's own locators keep the same module in two folders apart, and recompile a function only if its own module has
    changed, although functions here contain inlined ones of other modules.
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Self | None:
        """Return a locator for functions of this package; None lets Numba ask its next locator."""
        return cls(py_func, py_file) if Path(py_file).resolve().parent == PACKAGE and folder() else None

    def get_cache_path(self) -> str:
        """Return the folder of the compiled code."""
        return str(folder())

    def get_source_stamp(self) -> str:
        """Return what must be equal for kept code to be used."""
        return SOURCES


def _optimise_for_one_processor() -> None:
    """Optimise for CPU, whatever the processor.

    Numba has no public way to optimise for one processor and choose instructions for another.
    """
    numba.config.CPU_NAME = CPU
    codegen = cpu_target.target_context.codegen()
    machine = llvm.Target.from_triple(llvm.get_process_triple())
    codegen._tm = machine.create_target_machine(cpu=CPU, features=FEATURES, opt=numba.config.OPT, jit=True)


if platform.machine() in ("x86_64", "AMD64") and numba.config.CPU_NAME is None:
    _optimise_for_one_processor()
others = numba.config.CACHE_LOCATOR_CLASSES or ",".join(each.__name__ for each in CacheImpl._locator_classes)
numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{ByContent.__name__},{others}"
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
inlined = numba.njit(inline="always", error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
