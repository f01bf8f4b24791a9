"""Stage `evaluate@<variant>`: one variant's run -> its metrics, diagnosis, tables and figures."""

from pipeline.data.reference.reference import load_reference
from pipeline.data.split.files import load_split
from pipeline.diagnosis import theory
from pipeline.evaluation import replica_table, summary
from pipeline.evaluation.files import figure_path, save_evaluation
from pipeline.evaluation.learned import rule_for
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.history.files import load_recipe, load_run
from pipeline.params.params import read
from pipeline.report.figures.files import save_figures
from pipeline.report.figures.variant_figures import figures


def main(variant: str) -> None:
    """Read the thresholds and the variant's run; compute its whole evaluation, then write it."""
    params = read()
    load_recipe(variant)  # first, because its error names the variant
    split = load_split()
    recipe, history, predictions = load_run(variant, split)
    rule = rule_for(split.task, params.evaluation.learned, load_reference())
    premises = theory.premises(recipe.variant, recipe, split.train.inputs)
    predicted = replica_table.of_predictions(predictions, split, recipe.targets)
    evaluation = summary.evaluate(variant, history, recipe.variant, premises, rule, params.diagnosis, predicted)
    drawings = figures(variant, evaluation, history, predictions, split, recipe)
    save_figures({figure_path(variant, name): drawing for name, drawing in drawings})
    save_evaluation(variant, evaluation)
    print(f"evaluate {summary.in_short(variant, evaluation.metrics)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("variant"))
