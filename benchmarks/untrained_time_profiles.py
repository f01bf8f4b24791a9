"""Measure how far back in time the gradient reaches in untrained recurrent networks.

    python3 -m benchmarks.untrained_time_profiles [--replicas N] [--docs]

Each cell of examples/memory is measured at each length, in replicas that differ in their weights. Prints medians
and quartiles over replicas; --docs writes them and the figure to docs/recurrent.md.
"""

import argparse
import os
import runpy
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.markdown import renew, table
from benchmarks.processes import ONE_THREAD, PROCESSES
from pipeline.diagnosis.palette import of_variants
from pipeline.history.time_profiles import Reach, reach
from pipeline.report.figures.files import save_figures
from pipeline.report.figures.style import dress, figure

CELLS: Final = ("simple_tanh", "irnn", "lstm", "lstm_chrono", "gru")
LENGTHS: Final = (50, 100, 200, 400)
UNITS, FEATURES, ROWS = 32, 2, 32
ROOT: Final = Path(__file__).resolve().parent.parent
NETWORK: Final = ROOT / "examples" / "memory" / "networks" / "memory" / "network.py"
PAGE, PICTURE = ROOT / "docs" / "recurrent.md", ROOT / "docs" / "untrained_time_profiles.png"
BEGIN, END = (
    "<!-- untrained profiles: made by `python3 -m benchmarks.untrained_time_profiles --docs` -->\n",
    "<!-- end -->\n",
)
SMALLEST: Final = 1e-16  # of the greatest gradient in the figure


class Profiles(NamedTuple):
    """The gradient's L2 norms of untrained replicas [replica, step] at the recorded steps."""

    cell: str
    length: int
    steps: np.ndarray
    norms: np.ndarray

    @property
    def reaches(self) -> list[Reach]:
        """How far back the gradient of each replica reaches."""
        return [each for each in (reach(self.steps, norms) for norms in self.norms) if each is not None]


def measure(cell: str, length: int, replicas: int) -> Profiles:
    """Return the profiles of untrained networks: one recurrent layer whose last output an output unit reads.

    Inputs and targets are normal noise, the loss is the mean squared error. Replica r has the seed r.
    """
    import keras
    import tensorflow as tf

    from pipeline.recorder.layers import rows
    from pipeline.recorder.probe import Probe, Rows

    make = runpy.run_path(str(NETWORK))["CELLS"][cell]

    def network(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((length, FEATURES)), make(UNITS, length), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    random, model = np.random.default_rng(0), network(0)
    inputs = random.normal(size=(ROWS, length, FEATURES)).astype("float32")
    data = Rows.of(inputs, random.normal(size=(ROWS, 1)).astype("float32"), None)
    probe = Probe(model, rows(model), histograms=False)  # traced once: the weights of each replica are its arguments
    norms = []
    for seed in range(1, replicas + 1):
        state = [tf.constant(each) for each in network(seed).get_weights()]
        norms.append(probe.measure(state, data, None)[1]["gradient_norm_by_time"][0])
    return Profiles(cell, length, probe.recurrence.calls[0].steps, np.stack(norms))


def rows_of_table(every: list[Profiles]) -> Iterator[list[str]]:
    """Yield a row for each cell and length: decades, factor a step, and how many last steps get 0.1%."""
    for each in every:
        decades = np.percentile([one.decades for one in each.reaches], (25, 50, 75))
        reached = np.percentile([one.last - one.first + 1 for one in each.reaches], (25, 50, 75))
        factor = np.median([one.factor for one in each.reaches])
        yield [
            f"`{each.cell}`",
            str(each.length),
            f"{decades[1]:.1f} ({decades[0]:.1f} to {decades[2]:.1f})",
            f"{factor:.3f}",
            f"{reached[1]:.0f} ({reached[0]:.0f} to {reached[2]:.0f})",
        ]


def draw(every: list[Profiles]) -> None:
    """Draw the median profiles, a panel for each length and a line for each cell."""
    colours, lengths = of_variants(CELLS), sorted({each.length for each in every})
    drawing = figure(9.6, 3.2)
    panels = drawing.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    for axes, length in zip(panels, lengths, strict=True):
        for each in (each for each in every if each.length == length):
            shares = each.norms / each.norms.max(axis=1, keepdims=True)
            low, middle, high = np.percentile(shares, (25, 50, 75), axis=0)
            axes.fill_between(each.steps, low, high, color=colours[each.cell], alpha=0.18, linewidth=0)
            axes.plot(each.steps, middle, color=colours[each.cell], linewidth=1.6, label=each.cell)
        axes.axhline(1e-3, color="black", linestyle="--", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_ylim(SMALLEST, 30)
        axes.set_xlim(1, length)
        dress(axes, "time step", "" if axes is not panels[0] else "|gradient| / the greatest", f"{length} steps")
    panels[0].legend(fontsize=8, frameon=False, loc="lower right")
    save_figures({PICTURE: drawing})


def main() -> None:
    """Measure all cells and lengths in two processes."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.untrained_time_profiles", description=__doc__)
    parser.add_argument("--replicas", type=int, default=30)
    parser.add_argument("--docs", action="store_true", help="write the table and the figure to docs/recurrent.md")
    arguments = parser.parse_args()
    start, replicas = time.perf_counter(), arguments.replicas
    os.environ.update(ONE_THREAD)
    jobs = [(cell, length) for cell in CELLS for length in LENGTHS]
    with ProcessPoolExecutor(PROCESSES) as pool:
        waiting = [pool.submit(measure, *job, replicas) for job in sorted(jobs, key=lambda job: -job[1])]
        done = {(each.cell, each.length): each for each in (one.result() for one in waiting)}
    every = [done[job] for job in jobs]
    heading = ("cell", "steps", "powers of ten", "factor a step", "last steps with 0.1%")
    text = table(heading, rows_of_table(every))
    print(f"{text}{replicas} replicas each; {time.perf_counter() - start:.0f} s.")
    if arguments.docs:
        draw(every)
        renew(PAGE, BEGIN, END, f"\n{text}\n")


if __name__ == "__main__":
    main()
