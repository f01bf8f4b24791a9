"""Package Keras models in MLflow's format, in a subprocess, so that publishing itself never imports TensorFlow.

The subprocess starts only if, by the manifest, there is something new to publish. It takes longer than all other steps,
so it starts as early as possible. Training cannot make the packages: an `MLmodel` file holds a clock and a uuid.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import temporary_folder


class Packages:
    """Packages of replicas, some of them under way; a context manager that deletes them at its end."""

    def __enter__(self) -> Self:
        self._open = ExitStack()
        self._place = self._open.enter_context(temporary_folder("packaged-"))
        self._waiting: list[subprocess.Popen[str]] = []  # at most one
        self._running: dict[str, subprocess.Popen[str]] = {}  # by variant; several share one
        self._folders: dict[str, dict[str, Path]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            for process in {*self._running.values(), *self._waiting}:
                process.kill()  # without effect on one that has ended
                process.wait()

    def prepare(self) -> None:
        """Start the subprocess, which imports TensorFlow meanwhile, if there is probably something to package."""
        if not self._waiting:
            self._waiting.append(_started(self._place))

    def begin(self, replicas: Mapping[str, Mapping[str, int]]) -> None:
        """Start to package replicas, given by variant and model name, unless they are begun already."""
        jobs: dict[str, dict[str, int]] = {}
        new = {variant: models for variant, models in replicas.items() if variant not in self._folders}
        for variant, models in new.items():
            self._folders[variant] = {name: self._place / variant / name for name in models}
            jobs[variant] = {str(self._folders[variant][name]): replica for name, replica in models.items()}
        if any(jobs.values()):
            process = self._waiting.pop() if self._waiting else _started(self._place)
            self._running |= {variant: process for variant, models in new.items() if models}
            if process.stdin is not None:
                with suppress(BrokenPipeError), process.stdin as stdin:  # it failed; `folders` reports why
                    json.dump(jobs, stdin)
                process.stdin = None  # closed

    def folders(self, variant: str) -> Mapping[str, Path]:
        """Wait for the variant's packages, and return their folders by model name.

        Raises:
            UserError: a file that training wrote is missing or damaged.
        """
        process = self._running.get(variant)
        if process is not None:
            _, errors = process.communicate()
            self._running = {each: other for each, other in self._running.items() if other is not process}
            _expect_success(process.returncode, errors)
        return self._folders[variant]


def _started(place: Path) -> subprocess.Popen[str]:
    """Start the subprocess, with its temporary files in `place`: if killed, it cannot remove them."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.tracking.package_models"],
        env={**os.environ, "TMPDIR": str(place)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _expect_success(code: int, errors: str) -> None:
    last = (errors.strip().splitlines() or [""])[-1]
    if code and last.startswith("error: "):
        raise UserError(last.removeprefix("error: "))
    if code:
        raise RuntimeError(f"packaging Keras models failed with exit code {code}:\n{errors}")
