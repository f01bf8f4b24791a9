"""Read the params.yaml that is shipped with the code, so that scripts use the same thresholds as the repository."""

from pathlib import Path

from pipeline.params.file import Plain, load

FOLDER = Path(__file__).parent
IN_WHEEL, IN_REPOSITORY = (folder / "params.yaml" for folder in (FOLDER, FOLDER.parents[1]))


def shipped() -> dict[str, Plain]:
    """Return the document of the shipped params.yaml.

    Raises:
        UserError: as in `file.load`.
    """
    return load(IN_WHEEL if IN_WHEEL.is_file() else IN_REPOSITORY)
