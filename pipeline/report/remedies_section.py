"""Write the part of the report on what helps: effects of changes, and suggested remedies with their results."""

from collections.abc import Iterator

from pipeline.diagnosis.causes import spelled
from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation import tried
from pipeline.evaluation.effects import UNDECIDED
from pipeline.evaluation.files import diagnosis_path
from pipeline.foundations.errors import UserError, first_line
from pipeline.foundations.literal import as_code
from pipeline.report.figures.report_figures import Place
from pipeline.report.findings import ReportFindings
from pipeline.report.pages.document import Block, Table, Text

NOT_TRIED = "not tried"


def about_remedies(findings: ReportFindings) -> Iterator[Block]:
    """Yield the measured effects of changes, and the suggested remedies with their results where they were tried."""
    effects = findings.comparison.effects
    if len(effects):
        yield Text(
            "**Measured here.** Each pair of variants differs in one respect only; the first learns less often. "
            "The difference of the learned shares has Newcombe's 95% interval (unpaired). If the interval contains 0, "
            "the effect is undecided."
        )
        rows = [
            [
                f"`{row.worse}` to `{row.better}`",
                as_code(row.change),
                f"{row.learned_worse}, {row.learned_better}",
                points(row.difference, row.low, row.high) + (f": {UNDECIDED}" if row.low <= 0 <= row.high else ""),
            ]
            for row in effects.itertuples()
        ]
        yield Table(["from, to", "change", "learned", "difference"], rows)
    suggested = _suggested(findings)
    if suggested:
        yield Text("**Suggested** for the main cause of each variant, the most promising first.")
        yield Table(["variant", "main cause", "in `params.yaml`", "result", "reason", "source"], suggested)
        count = sum(result != NOT_TRIED for _, _, _, result, _, _ in suggested)
        yield Text(
            f"{count} of these {len(suggested)} suggestions {'was' if count == 1 else 'were'} tried, in a study or "
            "as another variant, with this change only and the same data, seed and epochs. The points are the "
            "difference of the learned share from the variant's, with Newcombe's 95% interval."
        )
    yield Text(
        "`make studies` tries changes over many replicas. Every study of `params.yaml` then has a page in "
        f"[`studies/`]({findings.studies})."
    )
    yield from findings.at(Place.HELPS)


def points(difference: float, low: float, high: float) -> str:
    """Return a difference of shares with its interval, in percentage points: "+93 points (+79 to +98)"."""
    return f"{100 * difference:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f})"


def _suggested(findings: ReportFindings) -> list[list[str]]:
    """Return a table row per remedy and result: variants, main cause, change, result, reason, source.

    Variants whose rows would have the same text share a row. Rows of the same remedy are adjacent, so that the remedies
    of each variant stay in order.
    """
    evaluations, params = findings.evaluations, findings.params
    learned = {name: evaluation.learned for name, evaluation in evaluations.items()}
    rows: dict[tuple[str, str, str, str], dict[str, list[str]]] = {}
    for name, evaluation in evaluations.items():
        if evaluation.diagnosis.remedies:
            conditions = tried.conditions(params.variants[name], params.training, findings.data, findings.rule)
            from_variants = {f"variant {name}": tried.of_variant(name, conditions, params.variants, learned)}
            for remedy in evaluation.diagnosis.remedies:
                try:
                    cell = tried.result(remedy.overrides, conditions, {**findings.tried, **from_variants})
                except ValueError as error:  # no recipe can have this change
                    raise UserError(
                        f"{diagnosis_path(name)}: damaged ({first_line(error)}): must be a diagnosis as `evaluate` "
                        "writes it; `dvc repro` makes it again"
                    ) from None
                row = (spelled(str(evaluation.diagnosis.cause)), f"`{remedy.changes}`", remedy.reason, remedy.source)
                rows.setdefault(row, {}).setdefault(_in_words(cell), []).append(f"`{name}`")
    return [
        [", ".join(names), cause, changes, result, reason, source]
        for (cause, changes, reason, source), results in rows.items()
        for result, names in results.items()
    ]


def _in_words(cell: tried.TriedCell | None) -> str:
    """Return the result of a suggested remedy: "tried: 30 of 30 learn, +93 points (+79 to +98): helps"."""
    if cell is None:
        return NOT_TRIED
    difference = points(cell.difference, cell.low, cell.high)
    return f"tried: {learn(cell.learned, cell.replicas)}, {difference}: {cell.effect}"
