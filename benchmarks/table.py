"""The table of speed in docs/explanation.md, from benchmarks/results.json: `python3 -m benchmarks.table` renews it."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "explanation.md"
BEGIN, END = "<!-- speed: made by `make bench` -->\n", "<!-- /speed -->\n"
# Recorded at every epoch; without `|`, which would end a cell of the table.
JAX = "JAX records loss, accuracy and balanced accuracy of both sets, and each kernel's mean absolute gradient"
EVERYTHING = "the engine also records eight more values by layer, and histograms"
LEAST = "the engine also records eight more values by layer, which no setting leaves out, but no histograms"
# Measurement, goal, and a template of the result.
ROWS = (
    (
        "thirty replicas of `relu_5` by the engine, compared with thirty times Keras's own `fit`",
        "1,800 times faster",
        "{engine_times_faster_than_fit:,.0f} times: {engine_seconds:.2f} s and 30 x "
        "{keras_fit_seconds_per_replica:.0f} s ({engine_times_faster_than_fit_compiling:,.0f} times with the "
        "compilation of the loops, which a machine does once)",
    ),
    (
        f"the same compared with JAX's `vmap` and `scan`, compiled. {JAX}; {EVERYTHING}",
        "4 times faster",
        "{engine_times_faster_than_jax:.1f} times faster ({jax_seconds:.2f} s)",
    ),
    (
        f"the same with as few records as the engine can have. {JAX}; {LEAST}",
        "5 times faster",
        "{lean_times_faster_than_jax:.1f} times ({lean_seconds:.2f} s and {jax_seconds:.2f} s)",
    ),
    (
        "thirty replicas of `relu_5` by the engine with all records, compared with plain Numba loops with fewer",
        "",
        "{engine_times_faster_than_floor:.1f} times faster ({floor_seconds:.2f} s)",
    ),
    (
        "each further replica (from 30 to 300), compared with these loops",
        "at most 2 times as long",
        "{marginal_over_floor:.2f} times ({marginal_seconds_per_replica:.3f} s)",
    ),
    (
        "thirty replicas of 64-32-32-10 on the digits, 100 epochs in batches of 32, everything recorded at every "
        "epoch, compared with thirty times Keras's own `fit`",
        "40 times faster",
        "{digits_engine_times_faster_than_fit:,.0f} times: {digits_engine_seconds:.1f} s and 30 x "
        "{digits_keras_fit_seconds_per_replica:.0f} s",
    ),
    (
        f"the same compared with JAX. {JAX}; {EVERYTHING}",
        "2 times as fast",
        "{digits_engine_times_faster_than_jax:.2f} times as fast ({digits_jax_seconds:.2f} s)",
    ),
    (
        f"the same with as few records as the engine can have. {JAX}; {LEAST}",
        "",
        "{digits_lean_times_faster_than_jax:.2f} times as fast ({digits_lean_seconds:.2f} s and "
        "{digits_jax_seconds:.2f} s)",
    ),
    (
        "an epoch of one replica of 20-64-64-64-1 on a million rows, of which 800,000 train in batches of 256; "
        "everything recorded, on one core, compared with Keras's `fit` on all cores",
        "at most 0.7 times as long",
        "{million_epoch_over_fit:.2f} times as long ({million_epoch_seconds:.1f} s and "
        "{million_keras_epoch_seconds:.1f} s)",
    ),
    (
        "`generate` and `split` of a million rows of 20 numbers from Parquet, compared with one script of pandas and "
        "scikit-learn",
        "at most 3 times as long",
        "{table_over_peer:.2f} times as long ({table_seconds:.1f} s and {table_peer_seconds:.1f} s)",
    ),
    (
        "their peak memory, of the whole process, in sizes of that table as float32 (80 MB)",
        "at most 6",
        "{table_peak_tables:.1f} (the script's: {table_peer_peak_tables:.1f})",
    ),
    (
        "`make repro` of a fresh clone, after set-up: 7 variants x 30 replicas, evaluated and tracked",
        "at most 1.5 `fit`s",
        "{cold_repro_in_fits:.2f} ({cold_repro_seconds:.0f} s)",
    ),
    (
        "`dvc repro` with nothing to do, compared with the same `dvc.yaml` whose commands do nothing",
        "at most 0.3 s",
        "{noop_repro_more_than_trivial_seconds:.2f} s more (of {noop_repro_seconds:.1f} s)",
    ),
    (
        "the same, compared with stages that do nothing and depend on no code or parameters",
        "at most 0.3 s",
        "{noop_repro_more_than_bare_seconds:.2f} s more",
    ),
    ("`dvc repro` with one variant edited", "at most 20 s", "{edited_repro_seconds:.1f} s"),
    (
        "publishing to SQLite, metric points a second of a whole `track`, models included",
        "10,000",
        "{published_points_per_second:,.0f}",
    ),
    (
        "peak memory, 300 replicas of 20 hidden layers",
        "at most 1.0 GiB",
        "{peak_memory_300_replicas_20_layers_gib:.2f} GiB",
    ),
)


def rendered(results: dict[str, Any]) -> str:
    """Return the table in Markdown, with processor and versions below."""
    rows = [(name, goal, _filled(template, results["measured"])) for name, goal, template in ROWS]
    lines = ["| | goal | measured |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    machine = results["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in ("processor", "cores"))
    place = f"{machine['cores']} cores of this processor: {machine['processor']}"
    return "\n".join([*lines, "", f"Medians of {results['rounds']} rounds in turn on {place}. {versions}.", ""])


def _filled(template: str, measured: dict[str, float]) -> str:
    """Return a row's result; results from before the row was written lack it."""
    try:
        return template.format(**measured)
    except KeyError:
        return "not measured yet"


def renew() -> None:
    """Write the table into the page, between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}{rendered(results)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    renew()
