"""Names from data (classes, columns, layers) are literal everywhere: no formula, link or HTML comes of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_report import PICTURES, Page, study

from examples import PROFILE, SHIPPED, THRESHOLDS, evaluations, history, origin_of, parameters
from pipeline.data.profile import ColumnRange, ColumnValues, Profile
from pipeline.data.split.samples import InputColumn, RawData
from pipeline.data.split.tasks import Task
from pipeline.data.splitting import split
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.params.split_params import SplitParams
from pipeline.report import content
from pipeline.report.figures import data_figures, prediction_figures
from pipeline.report.figures.files import save_figures
from pipeline.report.figures.style import in_figure
from pipeline.report.findings import ReportFindings
from pipeline.report.pages import html, markdown
from pipeline.tracking.payload import use
from pipeline.watch import figures as watch_figures
from pipeline.watch import page as watch_page
from pipeline.watch.fit_verdict import Verdict
from pipeline.watch.verdict import judge

NASTY = (
    r"_$\frac$ ![a](http://x.example/p.png) [b](http://x.example) <img src=http://x.example/q> <http://x.example>"
    r" `c` ``d`` **e** __f__ ~~g~~ |&lt;\`"
)
PLAIN = "plain"
TASKS = {
    "two classes": lambda name: Task("binary", (name, "b")),
    "three classes": lambda name: Task("multiclass", (name, "b", f"{name}2")),
    "regression": lambda name: Task("regression", (name,)),
}
READER = MarkdownIt("commonmark", {"html": True, "xhtmlOut": False}).enable(
    "table"
)  # lets HTML through, as some readers do


def rows_of(task: Task, name: str, columns: int = 2) -> RawData:
    """Rows whose columns, and the target's, have the name."""
    generator = np.random.default_rng(0)
    names = [name, *(f"{name}{number}" for number in range(1, columns))]
    features = pd.DataFrame(generator.normal(size=(60, columns)), columns=names)
    targets = np.arange(60) % len(task.names) if task.is_classification else generator.normal(size=(60, 1))
    return RawData(features, targets, task, dict.fromkeys(names, "number"), {}, (name,))


def data_figure(task: Task, name: str, columns: int) -> Figure:
    raw = rows_of(task, name, columns)
    params = SplitParams.model_validate({"train": 30, "scale": {"inputs": "none"}, "fit_scaler_on": "all"})
    return data_figures.picture(raw, *split(raw, SHIPPED.data, params))


def predictions_figure(task: Task) -> Figure:
    generator = np.random.default_rng(0)
    targets = np.arange(20) % len(task.names) if task.is_classification else generator.normal(size=(20, 1))
    given_ = generator.uniform(size=(3, 20, task.outputs))
    predicted = prediction_figures.Predicted([0, 1, 2], [0.1, 0.2, 0.3], given_, targets)
    return prediction_figures.test_predictions(predicted, origin_of(task, ("x",)), f"title {task.names[0]}")


def watched(name: str) -> xr.Dataset:
    """A record of a training whose layers have the name."""
    made = history([[0.5, 0.5]])
    paths = [f"{name}{layer}" for layer in range(made.sizes["layer"])]
    return made.assign_coords(path=("layer", paths)).assign_attrs(task_is_known=1, probe=f"the rows of {PLAIN}")


def drawings() -> Iterator[tuple[str, Callable[[], Figure]]]:
    for what, of in TASKS.items():
        for columns in (1, 2, 3):
            yield f"data, {what}, {columns} columns", lambda of=of, n=columns: data_figure(of(NASTY), NASTY, n)
        yield f"predictions, {what}", lambda of=of: predictions_figure(of(NASTY))
    yield "watch gradients", lambda: watch_figures.gradients(watched(NASTY))
    yield "watch curves", lambda: watch_figures.curves(watched(NASTY))


@pytest.mark.parametrize("draw", [pytest.param(draw, id=what) for what, draw in drawings()])
def test_every_figure_is_drawn_with_a_name_that_would_be_a_broken_formula(
    draw: Callable[[], Figure], tmp_path: Path
) -> None:
    drawn = draw()
    save_figures({tmp_path / "figure.png": drawn})
    assert not any(
        is_math_text(text.get_text()) for text in drawn.findobj(Text) if "mathdefault" not in text.get_text()
    )


def test_a_class_whose_name_begins_with_an_underscore_is_in_the_legend() -> None:
    drawn = data_figure(Task("binary", ("_a", "b")), "x", 2)
    (legend,) = [axes.get_legend() for axes in drawn.axes]
    assert [text.get_text().lstrip("\u200b") for text in legend.get_texts()] == ["_a", "b"]


@given(st.text(alphabet="a$\\_{}^ ", max_size=12))
def test_matplotlib_shows_any_name_as_it_is(name: str) -> None:
    shown = in_figure(name)
    assert not is_math_text(shown)
    assert shown.replace(r"\$", "$").lstrip("\u200b") == name  # as matplotlib does where there is no formula


MARKED = st.text(alphabet="ab`*_[]()<>!&;#~$\\|: /.\"'=", max_size=30)


@given(MARKED)
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    """Inside a sentence, for a name may end in what would begin something with what follows."""
    for shown in (as_code(text), in_markdown(text)):
        tokens = READER.parseInline(f"x{shown}y")[0].children or []
        assert {token.type for token in tokens} <= {"text", "code_inline", "text_special"}
        assert "".join(token.content for token in tokens) == f"x{text}y"


def profile_of(name: str) -> Profile:
    """A profile in which all names are this one."""
    return replace_in(
        PROFILE,
        task=Task("binary", (name, "b")),
        source=name,
        features=4,
        shares={"train": {name: 0.5, "b": 0.5}},
        targets={name: (0.0, 1.0, 2.0)},
        ranges=(ColumnRange(name=name, raw=(0, 1), scaled=(0, 1)),),
        values=(ColumnValues(name=name, kind="category", distinct=2, shares={name: 0.5, "b": 0.5}),),
        filled={name: 3},
        warnings=(f"feature {name} determines the target",),
    )


def replace_in(before: Profile, **changes: object) -> Profile:
    return Profile.model_validate({**dict(before), **changes})


def report(name: str) -> ReportFindings:
    made = replace(study(evaluations(), parameters(["b", "a"]), units=9), profile=profile_of(name))
    features = made.params.data.model_copy(update={"source": name})
    return replace(made, params=made.params.model_copy(update={"data": features}))


def skeleton(page: str) -> list[tuple[str, list[str], list[str | None]]]:
    """Elements in order, with their attributes' names and their addresses."""
    return [
        (tag, list(attributes), [attributes.get(each) for each in ("src", "href")])
        for tag, attributes in Page(page).tags
    ]


def expect_literal(pages: Callable[[str], str]) -> str:
    """The same page with a harmless name has the same elements and addresses, none of which is external."""
    made = pages(NASTY)
    addresses = [each for _, _, found in skeleton(made) for each in found if each]
    assert not [each for each in addresses if "x.example" in each]
    assert [tag for tag, _, _ in skeleton(made)] == [tag for tag, _, _ in skeleton(pages(PLAIN))]
    assert [names for _, names, _ in skeleton(made)] == [names for _, names, _ in skeleton(pages(PLAIN))]
    return made


@pytest.mark.slow
def test_the_report_shows_names_as_they_are() -> None:
    png = _png()
    text = expect_literal(lambda name: html.render(content.write(report(name)), dict.fromkeys(PICTURES.values(), png)))
    assert r"![a](http://x.example/p.png)" in text  # which would be an image
    expect_literal(lambda name: READER.render(markdown.render(content.write(report(name)))))


def test_mlflow_shows_the_names_of_columns_and_targets_as_they_are() -> None:
    for fill in (None, 0.5):
        for of in TASKS.values():
            expect_literal(
                lambda name, of=of, fill=fill: READER.render(use(of(name), [InputColumn(name=name, fill=fill)]))
            )


@dataclass
class Watched:
    """What the page takes of a `Diagnosis`."""

    history: xr.Dataset
    verdict: Verdict
    thresholds: DiagnosisParams
    is_recorded: bool = True


def diagnosed(name: str) -> Watched:
    made = watched(name)
    return Watched(made, judge(made, None, THRESHOLDS, [f"{name} was not watched"]), THRESHOLDS)


@pytest.mark.slow
def test_the_page_of_a_watched_training_shows_the_names_of_layers_as_they_are() -> None:
    expect_literal(lambda name: watch_page.page(diagnosed(name)))
    expect_literal(lambda name: watch_page.fragment(diagnosed(name)))


def _png() -> bytes:
    return watch_figures.png(data_figure(Task("binary", ("a", "b")), "x", 2))
