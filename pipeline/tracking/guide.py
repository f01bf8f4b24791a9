"""Write the description of the experiment that MLflow shows: what it contains and how to read it (Markdown)."""

from collections.abc import Iterator, Sequence

from pipeline.evaluation.learned import score_in_words
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.tags import COMPLETE, CURRENT, search_for

STUDIES_GUIDE = """\
**What changes how often a network learns?** There is a run for each study; its description ranks the study's cells. \
Below it is a run for each cell. The cell's recipe is in the run's parameters, its changes to the reference in the \
tag `changes`, and their effect in the tag `effect`. The metrics are the learned share and its difference from the \
reference, both with intervals, and the number of replicas that failed for each cause. The replicas are in the table \
`replicas.csv`. Select cells and press *Compare*, or search `tags.effect = 'helps'`."""


def guide(variants: Sequence[str], pair: Sequence[str], registered_model: str, final: str) -> str:
    """Return the description of the experiment with the variants.

    Args:
        variants: all variants of params.yaml.
        pair: the two variants to compare, if any.
        registered_model: the name of the registered model.
        final: the column of the main score, such as `test_accuracy`.
    """
    first, second = pair or (variants[0], variants[-1])
    parts = [
        "**Why does my deep network not train, and what fixes it?** Every variant (an architecture and its training "
        "recipe) is trained many times, each *replica* from a seed of its own.",
        "**Runs:** there is a run for each variant; its description says how many replicas learned and why the others "
        "failed. Below it (press + while no search is set) is a run for each replica. A run with a variant's plain "
        "name belongs to the present `params.yaml`. The name of any other run (of an experiment, or from before an "
        "edit) lists its differences: `relu_20 · seed=2`.",
        f"**How to compare:** search `{search_for(CURRENT)}` and hide all runs except, for example, `{first}` and "
        f"`{second}` with the eye: the charts then show both lines. Or tick both and press *Compare*. *Search "
        "metric charts* finds a chart by its name.",
        "\n".join(("| chart | meaning |", "|---|---|", *_charts(final.partition("_")[2]))),
        f"A replica *learned* if its final {score_in_words(final)} is above the threshold. It is *living* while it has "
        "no dead layer, that is, no layer that is zero on every training input. No gradient passes a dead layer. So "
        "gradients are medians over living replicas, and a line ends when no replica is living.",
        "**Runs of replicas** have the results and the evidence as metrics, the recipe and the seed as parameters, "
        "`outcome` and `cause` as tags. Select several runs and press *Compare* for parallel coordinates "
        f"(`hidden_layers`, `{final}`, `learned`), scatter and box plots. Searches:",
        "\n".join(f"* {runs}: `{search}`" for runs, search in searches(first).items()),
        f"**The best model** is registered as `{registered_model}` with the alias `best`.",
    ]
    return "\n\n".join(parts)


def _charts(score: str) -> Iterator[str]:
    """Yield a row of the table for each group of metrics."""
    for key in keys.OF_VARIANT:
        curves = (score, "loss") if "<curve>" in key.pattern else ("",)
        names = [f"`{key.pattern.replace('<curve>', curve)}`" for curve in curves]
        yield f"| {', '.join(names)} | {key.meaning} |"
    yield "| `figures` | the figures of the runs side by side |"


def searches(variant: str) -> dict[str, str]:
    """Return examples of searches for the UI; the keys describe the runs that each search finds."""
    return {
        "the variants": search_for(CURRENT),
        "the variants, with experiments and runs from before edits": search_for(COMPLETE),
        f"all recipes of {variant}": f"tags.\"pipeline.variant\" = '{variant}'",
        f"the replicas of {variant}": f"params.variant = '{variant}'",
        "replicas with a dead layer from the start": "tags.cause = 'born_dead' and params.hidden_layers = '20'",
        "replicas that learned late": "tags.outcome = 'learned' and metrics.epochs_to_learn > 400",
    }
