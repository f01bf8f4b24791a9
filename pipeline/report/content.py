"""Write the report: which networks learn, the pair of variants, the causes, the remedies, and the parameters."""

from collections.abc import Iterator

from pipeline.diagnosis.causes import spelled
from pipeline.evaluation.effects import written
from pipeline.evaluation.expectations import Expectation
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.params.network_params import BUDGET, NetworkParams, file
from pipeline.params.variant_params import VariantParams
from pipeline.report import results_table
from pipeline.report.data_section import about_data
from pipeline.report.figures.report_figures import Place
from pipeline.report.findings import ReportFindings
from pipeline.report.pages.document import Block, Bullets, Document, Section, Table, Text, verdicts
from pipeline.report.remedies_section import about_remedies, points

ORIGIN = (
    " The study began as *How to Fix the Vanishing Gradients Problem Using ReLU* (J. Brownlee), which trained each "
    "network once."
)
SHARED = ("data", "split", "training", "evaluation", "diagnosis")  # sections of params.yaml that hold for all variants


def write(findings: ReportFindings) -> Document:
    """Return the report."""
    sections = [
        Section("What was asked", list(_asked(findings))),
        Section("Which networks learn", list(_results(findings))),
        Section(" against ".join(findings.chosen.pair or ()), list(_pair(findings))),
        Section("Why", list(_why(findings))),
        Section("What helps", list(about_remedies(findings))),
        Section("How it was run", list(_run(findings))),
    ]
    return Document(
        "Why do these networks not train, and what fixes it?",
        list(_answer(findings)),
        [section for section in sections if section.blocks],
    )


def _answer(findings: ReportFindings) -> Iterator[Block]:
    """Yield a list of the variants in three groups: most replicas learn, most do not, or it is undecided."""
    groups: dict[str, list[str]] = {"Most replicas learn:": [], "Most do not:": [], "Undecided:": []}
    for row in findings.comparison.variants.itertuples():
        verdict = "Most replicas learn:" if row.learned_low > 0.5 else "Undecided:"
        verdict = "Most do not:" if row.learned_high < 0.5 else verdict
        cause = findings.evaluations[row.variant].diagnosis.cause
        counts = f"{row.learned} of {row.replicas}"
        if cause and verdict != "Most replicas learn:":
            counts += f" learned{_failed(row.learned, row.replicas, cause)}"
        groups[verdict].append(f"`{row.variant}` ({counts})")
    yield Bullets([f"**{verdict}** {', '.join(names)}." for verdict, names in groups.items() if names])


def _failed(learned: int, count: int, cause: str) -> str:
    """Return the main cause of the replicas that did not learn, such as "; the other 2: mainly overfitting"."""
    if not learned:
        return f": mainly {spelled(cause)}"
    others = count - learned
    return f"; the other one: {spelled(cause)}" if others == 1 else f"; the other {others}: mainly {spelled(cause)}"


def _asked(findings: ReportFindings) -> Iterator[Block]:
    profile, training, rule = findings.profile, findings.params.training, findings.rule
    count = len(findings.evaluations)
    rows = ", ".join(f"{number} {part}" for part, number in profile.rows.items())
    networks = "One network" if count == 1 else f"{count} networks"
    yield Text(
        f"Why does a deep network not train? {networks} on {sum(profile.rows.values())} rows "
        f"of {as_code(profile.source)} ({rows}): {in_markdown(profile.task.in_words)}. Each was "
        f"trained {training.replicas} times for {training.epochs} epochs{_other_budgets(findings)}."
        f"{ORIGIN if findings.chosen.claims else ''} One run "
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
    yield from about_data(profile, rule)
    yield from findings.at(Place.ASKED)


def _other_budgets(findings: ReportFindings) -> str:
    """Return the networks whose number of replicas or epochs differs: " (`name` 3 times for 20)"."""
    params = findings.params
    others = [
        f"`{name}` {each.replicas} times for {each.epochs}"
        for name, each in ((name, params.training_of(name)) for name in params.networks)
        if (each.replicas, each.epochs) != (params.training.replicas, params.training.epochs)
    ]
    return f" ({', '.join(others)})" if others else ""


def _results(findings: ReportFindings) -> Iterator[Block]:
    yield results_table.for_pages(findings.evaluations, findings.rule, findings.chosen.claims)
    counts = {name: each.metrics.diverged for name, each in findings.evaluations.items()}
    diverged = ", ".join(f"{count} of `{name}`" for name, count in counts.items() if count)
    if diverged:
        yield Text(f"Diverged (the loss became NaN or infinite) and counted as not learned: {diverged}.")
    yield from findings.at(Place.RESULTS)


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
                f"{points(sign * row.difference, low, high)} (Newcombe's 95% interval, unpaired)."
                + (" So it is undecided which of the two learns more often." if low <= 0 <= high else "")
            )
    yield from findings.at(Place.PAIR)


def _why(findings: ReportFindings) -> Iterator[Block]:
    yield verdicts(each.diagnosis.verdict for each in findings.evaluations.values())
    yield Text("Cause and evidence of each replica: `evaluations/<variant>/replicas.csv`.")
    yield from findings.at(Place.WHY)
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
            # Variants that differ only in the optimizer have the same initial weights: they are one check of theory.
            initial_weights = findings.params.variants[name].model_dump_json(exclude={"optimizer"})
            checks.setdefault((each, initial_weights), []).append(f"`{name}`")
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
    yield from findings.at(Place.RUN)


def _optimizer(network: NetworkParams) -> str:
    replacement = written(network.optimizer.model_dump())
    return replacement if network.replaces_optimizer else f"the model's own, else {replacement}"
