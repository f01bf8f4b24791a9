"""Where figures must lie among a run's artifacts for the UI's image grid to set them beside those of other runs.

MLflow's own `log_image` puts a clock and a random number into the names, so that logging a figure again adds a second
one. The names here follow the same pattern with fixed values: logging a figure again replaces it.
"""

import uuid

from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES

FOLDER = "images"
TAGS = {MLFLOW_LOGGED_IMAGES: "True"}  # on runs that have images; the grid passes over others
STEP, TIMESTAMP = 0, 1  # a figure is of a whole training; any fixed moment will do


def key(figure: str) -> str:
    """The image's name in the UI: what stands before the slash names the section of charts."""
    return f"figures/{figure}"


def names(figure: str) -> tuple[str, str]:
    """The file names of a figure: in full, and the thumbnail that the grid shows first.

    A thumbnail of MLflow's is 256 pixels wide, on which no axis can be read; here both are the whole figure.
    """
    stem = f"{key(figure).replace('/', '~')}+step+{STEP}+timestamp+{TIMESTAMP}+{uuid.uuid5(uuid.NAMESPACE_URL, figure)}"
    return f"{stem}.png", f"{stem}+compressed.png"
