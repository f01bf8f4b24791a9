"""The params.yaml that came with the code: the one home of every threshold, in a script as in the repository."""

from pathlib import Path
from typing import Any

from pipeline.params.file import load

FOLDER = Path(__file__).parent
IN_WHEEL, IN_REPOSITORY = (folder / "params.yaml" for folder in (FOLDER, FOLDER.parents[1]))


def shipped() -> dict[str, Any]:
    """Its document.

    Raises:
        UserError: as `file.load`.
    """
    return load(IN_WHEEL if IN_WHEEL.is_file() else IN_REPOSITORY)
