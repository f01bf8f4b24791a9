"""The stages that dvc.yaml runs, each as a process of its own, in the project's environment."""

import atexit
import gc
import sys
from importlib.util import find_spec

from pipeline.foundations.errors import import_failures_in_one_line

import_failures_in_one_line()

if any(find_spec(package) is None for package in ("pydantic", "ruamel", "xarray")):
    sys.exit(
        f"error: {sys.executable} lacks the project's packages: "
        "run `make setup` once, then `. .venv/bin/activate` in this shell, and try again"
    )

# By default Python collects cyclic garbage after every few hundred new objects and again at exit. This takes a seventh
# of the time of a stage that draws figures, and frees little memory.
gc.set_threshold(200_000)
atexit.register(gc.freeze)

# Where Dask is installed, xarray imports all of `dask.array`: half of a second of each stage. An entry of None hides a
# package. `studies.workers`, which needs Dask, shows it again. Where xarray is imported already it has found Dask, and
# could not read a file without it.
if "xarray" not in sys.modules:
    sys.modules.setdefault("dask", None)  # type: ignore[arg-type]
