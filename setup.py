"""Put params.yaml into the wheel, which pyproject.toml cannot do, because the file belongs to no package.

params.yaml is the only place of every threshold, so the wheel gets the repository's file, and no copy is kept in git.
"""

import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PARAMS = "params.yaml"


class WithParams(build_py):
    """Copies the packages, and params.yaml beside the code that checks it, where `pipeline.api` reads it."""

    def run(self) -> None:
        """Copy all files into the folder that becomes the wheel."""
        super().run()
        if not self.editable_mode:  # an editable install uses the repository's params.yaml
            self.copy_file(PARAMS, str(Path(self.build_lib, "pipeline", "params", PARAMS)))

    def get_source_files(self) -> list[str]:
        """Return the files of a source distribution."""
        return [*super().get_source_files(), PARAMS]


# Built in a new folder each time, because `build/` could hold modules of an earlier version.
with tempfile.TemporaryDirectory() as folder:
    setup(cmdclass={"build_py": WithParams}, options={"build": {"build_base": folder}})
