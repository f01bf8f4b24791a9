"""The list of the report's figures: the name, place, caption and drawing function of each.

To add a figure, add an entry to FIGURES and a function that draws the figure; the pages then show it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import xarray as xr
from matplotlib.figure import Figure

from pipeline.data.split.samples import Origin, RawData, Split
from pipeline.diagnosis.causes import outcomes
from pipeline.diagnosis.palette import of_variants
from pipeline.evaluation import ranking
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison_params import ComparisonParams
from pipeline.report.figures import (
    comparison_figures,
    data_figures,
    gradient_figures,
    score_figures,
    surface_figures,
    weight_figures,
)
from pipeline.report.figures.style import PERCENTILES


class Place(Enum):
    """The sections of the report. The section PAIR exists only if params.yaml names a pair."""

    ASKED = auto()
    RESULTS = auto()
    PAIR = auto()
    WHY = auto()
    HELPS = auto()
    RUN = auto()


@dataclass(frozen=True)
class Compared:
    """The inputs of all figures. All maps are by variant, in the order of params.yaml.

    tables: the tables of the comparison.
    chosen: the section `comparison` of params.yaml.
    rule: when a replica has learned.
    """

    tables: Comparison
    chosen: ComparisonParams
    rule: Rule
    hidden_layers: Mapping[str, int]
    evaluations: Mapping[str, VariantEvaluation]
    histories: Mapping[str, xr.Dataset]
    predictions: Mapping[str, xr.Dataset]
    raw: RawData
    split: Split
    origin: Origin

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each variant, from its position in params.yaml."""
        return of_variants(list(self.evaluations))

    @property
    def pair(self) -> dict[str, VariantEvaluation]:
        """The evaluations of the two variants of `comparison.pair`; empty without a pair."""
        return {name: self.evaluations[name] for name in self.chosen.pair or ()}


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    name: the name of its file.
    place: its section; the figures of a section are in the order of FIGURES.
    caption: a description for readers who cannot see the figure.
    draw: returns the figure, or None if it does not apply.
    """

    name: str
    place: Place
    caption: str
    draw: Callable[[Compared], Figure | None]


def figures(compared: Compared) -> Iterator[tuple[str, Figure]]:
    """Yield the name of every figure that applies, and the figure."""
    for entry in FIGURES:
        drawing = entry.draw(compared) if compared.pair or entry.place is not Place.PAIR else None
        if drawing is not None:
            yield entry.name, drawing


def at(place: Place, names: Iterable[str]) -> list[ReportFigure]:
    """Return the figures of these names that belong to a section, in the order of FIGURES.

    Raises:
        KeyError: a name is not in FIGURES, so no page would show the figure.
    """
    by_name = {entry.name: entry for entry in FIGURES}
    entries = [by_name[name] for name in names]
    return [entry for entry in FIGURES if entry in entries and entry.place is place]


def _outcomes(compared: Compared) -> Figure:
    counts = {name: each.metrics.outcomes for name, each in compared.evaluations.items()}
    return comparison_figures.outcome_bars(compared.tables.variants, counts)


def _scores(compared: Compared) -> Figure:
    replicas = {
        name: score_figures.Replicas(compared.histories[name], list(outcomes(each.replicas)))
        for name, each in compared.evaluations.items()
    }
    return score_figures.final_score_by_variant(replicas, compared.rule)


def _surfaces(compared: Compared) -> Figure | None:
    """Return the decision surfaces; None unless the data are two classes of points in a plane."""
    if compared.split.task.kind != "binary" or not all("surface" in each for each in compared.predictions.values()):
        return None
    chosen = {
        name: surface_figures.Chosen(
            each, *ranking.at_percentiles(compared.histories[name], compared.rule.score, PERCENTILES)
        )
        for name, each in compared.predictions.items()
    }
    return surface_figures.surfaces_by_variant(chosen, compared.split.test)


def _pair(compared: Compared) -> Figure:
    finals = {name: each.replicas[each.final].to_numpy(float) for name, each in compared.pair.items()}
    curves, task = compared.tables.curves, compared.split.task
    return comparison_figures.pair_over_epochs(curves, finals, task, compared.rule, compared.colours)


def _pair_gradients(compared: Compared) -> Figure:
    layers = {name: each.layers for name, each in compared.pair.items()}
    counts = {name: each.metrics.replicas for name, each in compared.pair.items()}
    return gradient_figures.gradients_of_pair(layers, counts, compared.colours)


def _weights(compared: Compared) -> Figure | None:
    if compared.chosen.weights is None:
        return None
    return weight_figures.weight_norms({name: compared.evaluations[name].layers for name in compared.chosen.weights})


FIGURES: tuple[ReportFigure, ...] = (
    ReportFigure(
        "data",
        Place.ASKED,
        "The data: every row by two inputs, or by its first two principal components, coloured by class or target",
        lambda compared: data_figures.picture(compared.raw, compared.split, compared.origin),
    ),
    ReportFigure(
        "outcomes",
        Place.RESULTS,
        "Bars: for each variant the share of replicas that learned, with its interval, and of each cause",
        _outcomes,
    ),
    ReportFigure(
        "scores",
        Place.RESULTS,
        "A panel for each variant: the test score of every replica over the epochs, coloured by its outcome",
        _scores,
    ),
    ReportFigure(
        "surfaces",
        Place.RESULTS,
        "A column for each variant: decision surfaces of a bad, the median and a good replica",
        _surfaces,
    ),
    ReportFigure(
        "pair",
        Place.PAIR,
        "Lines: learned and living shares of both variants over the epochs, and the sorted final scores of replicas",
        _pair,
    ),
    ReportFigure(
        "pair_gradients",
        Place.PAIR,
        "Heat maps: the gradient by layer and epoch of both variants, on one colour scale",
        _pair_gradients,
    ),
    ReportFigure(
        "pair_profiles",
        Place.PAIR,
        "Lines: the gradient across the layers of both variants, before, early in and at the end of training",
        lambda compared: gradient_figures.profiles(
            {name: each.layers for name, each in compared.pair.items()}, compared.colours
        ),
    ),
    ReportFigure(
        "survival",
        Place.WHY,
        "Lines: the share of replicas without a dead layer over the epochs, for each depth",
        lambda compared: comparison_figures.survival(compared.tables.curves, compared.hidden_layers, compared.colours),
    ),
    ReportFigure(
        "weights",
        Place.WHY,
        "Lines: the L1 norm of each layer's weights and its change over the epochs, for two variants",
        _weights,
    ),
)
