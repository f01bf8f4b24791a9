"""How the kernels of this room are compiled: by Numba, to machine code that is kept for the next process.

`fastmath` lets a sum over samples be taken in the order that suits the processor's vectors. Nothing else is given
up: infinities and what is not a number stay what they are, for a diverged replica must be seen. The same code on one
type of processor gives the same bits.

Compiling takes some ten seconds, once for each state of these sources on a machine. The code lies in the user's cache
folder, or under NUMBA_CACHE_DIR where that is set, so that clones and DVC's temporary workspaces share it.
"""

import hashlib
from pathlib import Path

import numba
from platformdirs import user_cache_path

ROOM = Path(__file__).resolve().parent


def _keep_by_content() -> None:
    """Numba notices a changed module by its own time alone; here kernels call those of other modules.

    Where the folder cannot be written, Numba finds a place of its own.
    """
    total = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(ROOM.glob("*.py")))).hexdigest()
    kept = numba.config.CACHE_DIR or user_cache_path("why-deep-networks-fail-to-train")
    folder = Path(kept) / f"compiled-{total[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    numba.config.CACHE_DIR = str(folder)


_keep_by_content()
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
inlined = numba.njit(inline="always", error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
