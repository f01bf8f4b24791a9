"""Keras models in MLflow's model format, made in a subprocess: TensorFlow stays out of the publishing process, and is
imported only when there is something new to publish. (An `MLmodel` file holds a clock and a uuid, so training cannot
make it.)"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError

Folders = Mapping[str, Mapping[str, Path]]


@contextmanager
def packaging(replicas: Mapping[str, Mapping[str, int]]) -> Iterator[Callable[[], Folders]]:
    """Package replicas, given by variant and by the model's name, while the caller goes on.

    Yields what waits for the end and gives the packages' folders, by the same names; they live as long as the context.

    Raises:
        UserError: what training left of a replica is missing or damaged.
    """
    with tempfile.TemporaryDirectory(prefix="packaged-") as place:
        folders = {
            variant: {name: Path(place) / variant / name for name in models} for variant, models in replicas.items()
        }
        jobs = [
            [variant, replica, str(folders[variant][name])]
            for variant, models in replicas.items()
            for name, replica in models.items()
        ]
        if not jobs:
            yield lambda: folders
            return
        command = [sys.executable, "-m", "pipeline.tracking.package_models", json.dumps(jobs)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:

            def finished() -> Folders:
                _, errors = process.communicate()
                _expect_success(process.returncode, errors)
                return folders

            try:
                yield finished
            finally:
                process.kill()  # where the caller failed meanwhile; one that has ended takes no harm


def _expect_success(code: int, errors: str) -> None:
    last = (errors.strip().splitlines() or [""])[-1]
    if code and last.startswith("error: "):
        raise UserError(last.removeprefix("error: "))
    if code:
        raise RuntimeError(f"packaging Keras models failed with exit code {code}:\n{errors}")
