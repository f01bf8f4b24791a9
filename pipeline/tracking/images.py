"""The names of figures among a run's artifacts with which the UI's image grid shows them beside those of other runs.

MLflow's own `log_image` puts a clock and a random number into the names, so logging a figure again would add a second
one. The names here follow the same pattern with fixed values, so logging a figure again replaces it.
"""

import uuid

from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES

FOLDER = "images"
TAGS = {MLFLOW_LOGGED_IMAGES: "True"}  # of runs with images; the grid skips others
STEP, TIMESTAMP = 0, 1  # any fixed moment: a figure shows a whole training


def key(figure: str) -> str:
    """Return the image's name in the UI; the part before the slash names the section of charts."""
    return f"figures/{figure}"


def names(figure: str) -> tuple[str, str]:
    """Return the file names of a figure: of the image, and of the thumbnail that the grid shows first.

    MLflow's own thumbnails are 256 pixels wide, too small to read an axis; here both files hold the whole figure.
    """
    stem = f"{key(figure).replace('/', '~')}+step+{STEP}+timestamp+{TIMESTAMP}+{uuid.uuid5(uuid.NAMESPACE_URL, figure)}"
    return f"{stem}.png", f"{stem}+compressed.png"
