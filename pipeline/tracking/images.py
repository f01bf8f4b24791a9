"""Name the figures of a run so that the UI's image grid shows them beside the figures of other runs.

MLflow's own `log_image` puts the time and a random number into a name, so logging a figure again would add a copy. The
names here follow the same pattern with fixed values, so logging a figure again replaces it.
"""

import uuid

from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES

FOLDER = "images"
TAGS = {MLFLOW_LOGGED_IMAGES: "True"}  # of a run with images; the grid skips runs without this tag
STEP, TIMESTAMP = 0, 1  # fixed values, because a figure shows a whole training


def names(figure: str) -> tuple[str, str]:
    """Return the names of a figure's two files: the image, and the thumbnail that the grid shows first.

    The UI calls the image `figures/<figure>`; the part before the slash is its section of charts. (A `~` stands for the
    slash.)

    MLflow's own thumbnails are 256 pixels wide, too small to read an axis; here both files have the full size.
    """
    stem = f"figures~{figure}+step+{STEP}+timestamp+{TIMESTAMP}+{uuid.uuid5(uuid.NAMESPACE_URL, figure)}"
    return f"{stem}.png", f"{stem}+compressed.png"
