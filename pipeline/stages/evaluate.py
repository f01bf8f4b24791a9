"""Stage `evaluate@<variant>`: what training left -> tables, metrics and figures of the variant."""

from pipeline.data.reference import load_reference
from pipeline.data.split.files import load_split
from pipeline.diagnosis import theory
from pipeline.diagnosis.causes import outcomes
from pipeline.evaluation import ranking, replica_table, summary
from pipeline.evaluation.files import figure_path, save_evaluation
from pipeline.evaluation.learned import rule_for
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.history.files import load_recipe, load_run
from pipeline.params.params import read
from pipeline.report.figures import gradient_figures, score_figures, surface_figures
from pipeline.report.figures import prediction_figures as test_predictions
from pipeline.report.figures.files import save_figure


def main(variant: str) -> None:
    """Read the thresholds and the variant's run; write its evaluation when all of it is there."""
    params = read()
    load_recipe(variant)  # first, for where there is none it says of which variant
    split = load_split()
    recipe, history, predictions = load_run(variant, split)
    rule = rule_for(split.task, params.evaluation.learned, load_reference())
    premises = theory.premises(recipe.variant, recipe, split.train.inputs)
    predicted = replica_table.of_predictions(predictions, split, recipe.targets)
    evaluation = summary.evaluate(variant, history, recipe.variant, premises, rule, params.diagnosis, predicted)
    headline = summary.headline(variant, evaluation.metrics)
    drawn = score_figures.Replicas(history, list(outcomes(evaluation.replicas)))
    figures = {
        rule.score: score_figures.score_over_epochs(drawn, headline, rule),
        "gradients": gradient_figures.gradient_by_layer_and_epoch(
            evaluation.layers, evaluation.metrics.replicas, headline
        ),
    }
    if "surface" in predictions and split.task.kind == "binary":
        chosen = surface_figures.Chosen(
            predictions, *ranking.at_percentiles(history, rule.score, surface_figures.PERCENTILES)
        )
        figures["surfaces"] = surface_figures.decision_surfaces(chosen, split.test, headline)
    else:
        positions, scored = ranking.at_percentiles(history, rule.score, test_predictions.PERCENTILES)
        numbers = history.replica.values[positions].tolist()
        outputs = predictions.test_prediction.values[positions]
        predicted = test_predictions.Predicted(numbers, scored, outputs, split.test.targets)
        figures["predictions"] = test_predictions.test_predictions(predicted, recipe, headline)
    for name, figure in figures.items():
        save_figure(figure, figure_path(variant, name))
    save_evaluation(variant, evaluation)
    print(f"evaluate {summary.in_short(variant, evaluation.metrics)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("variant"))
