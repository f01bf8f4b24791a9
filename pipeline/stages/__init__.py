"""The stages that dvc.yaml runs, each as a process of its own, in the project's environment."""

import atexit
import gc
import sys
from importlib.util import find_spec
from types import ModuleType

if any(find_spec(package) is None for package in ("pydantic", "ruamel", "xarray")):
    sys.exit(
        f"error: {sys.executable} lacks the project's packages: "
        "run `make setup` once, then `. .venv/bin/activate` in this shell, and try again"
    )

# By default Python collects cyclic garbage after every few hundred new objects and again at exit. This takes a seventh
# of the time of a stage that draws figures, and frees little memory.
gc.set_threshold(200_000)
atexit.register(gc.freeze)

# At its first calculation xarray imports `dask.array`, to recognise Dask's arrays, which no stage has. That takes a
# third of a second, and with SciPy's transforms more than half a second. This empty module answers xarray as well.
_no_dask_arrays = ModuleType("dask.array")
vars(_no_dask_arrays)["Array"] = type("Array", (), {})
sys.modules.setdefault("dask.array", _no_dask_arrays)
