"""Figures as PNG, the same bytes for the same figure."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.artifacts.files import replacing

DOTS_PER_INCH = 120


def save_figure(figure: Figure, path: Path) -> None:
    """Without the name and version of the program, which would change the bytes."""
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:  # laid out here, or matplotlib would draw everything once more only to lay it out
        figure.dpi = DOTS_PER_INCH
        engine.execute(figure)
        figure.set_layout_engine("none")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata={"Software": None})
