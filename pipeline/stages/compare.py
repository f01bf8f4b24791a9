"""Stage `compare`: the evaluations of all variants of params.yaml -> tables, figures and the report."""

from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.figure import Figure

from pipeline.artifacts import comparisons, runs, splits, studies
from pipeline.artifacts.evaluations import load_evaluation
from pipeline.artifacts.figures import save_figure
from pipeline.artifacts.points import SCATTER
from pipeline.diagnosis.causes import fates
from pipeline.errors import reported_in_one_line
from pipeline.evaluation import comparison, summary
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params import file, variants
from pipeline.params.comparison import ComparisonParams
from pipeline.params.data import DataParams
from pipeline.params.diagnosis import DiagnosisParams
from pipeline.params.evaluation import EvaluationParams
from pipeline.params.split import SplitParams
from pipeline.params.studies import study_names
from pipeline.params.training import TrainingParams
from pipeline.plots import accuracy, gradients, surfaces, weights
from pipeline.plots import comparison as compared
from pipeline.report import content, html, markdown
from pipeline.report.content import Study

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
    threshold = shared["evaluation"]["learned_accuracy"]
    for name, figure in _figures(tables, params, evaluations, recipes, threshold):
        save_figure(figure, comparisons.figure_path(name))
        pictures[name] = comparisons.address(comparisons.figure_path(name))
    metrics = {name: evaluation.metrics for name, evaluation in evaluations.items()}
    data, versions = splits.fingerprint(), runs.versions(recipes)
    pages = {name: comparisons.address(studies.page(name)) for name in study_names(document)}
    report = content.write(Study(tables, params, metrics, recipes, shared, data, versions, pictures, pages))
    page = html.render(report, comparisons.pictures(pictures.values()))
    comparisons.save_comparison(tables)
    comparisons.save_report(page, markdown.render(report))
    print(f"compare: {len(evaluations)} variants -> {comparisons.PAGE}")


def _figures(
    tables: Comparison,
    params: ComparisonParams,
    evaluations: Mapping[str, VariantEvaluation],
    recipes: Mapping[str, Mapping[str, Any]],
    threshold: float,
) -> Iterator[tuple[str, Figure]]:
    """Those of the report by name; what params.yaml compares and does not have is left out."""
    histories = {name: runs.load_history(name) for name in evaluations}
    replicas = {
        name: accuracy.Replicas(histories[name], list(fates(each.replicas))) for name, each in evaluations.items()
    }
    layers = {name: each.layers for name, each in evaluations.items()}
    counts = {name: each.metrics["replicas"] for name, each in evaluations.items()}
    yield "outcomes", compared.outcome_bars(tables.variants, {n: e.metrics["outcomes"] for n, e in evaluations.items()})
    yield "accuracy", accuracy.test_accuracy_by_variant(replicas, threshold)
    yield "survival", compared.survival(tables.curves, {name: each["hidden_layers"] for name, each in recipes.items()})
    predictions = {name: runs.load_predictions(name) for name in evaluations}
    if all("surface" in each for each in predictions.values()):
        chosen = {
            name: surfaces.Chosen(each, *summary.at_percentiles(histories[name], surfaces.PERCENTILES))
            for name, each in predictions.items()
        }
        yield "surfaces", surfaces.surfaces_by_variant(chosen, splits.load_split().test)
    if set(params.pair) <= evaluations.keys():
        pair = {name: layers[name] for name in params.pair}
        yield "pair", compared.pair_over_epochs(tables.curves, params.pair)
        yield "pair_gradients", gradients.gradients_of_pair(pair, counts)
        yield "pair_profiles", gradients.profiles(pair)
    if set(params.weights) <= evaluations.keys():
        yield "weights", weights.weight_norms({name: layers[name] for name in params.weights})


if __name__ == "__main__":
    with reported_in_one_line():
        main()
