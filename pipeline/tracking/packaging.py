"""Package Keras models in MLflow's format, in a subprocess, so that publishing itself never imports TensorFlow.

The subprocess starts only if the manifest shows that there is something new to publish. Packaging takes longer than all
other steps, so it starts as early as possible. Training cannot write the packages, because an `MLmodel` file contains
the time and a random id, and so differs in every run.
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
    """The packages of replicas, some perhaps not yet complete. A context manager that deletes them when it exits."""

    def __enter__(self) -> Self:
        self._open = ExitStack()
        self._folder = self._open.enter_context(temporary_folder("packaged-"))
        self._idle: list[subprocess.Popen[str]] = []  # started, without a task yet; at most one
        self._processes: dict[str, subprocess.Popen[str]] = {}  # by variant; several variants share a process
        self._folders: dict[str, dict[str, Path]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            for process in {*self._processes.values(), *self._idle}:
                process.kill()  # no effect if it has ended
                process.wait()

    def prepare(self) -> None:
        """Start the subprocess before its first task, because it takes seconds to import TensorFlow."""
        if not self._idle:
            self._idle.append(_start(self._folder))

    def begin(self, replicas: Mapping[str, Mapping[str, int]]) -> None:
        """Start to package replicas; variants whose packaging has already started are skipped.

        Args:
            replicas: the replica of each model, by variant and model name.
        """
        jobs: dict[str, dict[str, int]] = {}
        new = {variant: models for variant, models in replicas.items() if variant not in self._folders}
        for variant, models in new.items():
            self._folders[variant] = {name: self._folder / variant / name for name in models}
            jobs[variant] = {str(self._folders[variant][name]): replica for name, replica in models.items()}
        if any(jobs.values()):
            process = self._idle.pop() if self._idle else _start(self._folder)
            self._processes |= {variant: process for variant, models in new.items() if models}
            if process.stdin is not None:
                with suppress(BrokenPipeError), process.stdin as stdin:  # the subprocess failed; `folders` reports why
                    json.dump(jobs, stdin)
                process.stdin = None  # it is closed; `communicate` must not use it

    def folders(self, variant: str) -> Mapping[str, Path]:
        """Wait for the variant's packages, and return their folders by model name.

        Raises:
            UserError: a file that training wrote is missing or damaged.
        """
        process = self._processes.get(variant)
        if process is not None:
            _, errors = process.communicate()
            self._processes = {name: other for name, other in self._processes.items() if other is not process}
            _expect_success(process.returncode, errors)
        return self._folders[variant]


def _start(folder: Path) -> subprocess.Popen[str]:
    """Start the subprocess. Its temporary files are in `folder`, because it cannot remove them if it is killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.tracking.package_models"],
        env={**os.environ, "TMPDIR": str(folder)},
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
