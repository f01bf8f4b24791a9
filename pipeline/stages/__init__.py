"""The stages that dvc.yaml runs, and a guard: they need the project's own environment."""

import sys
from importlib.util import find_spec

if any(find_spec(package) is None for package in ("pydantic", "ruamel", "xarray")):
    sys.exit(
        f"error: {sys.executable} lacks the project's packages: "
        "run `make setup` once, then `. .venv/bin/activate` in this shell, and try again"
    )
