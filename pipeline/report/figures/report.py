"""Which figures the report has, and what each is drawn of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import xarray as xr
from matplotlib.figure import Figure

from pipeline.data.points import Points
from pipeline.diagnosis.causes import outcomes as outcomes_of
from pipeline.evaluation import summary
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.foundations.colours import of_variants
from pipeline.params.comparison import ComparisonParams
from pipeline.report.figures import accuracy, comparison, gradients, surfaces, weights


@dataclass(frozen=True)
class Compared:
    """All variants side by side; the maps hold the same variants in the same order.

    tables: of the comparison. chosen: what params.yaml wants compared.
    threshold: test accuracy above which a replica learned. test: the points of the decision surfaces.
    """

    tables: Comparison
    chosen: ComparisonParams
    threshold: float
    hidden_layers: Mapping[str, int]
    evaluations: Mapping[str, VariantEvaluation]
    histories: Mapping[str, xr.Dataset]
    predictions: Mapping[str, xr.Dataset]
    test: Points


def figures(compared: Compared) -> Iterator[tuple[str, Figure]]:
    """All figures by name; what params.yaml does not compare is left out."""
    tables, evaluations, histories = compared.tables, compared.evaluations, compared.histories
    replicas = {
        name: accuracy.Replicas(histories[name], list(outcomes_of(each.replicas))) for name, each in evaluations.items()
    }
    colours = of_variants(list(evaluations))
    layers = {name: each.layers for name, each in evaluations.items()}
    counts = {name: each.metrics["replicas"] for name, each in evaluations.items()}
    outcomes = {name: each.metrics["outcomes"] for name, each in evaluations.items()}
    yield "outcomes", comparison.outcome_bars(tables.variants, outcomes)
    yield "accuracy", accuracy.test_accuracy_by_variant(replicas, compared.threshold)
    yield "survival", comparison.survival(tables.curves, compared.hidden_layers, colours)
    if all("surface" in each for each in compared.predictions.values()):
        yield (
            "surfaces",
            surfaces.surfaces_by_variant(
                {name: _chosen(histories[name], each) for name, each in compared.predictions.items()}, compared.test
            ),
        )
    pair = compared.chosen.pair
    if pair is not None:
        both = {name: layers[name] for name in pair}
        finals = {name: evaluations[name].replicas.test_accuracy.to_numpy(float) for name in pair}
        yield "pair", comparison.pair_over_epochs(tables.curves, finals, compared.threshold, colours)
        yield "pair_gradients", gradients.gradients_of_pair(both, counts, colours)
        yield "pair_profiles", gradients.profiles(both, colours)
    if compared.chosen.weights is not None:
        yield "weights", weights.weight_norms({name: layers[name] for name in compared.chosen.weights})


def _chosen(history: xr.Dataset, predictions: xr.Dataset) -> surfaces.Chosen:
    return surfaces.Chosen(predictions, *summary.at_percentiles(history, surfaces.PERCENTILES))
