"""Write the report: which networks learn, the pair, the causes, the remedies, and the parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.data.profile import Profile
from pipeline.diagnosis.causes import outcome_names, spelled
from pipeline.diagnosis.variant_verdict import learn
from pipeline.evaluation import tried
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.effects import UNDECIDED, written
from pipeline.evaluation.expectations import Expectation
from pipeline.evaluation.learned import Rule, reference_in_words, score_column, score_in_words
from pipeline.evaluation.summary import percent
from pipeline.evaluation.tried import TriedStudy
from pipeline.evaluation.variant import Spread, VariantEvaluation
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.params.comparison_params import ComparisonParams, TutorialClaim
from pipeline.params.network_params import BUDGET, NetworkParams, file
from pipeline.params.params import Params
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.recipe_changes import RecipeChange
from pipeline.report.figures.report_figures import Place, at
from pipeline.report.pages.document import Bar, Block, Bullets, Document, Picture, Section, Table, Text, verdicts

NOT_TRIED = "not tried"
MOST_COLUMNS = 20  # columns of the data in each table
MOST_LISTED = 5  # classes whose shares are listed one by one
ORIGIN = (
    " The study began as *How to Fix the Vanishing Gradients Problem Using ReLU* (J. Brownlee), which trained each "
    "network once."
)
KINDS = {"category": "text", "boolean": "true or false"}  # kinds of columns without numbers, in words
SHARED = ("data", "split", "training", "evaluation", "diagnosis")  # sections of params.yaml shared by all variants


@dataclass(frozen=True)
class ReportFindings:
    """The inputs of the report.

    comparison: the tables that compare the variants.
    params: all of params.yaml.
    chosen: its section `comparison`; without the tutorial's claims if the data are not the tutorial's.
    profile: the profile of the data.
    rule: when a replica has learned.
    evaluations: the evaluation of each variant, by name.
    data: the fingerprint of the split.
    versions: the versions of each package that trained, by package.
    pictures: the address of each figure relative to the page, by the figure's name.
    tried: the results of each study, by name.
    studies: the address of the folder with the studies' pages.
    """

    comparison: Comparison
    params: Params
    chosen: ComparisonParams
    profile: Profile
    rule: Rule
    evaluations: Mapping[str, VariantEvaluation]
    data: str
    versions: Mapping[str, Sequence[str]]
    pictures: Mapping[str, str]
    tried: Mapping[str, TriedStudy]
    studies: str


def write(findings: ReportFindings) -> Document:
    """Return the report."""
    sections = [
        Section("What was asked", list(_asked(findings))),
        Section("Which networks learn", list(_results(findings))),
        Section(" against ".join(findings.chosen.pair or ()), list(_pair(findings))),
        Section("Why", list(_why(findings))),
        Section("What helps", list(_helps(findings))),
        Section("How it was run", list(_run(findings))),
    ]
    return Document(
        "Why do these networks not train, and what fixes it?",
        list(_answer(findings)),
        [section for section in sections if section.blocks],
    )


def results(wide: pd.DataFrame) -> pd.DataFrame:
    """Return the short table of results as text, one row per variant."""
    score = score_column(wide).removesuffix("_median")
    rows = [
        {
            "variant": row["variant"],
            "learned": f"{row['learned']} of {row['replicas']}",
            "95% interval": f"{percent(row['learned_low'])} to {percent(row['learned_high'])}%",
            score_in_words(score): f"{row[f'{score}_median']:.3f}",
            "quartiles": f"{row[f'{score}_q25']:.3f} to {row[f'{score}_q75']:.3f}",
            "epochs to learn": "" if pd.isna(row["epochs_to_learn_median"]) else f"{row['epochs_to_learn_median']:.0f}",
            "living, start to end": f"{row['living_at_start']} to {row['living_at_end']}",
        }
        for row in wide.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _answer(findings: ReportFindings) -> Iterator[Block]:
    """List the variants in three groups: most replicas learn, most do not, or it is undecided."""
    groups: dict[str, list[str]] = {"Most replicas learn:": [], "Most do not:": [], "Undecided:": []}
    for row in findings.comparison.variants.itertuples():
        verdict = "Most replicas learn:" if row.learned_low > 0.5 else "Most do not:"
        verdict = "Undecided:" if row.learned_low <= 0.5 <= row.learned_high else verdict
        cause = findings.evaluations[row.variant].diagnosis.cause
        counts = f"{row.learned} of {row.replicas}"
        if cause and verdict != "Most replicas learn:":
            counts += f" learned{_failed(row.learned, row.replicas, cause)}"
        groups[verdict].append(f"`{row.variant}` ({counts})")
    yield Bullets([f"**{verdict}** {', '.join(names)}." for verdict, names in groups.items() if names])


def _failed(learned: int, count: int, cause: str) -> str:
    """Return "; the other 2: mainly overfitting", where the cause is the main cause of the failed replicas."""
    if not learned:
        return f": mainly {spelled(cause)}"
    others = count - learned
    return f"; the other one: {spelled(cause)}" if others == 1 else f"; the other {others}: mainly {spelled(cause)}"


def _asked(findings: ReportFindings) -> Iterator[Block]:
    profile, training, rule = findings.profile, findings.params.training, findings.rule
    origin = ORIGIN if findings.chosen.claims else ""
    count = len(findings.evaluations)
    networks = "One network" if count == 1 else f"{count} networks"
    yield Text(
        f"Why does a deep network not train? {networks} on {sum(profile.rows.values())} rows "
        f"of {as_code(profile.source)} ({_listed_rows(profile)}): {in_markdown(profile.task.in_words)}. Each was "
        f"trained {training.replicas} times for {training.epochs} epochs{_other_budgets(findings)}.{origin} One run "
        "proves little here, so:"
    )
    yield Bullets(
        [
            "A **variant** is one architecture and training recipe, a **replica** one training of it from one seed.",
            f"A replica has **learned** if its final test {rule.name} is above {rule.threshold:g}. Intervals of shares "
            "are Wilson's 95% intervals.",
            "A layer is **dead** if all of its units have value 0 and slope 0 on every training input. A replica is "
            "**living** if none of its hidden layers is dead. Gradient statistics are over living replicas.",
            "Every replica that did not learn has exactly one **cause**.",
        ]
    )
    yield from _data(findings)
    yield from _pictures(findings, Place.ASKED)


def _other_budgets(findings: ReportFindings) -> str:
    """Return " (`name` 3 times for 20)": the networks whose numbers of replicas or epochs differ."""
    params = findings.params
    trainings = {name: params.training_of(name) for name in params.networks}
    others = [
        f"`{name}` {each.replicas} times for {each.epochs}"
        for name, each in trainings.items()
        if (each.replicas, each.epochs) != (params.training.replicas, params.training.epochs)
    ]
    return f" ({', '.join(others)})" if others else ""


def _listed_rows(profile: Profile) -> str:
    """Return the number of rows of each part: "500 train, 500 test"."""
    return ", ".join(f"{count} {part}" for part, count in profile.rows.items())


def _data(findings: ReportFindings) -> Iterator[Block]:
    """Describe the data, and warn of possible faults."""
    profile = findings.profile
    encoded = "" if profile.inputs == profile.features else f", {profile.inputs} inputs when encoded"
    sentences = [f"{profile.features} feature{'s' if profile.features > 1 else ''}{encoded}."]
    if profile.shares:
        sentences.append(f"Classes: {'; '.join(_shares(part, own) for part, own in profile.shares.items())}.")
    for name, (low, mean, high) in profile.targets.items():
        sentences.append(f"{as_code(name)}: {low:.4g} to {high:.4g}, mean {mean:.4g}.")
    yield Text("**The data.** " + " ".join(sentences))
    if words := reference_in_words(findings.rule):
        yield Text(f"**The reference.** {words}")
    if profile.warnings:
        yield Bullets([f"**Warning:** {in_markdown(warning)}." for warning in profile.warnings])
    ranges = profile.ranges[:MOST_COLUMNS]
    if ranges and profile.features > 2:
        rows = [
            [as_code(each.name), *(f"{low:.4g} to {high:.4g}" for low, high in (each.raw, each.scaled))]
            for each in ranges
        ]
        yield Table(["column", "raw", "as the network gets it"], rows)
        yield from _other_columns(len(profile.ranges))
    if profile.values:
        yield Table(
            ["column", "kind", "different values", "most frequent"],
            [
                [as_code(each.name), KINDS[each.kind], str(each.distinct), _percents(each.shares)]
                for each in profile.values[:MOST_COLUMNS]
            ],
        )
        yield from _other_columns(len(profile.values))
    if profile.filled:
        counts = [f"{as_code(name)} {count}" for name, count in profile.filled.items()]
        more = f" and {len(counts) - MOST_COLUMNS} more columns" if len(counts) > MOST_COLUMNS else ""
        total = sum(profile.filled.values())
        yield Text(f"{total} missing values were filled in: {', '.join(counts[:MOST_COLUMNS])}{more}.")


def _other_columns(count: int) -> Iterator[Block]:
    if count > MOST_COLUMNS:
        yield Text(f"The other {count - MOST_COLUMNS} are in `data/split/profile.json`.")


def _shares(part: str, shares: Mapping[str, float]) -> str:
    """Return "train a 20%, b 80%"; with many classes only the smallest and the largest share."""
    if len(shares) > MOST_LISTED:
        return f"{part} {100 * min(shares.values()):.0f} to {100 * max(shares.values()):.0f}% each"
    return f"{part} {_percents(shares)}"


def _percents(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{as_code(name)} {100 * share:.0f}%" for name, share in shares.items())


def _results(findings: ReportFindings) -> Iterator[Block]:
    claims = findings.chosen.claims
    score = f"test {findings.rule.name}: median (quartiles)"
    columns = ["variant", "learned", "95% interval", score, "outcomes of the replicas"]
    rows: list[list[str | Bar]] = []
    for name, each in findings.evaluations.items():
        low, high = each.metrics.learned.interval
        count, total = each.learned
        present = [outcome for outcome in outcome_names() if each.metrics.outcomes[outcome]]
        rows.append(
            [
                f"`{name}`",
                f"{count} of {total}",
                f"{percent(low)} to {percent(high)}%",
                _spread(each.metrics.scores[each.final]),
                Bar({outcome: each.metrics.outcomes[outcome] for outcome in present}),
                *([_claim(claims.get(name))] if claims else []),
            ]
        )
    yield Table([*columns, *(["the tutorial's one run"] if claims else [])], rows)
    counts = {name: each.metrics.diverged for name, each in findings.evaluations.items()}
    diverged = {name: count for name, count in counts.items() if count}
    if diverged:
        named = ", ".join(f"{count} of `{name}`" for name, count in diverged.items())
        yield Text(f"Diverged (the loss became NaN or infinite) and counted as not learned: {named}.")
    yield from _pictures(findings, Place.RESULTS)


def _spread(spread: Spread) -> str:
    """Return "0.840 (0.830 to 0.844)", median and quartiles."""
    if spread.median is None or spread.q25 is None or spread.q75 is None:
        return ""
    return f"{spread.median:.3f} ({spread.q25:.3f} to {spread.q75:.3f})"


def _claim(claim: TutorialClaim | None) -> str:
    """Return the tutorial's train and test accuracy and its verdict, if it states them: "0.816 / 0.816, learns"."""
    if claim is None:
        return ""
    numbers = [f"{value:.3f}" for value in (claim.train_accuracy, claim.test_accuracy) if value is not None]
    verdict = [] if claim.learns is None else ["learns" if claim.learns else "does not learn"]
    return ", ".join([*([" / ".join(numbers)] if numbers else []), *verdict])


def _pair(findings: ReportFindings) -> Iterator[Block]:
    if findings.chosen.pair is None:
        return
    first, second = findings.chosen.pair
    for row in findings.comparison.differences.itertuples():
        if {row.first, row.second} == {first, second}:
            sign = 1 if row.first == first else -1
            low, high = sorted((sign * row.low, sign * row.high))
            yield Text(
                f"The learned share of `{first}` minus that of `{second}` is "
                f"{_points(sign * row.difference, low, high)} (Newcombe's 95% interval, unpaired)."
                + (" So it is undecided which of the two learns more often." if low <= 0 <= high else "")
            )
    yield from _pictures(findings, Place.PAIR)


def _points(difference: float, low: float, high: float) -> str:
    return f"{100 * difference:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f})"


def _why(findings: ReportFindings) -> Iterator[Block]:
    yield verdicts(each.diagnosis.verdict for each in findings.evaluations.values())
    yield Text("Cause and evidence of each replica: `evaluations/<variant>/replicas.csv`.")
    yield from _pictures(findings, Place.WHY)
    yield from _theory(findings)
    if len(findings.comparison.claims):
        yield Text("**The tutorial's claims beside our measurements.** The tutorial trained every network once.")
        headings = {"about": "claim", "tutorial": "the tutorial says", "measured": "we measure"}
        claims = findings.comparison.claims.rename(columns=headings)
        yield Table(list(claims.columns), claims.astype(str).to_numpy().tolist())


def _theory(findings: ReportFindings) -> Iterator[Block]:
    checks: dict[tuple[Expectation, str], list[str]] = {}
    for name, evaluation in findings.evaluations.items():
        for each in evaluation.diagnosis.theory:
            checks.setdefault((each, _initial_weights_key(findings.params.variants[name])), []).append(f"`{name}`")
    rows = [
        [
            ", ".join(names) + (" (same initial weights)" if len(names) > 1 else ""),
            each.fact,
            each.expected,
            f"{each.measured:.3g} ({each.low:.2g} to {each.high:.2g})",
            "yes" if each.holds else "**no**",
            each.source,
        ]
        for (each, _), names in checks.items()
    ]
    if rows:
        yield Text(
            "**Theory beside measurement**, before training, with 95% intervals: one in twenty misses by chance."
        )
        yield Table(["variant", "fact", "theory", "measured", "agrees", "source"], rows)


def _initial_weights_key(variant: VariantParams) -> str:
    """Return the parameters that determine a variant's initial weights: all except the optimizer.

    Variants with the same result have the same initial weights, so together they are one check of the theory.
    """
    return variant.model_dump_json(exclude={"optimizer"})


def _helps(findings: ReportFindings) -> Iterator[Block]:
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
                _points(row.difference, row.low, row.high) + (f": {UNDECIDED}" if row.low <= 0 <= row.high else ""),
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
    yield from _pictures(findings, Place.HELPS)


def _suggested(findings: ReportFindings) -> list[list[str]]:
    """Return a table row for each remedy and its result; variants whose rows would have the same text share a row.

    Rows of the same remedy are adjacent, so that each variant's remedies stay in order.
    """
    rows: dict[tuple[str, str, str, str], dict[str, list[str]]] = {}
    for name, evaluation in findings.evaluations.items():
        for remedy in evaluation.diagnosis.remedies:
            row = (spelled(str(evaluation.diagnosis.cause)), f"`{remedy.changes}`", remedy.reason, remedy.source)
            rows.setdefault(row, {}).setdefault(_tried(findings, name, remedy), []).append(f"`{name}`")
    return [
        [", ".join(names), cause, changes, result, reason, source]
        for (cause, changes, reason, source), results in rows.items()
        for result, names in results.items()
    ]


def _tried(findings: ReportFindings, name: str, remedy: RecipeChange) -> str:
    """Return the result of a remedy for a variant: "tried: 30 of 30 learn, +93 points (+79 to +98): helps"."""
    variants = findings.params.variants
    conditions = tried.conditions(variants[name], findings.params.training, findings.data, findings.rule)
    learned = {each: evaluation.learned for each, evaluation in findings.evaluations.items()}
    from_variants = {f"variant {name}": tried.of_variant(name, conditions, variants, learned)}
    cell = tried.result(remedy.overrides, conditions, {**findings.tried, **from_variants})
    if cell is None:
        return NOT_TRIED
    points = _points(cell.difference, cell.low, cell.high)
    return f"tried: {learn(cell.learned, cell.replicas)}, {points}: {cell.effect}"


def _run(findings: ReportFindings) -> Iterator[Block]:
    versions = ", ".join(f"{name} {' and '.join(each)}" for name, each in findings.versions.items())
    yield Text(
        f"Data fingerprint `{findings.data}` (SHA-256 of all parts of the split). Trained with {versions}. The same "
        "parameters give the same bytes on one type of processor. `make ui` shows every run and its wall time."
    )
    recipes = {name: variant.model_dump(mode="json") for name, variant in findings.params.variants.items()}
    yield Table(
        ["variant", *VariantParams.model_fields],
        [[f"`{name}`", *(as_code(written(value)) for value in recipe.values())] for name, recipe in recipes.items()],
    )
    networks = findings.params.networks
    if networks:
        yield Table(
            ["network", "file", "config", "optimizer", "replicas", "epochs", "batch_size"],
            [
                [f"`{name}`", f"`{file(name)}`", as_code(str(each.config)), as_code(_optimizer(each))]
                + [f"`{getattr(each, key)}`" for key in BUDGET]
                for name, each in networks.items()
            ],
        )
    sections = findings.params.model_dump(mode="json", include=set(SHARED))
    shared = [
        [f"`{name}`", ", ".join(as_code(f"{key}: {value}") for key, value in sections[name].items())] for name in SHARED
    ]
    yield Table(["for all variants", "parameters"], shared)
    yield from _pictures(findings, Place.RUN)


def _optimizer(network: NetworkParams) -> str:
    replacement = written(network.optimizer.model_dump())
    return replacement if network.replaces_optimizer else f"the model's own, else {replacement}"


def _pictures(findings: ReportFindings, place: Place) -> Iterator[Block]:
    for each in at(place, findings.pictures):
        yield Picture(findings.pictures[each.name], each.caption)
