"""Write figures as PNG files; the same figure gives the same bytes."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.foundations.files import replacing

DOTS_PER_INCH = 120


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure.

    This lays out and draws the figure once; `Figure.savefig` does both twice. The PNG does not state matplotlib's
    version, because its bytes would then differ between versions.
    """
    canvas = FigureCanvasAgg(figure)
    figure.dpi = DOTS_PER_INCH
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    with replacing(path) as temporary:
        canvas.print_png(temporary, metadata={"Software": None})
