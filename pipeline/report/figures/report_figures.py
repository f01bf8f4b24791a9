"""The list of the report's figures: what each is called, where it stands, what it says and what it is drawn of.

A new figure is an entry of FIGURES, and a function that draws it: whatever is drawn is shown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import xarray as xr
from matplotlib.figure import Figure

from pipeline.data.split.samples import Origin, RawData, Split
from pipeline.diagnosis.causes import outcomes
from pipeline.evaluation import ranking
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.foundations.colours import of_variants
from pipeline.params.comparison_params import ComparisonParams
from pipeline.report.figures import (
    comparison_figures,
    data_figures,
    gradient_figures,
    score_figures,
    surface_figures,
    weight_figures,
)


class Place(Enum):
    """The sections of the report. PAIR is there only where params.yaml names a pair, and so are its figures."""

    ASKED = auto()
    RESULTS = auto()
    PAIR = auto()
    WHY = auto()
    HELPS = auto()
    RUN = auto()


@dataclass(frozen=True)
class Compared:
    """All variants side by side; the maps hold the same variants in the same order.

    tables: of the comparison. chosen: what params.yaml wants compared.
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
        """Of each variant, by its place in params.yaml."""
        return of_variants(list(self.evaluations))


@dataclass(frozen=True)
class ReportFigure:
    """An entry of the list.

    name: of the file. place: the section in which it stands, after those of the same section that come before it.
    caption: what it shows, in words, for those who cannot see it.
    draw: the figure, or None where it does not apply.
    """

    name: str
    place: Place
    caption: str
    draw: Callable[[Compared], Figure | None]


def figures(compared: Compared) -> Iterator[tuple[str, Figure]]:
    """All figures that apply, by name; what params.yaml does not compare is left out."""
    for entry in FIGURES:
        if entry.place is Place.PAIR and compared.chosen.pair is None:
            continue
        drawn = entry.draw(compared)
        if drawn is not None:
            yield entry.name, drawn


def at(place: Place, names: Iterable[str]) -> list[ReportFigure]:
    """Those of these names that stand in a section, in the list's order.

    Raises:
        KeyError: one of the names is not in the list, so it would be shown nowhere.
    """
    listed = {entry.name: entry for entry in FIGURES}
    wanted = {name: listed[name] for name in names}
    return [entry for name, entry in listed.items() if name in wanted and entry.place is place]


def _data(compared: Compared) -> Figure:
    return data_figures.picture(compared.raw, compared.split, compared.origin)


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
    """Only for two classes of points in a plane."""
    if compared.split.task.kind != "binary" or not all("surface" in each for each in compared.predictions.values()):
        return None
    chosen = {
        name: surface_figures.Chosen(
            each, *ranking.at_percentiles(compared.histories[name], compared.rule.score, surface_figures.PERCENTILES)
        )
        for name, each in compared.predictions.items()
    }
    return surface_figures.surfaces_by_variant(chosen, compared.split.test)


def _pair(compared: Compared) -> Figure:
    pair = compared.chosen.pair or ()
    both = {name: compared.evaluations[name] for name in pair}
    finals = {name: each.replicas[each.final].to_numpy(float) for name, each in both.items()}
    curves, task = compared.tables.curves, compared.split.task
    return comparison_figures.pair_over_epochs(curves, finals, task, compared.rule, compared.colours)


def _pair_gradients(compared: Compared) -> Figure:
    both = {name: compared.evaluations[name] for name in compared.chosen.pair or ()}
    layers = {name: each.layers for name, each in both.items()}
    counts = {name: each.metrics.replicas for name, each in both.items()}
    return gradient_figures.gradients_of_pair(layers, counts, compared.colours)


def _pair_profiles(compared: Compared) -> Figure:
    layers = {name: compared.evaluations[name].layers for name in compared.chosen.pair or ()}
    return gradient_figures.profiles(layers, compared.colours)


def _survival(compared: Compared) -> Figure:
    return comparison_figures.survival(compared.tables.curves, compared.hidden_layers, compared.colours)


def _weights(compared: Compared) -> Figure | None:
    if compared.chosen.weights is None:
        return None
    return weight_figures.weight_norms({name: compared.evaluations[name].layers for name in compared.chosen.weights})


FIGURES: tuple[ReportFigure, ...] = (
    ReportFigure(
        "data",
        Place.ASKED,
        "The data: every row by two inputs, or by its first two principal components, coloured by class or target",
        _data,
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
        "Small multiples: the test score of every replica over the epochs, coloured by what became of it",
        _scores,
    ),
    ReportFigure(
        "surfaces",
        Place.RESULTS,
        "Small multiples: decision surfaces of a bad, the median and a good replica of each variant",
        _surfaces,
    ),
    ReportFigure(
        "pair",
        Place.PAIR,
        "Learned and living share of both over the epochs, and the final score of every replica, sorted",
        _pair,
    ),
    ReportFigure(
        "pair_gradients",
        Place.PAIR,
        "Heat maps of the gradient by layer and epoch of both, on one colour scale",
        _pair_gradients,
    ),
    ReportFigure(
        "pair_profiles",
        Place.PAIR,
        "Gradient across the layers of both, before, early in and at the end of training",
        _pair_profiles,
    ),
    ReportFigure(
        "survival",
        Place.WHY,
        "The share of replicas without a dead layer over the epochs, by depth",
        _survival,
    ),
    ReportFigure(
        "weights",
        Place.WHY,
        "The weights' L1 norm by layer and its change over the epochs, of two variants",
        _weights,
    ),
)
