"""Keras models in MLflow's model format, made in a subprocess: TensorFlow stays out of the publishing process, and is
imported only when there is something new to publish. (An `MLmodel` file holds a clock and a uuid, so training cannot
make it.)"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError


@contextmanager
def packaged(variants: Sequence[dict[str, Path]]) -> Iterator[list[dict[str, Path]]]:
    """Package `.keras` files, given by name for each variant; the folders live as long as the context.

    Raises:
        UserError: a model file is missing or damaged.
    """
    with tempfile.TemporaryDirectory(prefix="packaged-") as place:
        folders = [
            {name: Path(place) / str(number) / name for name in sources} for number, sources in enumerate(variants)
        ]
        jobs = [
            (str(sources[name]), str(folder))
            for sources, into in zip(variants, folders, strict=True)
            for name, folder in into.items()
        ]
        if jobs:
            _package(jobs)
        yield folders


def _package(jobs: list[tuple[str, str]]) -> None:
    command = [sys.executable, "-m", "pipeline.tracking.package_models"]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, check=False)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode and last.startswith("error: "):
        raise UserError(last.removeprefix("error: "))
    if done.returncode:
        raise RuntimeError(f"packaging Keras models failed with exit code {done.returncode}:\n{done.stderr}")
