"""Stage `compare`: the evaluations of all variants of params.yaml -> tables, figures and the report."""

from pipeline.data.profile import load_profile
from pipeline.data.raw_files import load_raw
from pipeline.data.reference.reference import load_reference
from pipeline.data.split import files as data
from pipeline.diagnosis.theory import is_tutorial
from pipeline.evaluation import comparison
from pipeline.evaluation.files import load_evaluation
from pipeline.evaluation.learned import rule_for
from pipeline.evaluation.prune import prune
from pipeline.evaluation.study_files import STUDIES, load_tried
from pipeline.foundations.errors import reported_in_one_line
from pipeline.history import files as runs
from pipeline.params.params import read
from pipeline.report import content
from pipeline.report import files as comparisons
from pipeline.report.figures.files import save_figures
from pipeline.report.figures.report_figures import Compared, figures
from pipeline.report.findings import ReportFindings
from pipeline.report.pages import html, markdown


def main() -> None:
    """Read the parameters, the data and the evaluations; write the comparison."""
    params = read()
    for name in prune(params.recipes):
        print(f"{name}: no longer in params.yaml: its outputs are removed; DVC's cache keeps them")
    # The names are from params.yaml, not from folders, because a removed variant may leave its folder behind.
    evaluations = {name: load_evaluation(name) for name in params.recipes}
    split, origin = data.load_split(), data.load_origin()
    chosen = params.comparison if is_tutorial(origin) else params.comparison.without_claims()
    tables = comparison.compare(evaluations, params.recipes, chosen)
    rule = rule_for(split.task, params.evaluation.learned, load_reference())
    # All is read, and the report's text is made, before anything is written: a damaged file changes no output.
    profile, tried, versions, fingerprint = load_profile(), load_tried(), runs.versions(evaluations), data.fingerprint()
    compared = Compared(
        tables,
        chosen,
        rule,
        {name: variant.hidden_layers for name, variant in params.variants.items()},
        evaluations,
        {name: runs.load_history(name) for name in evaluations},
        {name: runs.load_predictions(name) for name in evaluations},
        load_raw(),
        split,
        origin,
    )
    drawings = dict(figures(compared))
    pictures = {name: comparisons.address(comparisons.figure_path(name)) for name in drawings}
    report = content.write(
        ReportFindings(
            tables,
            params,
            chosen,
            profile,
            rule,
            evaluations,
            fingerprint,
            versions,
            pictures,
            tried,
            comparisons.address(STUDIES),
        )
    )
    save_figures({comparisons.figure_path(name): drawing for name, drawing in drawings.items()})
    page = html.render(report, comparisons.pictures(pictures.values()))
    comparisons.save_comparison(tables)
    comparisons.save_report(page, markdown.render(report))
    print(f"compare: {len(evaluations)} variants -> {comparisons.PAGE}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
