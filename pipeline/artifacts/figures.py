"""Figures as PNG, the same bytes for the same figure."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.artifacts.files import replacing

DOTS_PER_INCH = 120


def save_figure(figure: Figure, path: Path) -> None:
    """Without the name and version of the program, which would change the bytes."""
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata={"Software": None})
