"""The table of speed in docs/explanation.md, from benchmarks/results.json: `python3 -m benchmarks.table` renews it."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "explanation.md"
BEGIN, END = "<!-- speed: made by `make bench` -->\n", "<!-- /speed -->\n"


# What was measured, its goal, and how the results say it.
ROWS = (
    (
        "thirty replicas of `relu_5` by the engine, against thirty times Keras's own `fit`",
        "1,000 times faster",
        "{engine_times_faster_than_fit:,.0f} times: {engine_seconds:.2f} s against 30 x "
        "{keras_fit_seconds_per_replica:.0f} s ({engine_times_faster_than_fit_compiling:,.0f} times where the loops "
        "must be compiled first, once on a machine)",
    ),
    (
        "the same against JAX's `vmap` and `scan`, compiled",
        "3 times faster",
        "{engine_times_faster_than_jax:.1f} times ({jax_seconds:.2f} s)",
    ),
    (
        "the same against plain loops by Numba that record less",
        "",
        "{engine_times_faster_than_floor:.1f} times faster ({floor_seconds:.2f} s)",
    ),
    (
        "a replica more (from 30 to 300), against those loops",
        "at most 2 times as long",
        "{marginal_over_floor:.2f} times ({marginal_seconds_per_replica:.3f} s)",
    ),
    (
        "cold `make repro` after set-up: 7 variants x 30 replicas, evaluated and tracked",
        "at most 1.5 `fit`s",
        "{cold_repro_in_fits:.2f} ({cold_repro_seconds:.0f} s)",
    ),
    (
        "`dvc repro` with nothing to do, more than with the same `dvc.yaml` and commands that do nothing",
        "at most 0.3 s",
        "{noop_repro_more_than_trivial_seconds:.2f} s (of {noop_repro_seconds:.1f} s)",
    ),
    (
        "the same, more than with stages that do nothing and depend on neither code nor parameters",
        "at most 0.3 s",
        "{noop_repro_more_than_bare_seconds:.2f} s",
    ),
    ("`dvc repro` with one variant edited", "at most 20 s", "{edited_repro_seconds:.1f} s"),
    (
        "publishing to SQLite, points a second over a whole `track`, models included",
        "10,000",
        "{published_points_per_second:,.0f}",
    ),
    (
        "peak memory, 300 replicas of 20 hidden layers",
        "under 1.5 GiB",
        "{peak_memory_300_replicas_20_layers_gib:.2f} GiB",
    ),
)


def rendered(results: dict[str, Any]) -> str:
    """The table in Markdown, and what it was measured with."""
    rows = [(what, goal, said.format(**results["measured"])) for what, goal, said in ROWS]
    lines = ["| | goal | measured |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    machine = results["machine"]
    made_with = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "cores")
    return "\n".join(
        [*lines, "", f"Medians of {results['rounds']} rounds in turn on {machine['cores']} cores; {made_with}.", ""]
    )


def renew() -> None:
    """Put it into the page, between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}{rendered(results)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    renew()
