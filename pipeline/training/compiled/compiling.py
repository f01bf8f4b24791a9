"""Compile the functions of this package with Numba, and keep the machine code for the next process.

`fastmath` lets sums over samples run in the order that suits the processor's vectors. It relaxes nothing else: NaN and
infinite values keep their meaning, because a diverged replica must be recognised.

Most loops state their vectors and the order of their sums; see `lanes`. LLVM vectorises the others, such as steps and
losses, and on x86-64 it optimises for one processor type on every machine. Otherwise it would choose the width of
vectors, and thereby the order of sums, for each processor: results would differ in their last bits, and a network that
trains on one machine could fail on another. Only the instructions depend on the actual processor: one without 512-bit
vectors uses two vectors of 256 bits.

Compiling takes some fifteen seconds on each machine whenever these sources have changed. The code is kept in a folder
named by a hash of these sources, in the user's cache folder or in NUMBA_CACHE_DIR if that is set. Clones and DVC's
temporary workspaces share it.
"""

import hashlib
import os
import platform
import stat
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
# The processor that LLVM optimises for, and its features; both change the results. With these, LLVM takes 16 samples at
# a time if there are many, and 8 in a batch of 32.
CPU = "haswell"
FEATURES = "+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+popcnt,+avx512f,+avx512bw,+avx512dq,+avx512vl"
CACHE = Path(numba.config.CACHE_DIR or user_cache_path("why-deep-networks-fail-to-train"))


@cache
def folder() -> Path | None:
    """Return the folder of the compiled code; None if no folder is writable and private.

    Numba unpickles what lies there and runs it. So a folder in which another user could write is not used.
    """
    for parent in (CACHE, PACKAGE / "__pycache__"):
        path = parent / f"compiled-{SOURCES[:16]}"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
            if _is_private(path):
                return path
        except OSError:
            continue
    return None


def _is_private(path: Path) -> bool:
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class ByContent(UserWideCacheLocator):
    """Tells Numba in which folder to keep the compiled code of this package.

    Numba's own locators do not suffice. They compile each copy of a module separately. They also compile a function
    again only if its own module changes, but functions here contain inlined functions of other modules.
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Self | None:
        """Return a locator for functions of this package; None lets Numba ask its next locator."""
        return cls(py_func, py_file) if Path(py_file).resolve().parent == PACKAGE and folder() else None

    def get_cache_path(self) -> str:
        """Return the folder of the compiled code."""
        return str(folder())

    def get_source_stamp(self) -> str:
        """Return the hash of the sources; if it has changed, Numba does not use the kept code."""
        return SOURCES


def _optimise_for_one_processor() -> None:
    """Optimise for CPU on every processor.

    Numba has no public way to optimise for one processor and choose instructions for another.
    """
    numba.config.CPU_NAME = CPU
    codegen = cpu_target.target_context.codegen()
    machine = llvm.Target.from_triple(llvm.get_process_triple())
    codegen._tm = machine.create_target_machine(cpu=CPU, features=FEATURES, opt=numba.config.OPT, jit=True)


if platform.machine() in ("x86_64", "AMD64") and numba.config.CPU_NAME is None:
    _optimise_for_one_processor()
other_locators = numba.config.CACHE_LOCATOR_CLASSES or ",".join(each.__name__ for each in CacheImpl._locator_classes)
numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{ByContent.__name__},{other_locators}"
_options = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
inlined = numba.njit(inline="always", **_options)
# These functions make no arrays, so they need not count references to them. Counting took a quarter of the time that a
# narrow network trains.
compiled = numba.njit(cache=True, nogil=True, _nrt=False, **_options)
# The sums of these functions are taken in the order of the source, also where the processor has other vectors.
in_order = numba.njit(cache=True, nogil=True, _nrt=False, error_model="numpy")
