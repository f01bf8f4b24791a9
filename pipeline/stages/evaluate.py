"""Stage `evaluate@<variant>`: what training left -> tables, metrics and figures of the variant."""

from pipeline.artifacts.evaluations import figure_path, save_evaluation
from pipeline.artifacts.figures import save_figure
from pipeline.artifacts.runs import load_history, load_predictions
from pipeline.artifacts.splits import load_split
from pipeline.errors import one_argument, reported_in_one_line
from pipeline.evaluation import replicas, summary
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params import file
from pipeline.params.evaluation import EvaluationParams
from pipeline.plots import accuracy, gradients, surfaces


def main(variant: str) -> None:
    """Read `evaluation` and the variant's run, write its evaluation."""
    threshold = file.section(file.read(), "evaluation", EvaluationParams).learned_accuracy
    history, predictions, split = load_history(variant), load_predictions(variant), load_split()
    table = replicas.evaluate(history, threshold)
    evaluation = VariantEvaluation(
        summary.metrics(table), table, summary.curves(history, threshold), summary.layers(history)
    )
    headline = summary.headline(variant, evaluation.metrics)
    save_figure(accuracy.accuracy_over_epochs(history, headline, threshold), figure_path(variant, "accuracy"))
    heat_map = gradients.gradient_by_layer_and_epoch(evaluation.layers, len(table), headline)
    save_figure(heat_map, figure_path(variant, "gradients"))
    if "surface" in predictions:
        positions, labels = summary.at_percentiles(history, surfaces.PERCENTILES)
        drawn = surfaces.decision_surfaces(predictions, positions, labels, split.test, headline)
        save_figure(drawn, figure_path(variant, "surfaces"))
    save_evaluation(variant, evaluation)
    print(f"evaluate {headline}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("variant"))
