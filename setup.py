"""What pyproject.toml cannot say of the wheel: params.yaml goes along, which is no package's file in the repository.

It is the one home of every threshold, so the wheel has it as it is here, and no copy of it is kept.
"""

import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PARAMS = "params.yaml"


class WithParams(build_py):
    """The packages, and params.yaml beside the code that checks it: `pipeline.api` reads it there."""

    def run(self) -> None:
        """Copy them into the folder that becomes the wheel."""
        super().run()
        if not self.editable_mode:  # then the package is the repository's, and params.yaml at its place
            self.copy_file(PARAMS, str(Path(self.build_lib, "pipeline", "params", PARAMS)))

    def get_source_files(self) -> list[str]:
        """What a source distribution needs."""
        return [*super().get_source_files(), PARAMS]


# In a folder of its own each time: in `build/`, modules of an earlier version would wait for the next wheel.
with tempfile.TemporaryDirectory() as folder:
    setup(cmdclass={"build_py": WithParams}, options={"build": {"build_base": folder}})
