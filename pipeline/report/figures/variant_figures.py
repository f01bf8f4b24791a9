"""The figures of one variant: its scores, its gradients, and the predictions of some replicas."""

from collections.abc import Iterator

import xarray as xr
from matplotlib.figure import Figure

from pipeline.data.split.samples import Origin, Split
from pipeline.diagnosis.causes import outcomes
from pipeline.evaluation import ranking
from pipeline.evaluation.summary import headline
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.history.time_profiles import RECURRENT_PATH
from pipeline.report.figures import gradient_figures, prediction_figures, score_figures, surface_figures, time_figures
from pipeline.report.figures.style import PERCENTILES


def figures(
    variant: str,
    evaluation: VariantEvaluation,
    history: xr.Dataset,
    predictions: xr.Dataset,
    split: Split,
    origin: Origin,
) -> Iterator[tuple[str, Figure]]:
    """Yield the name of each figure, and the figure.

    Args:
        predictions: the predictions of all replicas; with `surface` if the inputs are a plane.
        origin: the scaling of the data.
    """
    title, rule = headline(variant, evaluation.metrics), evaluation.rule
    replicas = score_figures.Replicas(history, list(outcomes(evaluation.replicas)))
    yield rule.score, score_figures.score_over_epochs(replicas, title, rule)
    replica_count = evaluation.metrics.replicas
    yield "gradients", gradient_figures.gradient_by_layer_and_epoch(evaluation.layers, replica_count, title)
    if len(evaluation.times):
        paths = history[RECURRENT_PATH].values.tolist()
        yield "gradient_by_time", time_figures.gradient_by_time(evaluation.times, paths, title)
    positions, scores = ranking.at_percentiles(history, rule.score, PERCENTILES)
    if "surface" in predictions and split.task.kind == "binary":
        chosen = surface_figures.Chosen(predictions, positions, scores)
        yield "surfaces", surface_figures.decision_surfaces(chosen, split.test, title)
    else:
        numbers, outputs = history.replica.values[positions].tolist(), predictions.test_prediction.values[positions]
        predicted = prediction_figures.Predicted(numbers, scores, outputs, split.test.targets)
        yield "predictions", prediction_figures.test_predictions(predicted, origin, title)
