"""Render a watched training as a page (one HTML file), or as a fragment for a notebook."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pipeline.data.reference.quick_models import MODELS
from pipeline.diagnosis.causes import spelled
from pipeline.evaluation.learned import judged_outputs, outputs_in_words, reference_of, spelled_score
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.history import record
from pipeline.history.time_profiles import has_time_profiles
from pipeline.recorder.recorder import SKIPPED_EPOCHS
from pipeline.report.figures.time_figures import REACH_CAPTION
from pipeline.report.pages.document import Block, Bullets, Document, Picture, Section, Table, Text
from pipeline.report.pages.html import render
from pipeline.watch import figures
from pipeline.watch.fit_verdict import Verdict
from pipeline.watch.verdict import epochs_in_words
from pipeline.watch.watched_fit import WatchedFit

Draw = Callable[[xr.Dataset], Figure]
FIGURES: dict[str, tuple[Draw, str]] = {
    "curves": (figures.curves, "Loss and score over the epochs, a line for each part of the data"),
    "gradients": (figures.gradients, "Heat map of the mean absolute gradient of each layer's kernel over the epochs"),
    "gradient_by_time": (figures.gradient_by_time, REACH_CAPTION),  # only of recurrent layers
}
READING = (
    "The gradient of a row's loss by the input of the recurrent layer, step by step: what the network can still learn "
    "from that step. A dashed line marks the first step that gets at least 0.1% of the greatest gradient. A gradient "
    "that vanishes in time is a symptom, not a proof: shorter sequences that are learned are evidence."
)


def figures_of(history: xr.Dataset) -> dict[str, tuple[Draw, str]]:
    """Return the figures that apply to a record, each with its caption."""
    return {name: each for name, each in FIGURES.items() if name != "gradient_by_time" or has_time_profiles(history)}


def write(fit: WatchedFit, path: Path) -> None:
    """Write the page of a watched training.

    Raises:
        UserError: nothing is recorded, or `path` is a folder.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder: must be a file, such as why.html")
    save_text(page(fit), path)


def page(fit: WatchedFit) -> str:
    """Return the page of a watched training as HTML."""
    history = fit.history
    pictures = {name: figures.png(draw(history)) for name, (draw, _) in figures_of(history).items()}
    return render(document(fit, history), pictures)


def document(fit: WatchedFit, history: xr.Dataset) -> Document:
    """Return the page's content."""
    verdict = fit.verdict
    reach: list[Block] = []
    if has_time_profiles(history):
        reach = [Picture("gradient_by_time", REACH_CAPTION), Text(READING)]
    sections = [
        Section("What to try", [Bullets(list(verdict.tries))] if verdict.tries else []),
        Section("Over the epochs", [Picture("curves", FIGURES["curves"][1])]),
        Section("Gradients", [Picture("gradients", FIGURES["gradients"][1])]),
        Section("How far back does the gradient reach?", reach),
        Section("Layers", list(_layers(history))),
        Section("Evidence", [*_evidence(verdict, fit.thresholds.model_dump()), *_reference(history)]),
        Section("How it was watched", list(_recording(history, verdict.notes))),
    ]
    sentences = [verdict.headline, verdict.says, *(f"Notice: {each}" for each in verdict.notices.values())]
    answer: list[Block] = [Text(in_markdown(each)) for each in sentences if each]
    return Document("Does this model train, and if not, why?", answer, [each for each in sections if each.blocks])


def fragment(fit: WatchedFit) -> str:
    """Return HTML for a notebook: the verdict and, if anything is recorded, small figures."""
    parts = [f"<p>{escape(line)}</p>" for line in str(fit.verdict).splitlines()]
    if fit.is_recorded:
        for draw, caption in figures_of(fit.history).values():
            data = base64.b64encode(figures.png(draw(fit.history))).decode()
            source = f"data:image/png;base64,{data}"
            parts.append(f'<p><img style="max-width: 640px" alt="{escape(caption)}" src="{source}"></p>')
    return f"<div>{''.join(parts)}</div>"


def _layers(history: xr.Dataset) -> Iterator[Block]:
    header = ["layer", "kind", "role", "units", "trained", "bypassed", "mean \\|gradient\\|", "dead units"]
    last = history.isel(replica=0, recorded_epoch=-1)
    gradient = next((each for each in ("gradient_mean_abs", "probe_gradient_mean_abs") if each in history), None)
    rows = []
    for place in range(history.sizes["layer"]):
        layer = last.isel(layer=place)
        share = float(layer.dead_unit_share) if "dead_unit_share" in layer and layer.has_activation else np.nan
        rows.append(
            [
                as_code(layer.path.item()),
                str(layer.kind.item()),
                str(layer.role.item()),
                str(layer.units.item()),
                "yes" if layer.trainable else "no",
                "yes" if layer.bypassed else "no",
                _number(float(layer[gradient])) if gradient else "",
                f"{100 * share:.0f}%" if np.isfinite(share) else "",
            ]
        )
    yield Table(header, rows)
    yield Text(
        f"At the last recorded epoch, {int(last.recorded_epoch)}. Bypassed: a skip connection goes around the layer."
    )


def _evidence(verdict: Verdict, thresholds: Mapping[str, float]) -> Iterator[Block]:
    known = {name: value for name, value in verdict.evidence.items() if value is not None}
    yield Table(
        ["number", "value"],
        [[f"`{name}`", as_code(value) if isinstance(value, str) else _number(value)] for name, value in known.items()],
    )
    yield Text("Conditions that hold: " + (", ".join(map(spelled, verdict.symptoms)) or "none") + ".")
    yield Text("Thresholds: " + ", ".join(f"`{name}: {value}`" for name, value in thresholds.items()) + ".")


def _reference(history: xr.Dataset) -> Iterator[Block]:
    """Yield a table of the quick models' scores; for a model with several outputs, the score of each output."""
    reference, outputs = reference_of(history), judged_outputs(history)
    if reference is not None and reference.scores:
        names = sorted({name for scores in reference.scores.values() for name in scores})
        rows = [
            [MODELS[model], *(_number(scores[name]) if name in scores else "" for name in names)]
            for model, scores in reference.scores.items()
        ]
        yield Table(["quick model on the same rows", *map(spelled_score, names)], rows)
    if outputs:
        yield Text(in_markdown(f"Outputs: {outputs_in_words(outputs)}."))


def _recording(history: xr.Dataset, notes: Sequence[str]) -> Iterator[Block]:
    epochs = epochs_in_words(int(history.epoch[-1]))
    gradients = (
        " Gradients are the optimizer's own, the mean over the steps of an epoch."
        if "gradient_mean_abs" in history
        else ""
    )
    skipped = int(history.attrs.get(SKIPPED_EPOCHS, 0))
    limit = f" {epochs_in_words(skipped)} more would have taken too long: see `max_overhead`." if skipped else ""
    yield Text(
        f"{epochs} of training; layers were measured at {history.sizes['recorded_epoch']} epochs, epoch 0 included, in "
        f"inference mode, on the probe: {history.attrs.get('probe', 'unknown rows')}.{limit}{gradients}"
    )
    kind = record.task_of(history).kind if history.attrs.get("task_is_known") else "unknown"
    yield Text(f"The task: {kind}.")
    if notes:
        yield Bullets([in_markdown(note) for note in notes])


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else ""
