"""Stage `evaluate@<variant>`: what training left -> tables, metrics and figures of the variant."""

from pipeline.data.split_files import load_split
from pipeline.diagnosis import theory
from pipeline.diagnosis.causes import outcomes
from pipeline.evaluation import summary
from pipeline.evaluation.files import figure_path, save_evaluation
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.history.files import load_history, load_predictions, load_recipe, load_variant
from pipeline.params.params import read
from pipeline.report.figures import accuracy, gradients, surfaces
from pipeline.report.figures.files import save_figure


def main(variant: str) -> None:
    """Read the thresholds and the variant's run, write its evaluation."""
    params = read()
    threshold, thresholds = params.evaluation.learned_accuracy, params.diagnosis
    recipe, origin = load_variant(variant), load_recipe(variant)
    history, predictions, split = load_history(variant), load_predictions(variant), load_split()
    premises = theory.premises(recipe, origin, split.train.inputs)
    evaluation = summary.evaluate(variant, history, recipe, premises, threshold, thresholds)
    headline = summary.headline(variant, evaluation.metrics)
    replicas = accuracy.Replicas(history, list(outcomes(evaluation.replicas)))
    save_figure(accuracy.accuracy_over_epochs(replicas, headline, threshold), figure_path(variant, "accuracy"))
    heat_map = gradients.gradient_by_layer_and_epoch(evaluation.layers, evaluation.metrics["replicas"], headline)
    save_figure(heat_map, figure_path(variant, "gradients"))
    if "surface" in predictions:
        chosen = surfaces.Chosen(predictions, *summary.at_percentiles(history, surfaces.PERCENTILES))
        save_figure(surfaces.decision_surfaces(chosen, split.test, headline), figure_path(variant, "surfaces"))
    save_evaluation(variant, evaluation)
    print(f"evaluate {summary.in_short(variant, evaluation.metrics)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("variant"))
