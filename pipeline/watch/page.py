"""What a person sees of a watched training: a page of one file, and what a notebook shows."""

import base64
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from pipeline.diagnosis.causes import spelled
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.history import record
from pipeline.report.pages.document import Block, Bullets, Document, Picture, Section, Table, Text
from pipeline.report.pages.html import render
from pipeline.watch import figures

if TYPE_CHECKING:
    from pipeline.watch.callback import Diagnosis

FIGURES = {
    "curves": (figures.curves, "Loss and score over the epochs, a line for each part of the data"),
    "gradients": (figures.gradients, "Heat map of the mean absolute gradient of each layer's kernel over the epochs"),
}


def write(diagnosis: "Diagnosis", path: Path) -> None:
    """The page.

    Raises:
        UserError: nothing is recorded, or `path` is a folder.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder: must be a file, such as why.html")
    save_text(page(diagnosis), path)


def page(diagnosis: "Diagnosis") -> str:
    """Its HTML."""
    history = diagnosis.history
    pictures = {name: figures.png(draw(history)) for name, (draw, _) in FIGURES.items()}
    return render(document(diagnosis, history), pictures)


def document(diagnosis: "Diagnosis", history: xr.Dataset) -> Document:
    """Its content."""
    verdict = diagnosis.verdict
    sections = [
        Section("What to try", [Bullets(list(verdict.tries))] if verdict.tries else []),
        Section("Over the epochs", [Picture("curves", FIGURES["curves"][1])]),
        Section("Gradients", [Picture("gradients", FIGURES["gradients"][1])]),
        Section("Layers", list(_layers(history))),
        Section("Evidence", list(_evidence(verdict.evidence, verdict.symptoms, diagnosis.thresholds.model_dump()))),
        Section("How it was watched", list(_how(history, verdict.notes))),
    ]
    answer: list[Block] = [Text(in_markdown(part)) for part in (verdict.headline, verdict.says) if part]
    return Document("Does this model train, and if not, why?", answer, [each for each in sections if each.blocks])


def fragment(diagnosis: "Diagnosis") -> str:
    """For a notebook: text and two small pictures."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in str(diagnosis.verdict).splitlines())
    if diagnosis.verdict.headline and not diagnosis.is_recorded:
        return f"<div>{lines}</div>"
    shown = ""
    for draw, says in FIGURES.values():
        data = base64.b64encode(figures.png(draw(diagnosis.history))).decode()
        shown += f'<p><img style="max-width: 640px" alt="{escape(says)}" src="data:image/png;base64,{data}"></p>'
    return f"<div>{lines}{shown}</div>"


def _layers(history: xr.Dataset) -> Iterator[Block]:
    heads = ["layer", "kind", "role", "units", "trained", "a path goes around it", "mean \\|gradient\\|", "dead units"]
    last = history.isel(replica=0, recorded_epoch=-1)
    gradient = next((each for each in ("gradient_mean_abs", "probe_gradient_mean_abs") if each in history), None)
    rows = []
    for place in range(history.sizes["layer"]):
        one = last.isel(layer=place)
        share = float(one.dead_unit_share) if "dead_unit_share" in one and one.has_activation else np.nan
        dead = f"{100 * share:.0f}%" if np.isfinite(share) else ""
        rows.append(
            [
                as_code(one.path.item()),
                str(one.kind.item()),
                str(one.role.item()),
                str(one.units.item()),
                "yes" if one.trainable else "no",
                "yes" if one.bypassed else "no",
                _number(float(one[gradient])) if gradient else "",
                dead,
            ]
        )
    yield Table(heads, rows)
    yield Text(f"As they are at the last recorded epoch, {int(last.recorded_epoch)}.")


def _evidence(found: Mapping[str, Any], symptoms: Any, thresholds: Mapping[str, float]) -> Iterator[Block]:
    known = {name: value for name, value in found.items() if value is not None}
    yield Table(
        ["number", "value"],
        [[f"`{name}`", as_code(value) if isinstance(value, str) else _number(value)] for name, value in known.items()],
    )
    yield Text("Conditions that hold: " + (", ".join(map(spelled, symptoms)) or "none") + ".")
    yield Text("Thresholds: " + ", ".join(f"`{name}: {value}`" for name, value in thresholds.items()) + ".")


def _how(history: xr.Dataset, notes: Any) -> Iterator[Block]:
    recorded = history.sizes["recorded_epoch"]
    yield Text(
        f"{int(history.epoch[-1])} epochs, {recorded} states recorded. The probe is "
        f"{history.attrs.get('probe', 'not known')}, in inference mode. "
        + ("Gradients over an epoch are those that the optimizer got." if "gradient_mean_abs" in history else "")
    )
    kind = record.task_of(history).kind if history.attrs.get("task_is_known") else "unknown"
    yield Text(f"The task: {kind}.")
    if notes:
        yield Bullets([in_markdown(note) for note in notes])


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else ""
