"""Read the params.yaml that comes with the code: the thresholds hold in scripts as in the repository."""

from pathlib import Path

from pipeline.params.file import Plain, load

FOLDER = Path(__file__).parent
IN_WHEEL, IN_REPOSITORY = (folder / "params.yaml" for folder in (FOLDER, FOLDER.parents[1]))


def shipped() -> dict[str, Plain]:
    """Return the shipped file's document.

    Raises:
        UserError: as `file.load`.
    """
    return load(IN_WHEEL if IN_WHEEL.is_file() else IN_REPOSITORY)
