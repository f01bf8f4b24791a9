"""Draw figures and write them as PNG files; the same figure gives the same bytes."""

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.foundations.files import save_bytes

DOTS_PER_INCH = 120


def save_figures(figures: Mapping[Path, Figure]) -> None:
    """Write each figure to its path.

    Drawing takes most of the time of a stage that evaluates, so on Linux all cores draw, each a part of the figures.
    The other processes are forked, so they need no imports. They only return bytes, so a killed stage writes no more.

    Raises:
        EOFError: one of the other processes died.
    """
    paths = list(figures)
    count = max(1, min(len(paths), len(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else 1
    parts = [paths[first::count] for first in range(count)]
    forked = multiprocessing.get_context("fork")
    answers: list[Connection] = []
    for part in parts[1:]:
        answer, send = forked.Pipe(duplex=False)
        forked.Process(target=_send_drawn, args=([figures[path] for path in part], send), daemon=True).start()
        send.close()  # the child's end is the only one now, so `recv` ends if the child dies
        answers.append(answer)
    for path in parts[0]:
        save_bytes(_drawn(figures[path]), path)
    for part, answer in zip(parts[1:], answers, strict=True):
        for path, png in zip(part, answer.recv(), strict=True):
            save_bytes(png, path)


def _send_drawn(figures: Sequence[Figure], connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stage reports Ctrl-C, and ends this process
    with suppress(BrokenPipeError):  # the stage has ended
        connection.send([_drawn(figure) for figure in figures])


def _drawn(figure: Figure) -> bytes:
    """Return a figure as a PNG.

    This lays out and draws the figure once; `Figure.savefig` does both twice. The PNG does not state matplotlib's
    version, because its bytes would then differ between versions.
    """
    canvas = FigureCanvasAgg(figure)
    figure.dpi = DOTS_PER_INCH
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    png = BytesIO()
    canvas.print_png(png, metadata={"Software": None})
    return png.getvalue()
