"""Stage `compare`: the evaluations of all variants of params.yaml -> tables, figures and the report."""

from pipeline.artifacts import comparisons
from pipeline.artifacts.evaluations import load_evaluation
from pipeline.artifacts.figures import save_figure
from pipeline.artifacts.measured import runs, splits
from pipeline.artifacts.measured.points import SCATTER
from pipeline.artifacts.studies import STUDIES, load_tried
from pipeline.comparison import comparison
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params import file, variants
from pipeline.params.comparison import ComparisonParams
from pipeline.params.data import DataParams
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.split import SplitParams
from pipeline.params.training import TrainingParams
from pipeline.plots.report import Compared, figures
from pipeline.report import content
from pipeline.report.content import Study
from pipeline.report.rendering import html, markdown

SHARED: dict[str, type[file.Section]] = {
    "data": DataParams,
    "split": SplitParams,
    "training": TrainingParams,
    "evaluation": EvaluationParams,
    "diagnosis": DiagnosisParams,
}


def main() -> None:
    """Read the parameters and the evaluations, write the comparison."""
    document = file.read()
    params = file.section(document, "comparison", ComparisonParams)
    shared = {name: file.section(document, name, model).model_dump(mode="json") for name, model in SHARED.items()}
    # By the file's keys, not by what lies on disk: a variant that was removed leaves its folder behind.
    recipes = {name: variants.resolve(document, name).model_dump(mode="json") for name in variants.names(document)}
    evaluations = {name: load_evaluation(name) for name in recipes}
    tables = comparison.compare(evaluations, recipes, params)
    pictures = {"scatter": comparisons.address(SCATTER)}
    compared = Compared(
        tables,
        params,
        shared["evaluation"]["learned_accuracy"],
        {name: recipe["hidden_layers"] for name, recipe in recipes.items()},
        evaluations,
        {name: runs.load_history(name) for name in recipes},
        {name: runs.load_predictions(name) for name in recipes},
        splits.load_split().test,
    )
    for name, figure in figures(compared):
        save_figure(figure, comparisons.figure_path(name))
        pictures[name] = comparisons.address(comparisons.figure_path(name))
    data, versions = splits.fingerprint(), runs.versions(recipes)
    report = content.write(
        Study(
            tables,
            params,
            evaluations,
            recipes,
            shared,
            data,
            versions,
            pictures,
            load_tried(),
            comparisons.address(STUDIES),
        )
    )
    page = html.render(report, comparisons.pictures(pictures.values()))
    comparisons.save_comparison(tables)
    comparisons.save_report(page, markdown.render(report))
    print(f"compare: {len(evaluations)} variants -> {comparisons.PAGE}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
