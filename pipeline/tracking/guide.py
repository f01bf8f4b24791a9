"""The experiment's description in MLflow: what it holds, and how to read it (Markdown)."""

from collections.abc import Sequence

from pipeline.evaluation.learned import score_in_words
from pipeline.tracking.tags import COMPLETE, CURRENT, search_for

CHARTS = """\
| charts | what they show |
|---|---|
| `learned_share`, `alive_share` (in *Learned and alive*, else in *Model metrics*) | share of the replicas that have \
learned, and that live, over the epochs |
| `{score}`, `loss` | medians and quartiles over the replicas, over the epochs |
| `gradient_mean_abs`, `gradient_norm`, `gradient_zero_share`, `probe_gradient_mean_abs` | a chart for each layer: \
medians over the replicas that live at that epoch |
| `gradient_profile`, `gradient_profile_log10` | the same gradient across the layers: **the step is the layer**, from \
the input on; log10 leaves out zeros |
| `saturated_share`, `weight_l1`, `weight_change_l1` | a chart for each layer, of living replicas |
| `outcomes` | how many replicas learned, and how many failed for each cause |
| *Figures side by side*, `figures` | the figures of the selected runs in columns |"""


STUDIES_GUIDE = """\
**What changes how often a network learns?** A run for each study, whose description ranks its cells; below it a run \
for each cell, with its recipe as parameters, what it changes of the reference (`changes`, `effect`) as tags, and as \
metrics the learned share with its interval, the difference from the reference's with its own, and how many replicas \
failed for each cause. The replicas are in the table `replicas.csv`. Select cells and press *Compare*, or search \
`tags.effect = 'helps'`."""


def guide(variants: Sequence[str], pair: Sequence[str], registered_model: str, final: str) -> str:
    """The description.

    Args:
        variants: all of params.yaml. pair: the two that are set side by side, if any.
        final: the score that decides, such as `test_accuracy`.
    """
    first, second = pair or (variants[0], variants[-1])
    parts = [
        "**Why does my deep network not train, and what fixes it?** Every variant (an architecture and its training "
        "recipe) is trained many times, each *replica* from a seed of its own.",
        "**What is here:** a run for each variant, which says in its description how many replicas learned and why the "
        "others did not; below it (+, where no search is set) a run for each replica. Runs that are called by a "
        "variant's name alone are of what `params.yaml` says now. Any other, of an experiment or of before an edit, is "
        "called by what differs from that: `relu_20 · seed=2`.",
        f"**How to compare:** the button *Views* above has *All variants*{', the chosen pair' if pair else ''} and "
        "*Experiments and earlier recipes too*, with what matters most first. To choose others, search "
        f"`{search_for(CURRENT)}` for the variants alone and leave the eye open at, say, `{first}` and `{second}`: the "
        "charts lay one over the other. Or tick both and press *Compare*.",
        CHARTS.format(score=final.partition("_")[2]),
        f"A replica *learned* if its final {score_in_words(final)} is above the threshold. It *lives* as long as "
        "no layer is dead, that is, zero on every training input: through a dead layer no gradient passes, so "
        "gradients are those of living replicas, and a line ends where none lives.",
        "**Replicas** have what they reached and the evidence as metrics, the recipe and the seed as parameters, "
        "`outcome` and `cause` as tags. Select some and press *Compare* for parallel coordinates (`hidden_layers`, "
        f"`{final}`, `learned`), scatter and box plots. Searches:",
        "\n".join(f"* {what}: `{search}`" for what, search in searches(first).items()),
        f"**The best model** is registered as `{registered_model}` with the alias `best`.",
    ]
    return "\n\n".join(parts)


def searches(variant: str) -> dict[str, str]:
    """Searches that work, by what they find."""
    return {
        "the variants": search_for(CURRENT),
        "the same, of experiments and of before edits too": search_for(COMPLETE),
        f"all recipes of {variant}": f"tags.\"pipeline.variant\" = '{variant}'",
        f"the replicas of {variant}": f"params.variant = '{variant}'",
        "replicas with a dead layer from the start": "tags.cause = 'born_dead' and params.hidden_layers = '20'",
        "replicas that learned late": "tags.outcome = 'learned' and metrics.epochs_to_learn > 400",
    }
