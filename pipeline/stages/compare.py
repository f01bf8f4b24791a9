"""Stage `compare`: the evaluations of all variants of params.yaml -> tables, figures and a page."""

from pipeline.artifacts.comparisons import LEARNED_SHARES, PAGE, PAIR, save_comparison
from pipeline.artifacts.evaluations import load_evaluation
from pipeline.artifacts.figures import save_figure
from pipeline.errors import reported_in_one_line
from pipeline.evaluation import claims, comparison, report
from pipeline.params import file, variants
from pipeline.params.comparison import ComparisonParams
from pipeline.plots.comparison import learned_shares, pair_over_epochs


def main() -> None:
    """Read `comparison` and the evaluations, write the comparison."""
    document = file.read()
    params = file.section(document, "comparison", ComparisonParams)
    # By the file's keys, not by what lies on disk: a variant that was removed leaves its folder behind.
    evaluations = {name: load_evaluation(name) for name in variants.names(document)}
    wide, curves = comparison.wide(evaluations), comparison.long(evaluations)
    differences = comparison.differences(evaluations)
    tutorial = claims.table(params, evaluations)
    save_figure(learned_shares(wide), LEARNED_SHARES)
    if all(name in evaluations for name in params.pair):
        save_figure(pair_over_epochs(curves, params.pair), PAIR)
    metrics = {name: evaluation.metrics for name, evaluation in evaluations.items()}
    page = report.page(wide, tutorial, differences, params.pair, metrics)
    save_comparison(wide, curves, differences, tutorial, page)
    print(f"compare: {len(evaluations)} variants -> {PAGE}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
