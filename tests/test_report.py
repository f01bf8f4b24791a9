"""The report: it says what the numbers say, the HTML file needs nothing else, and Markdown says the same."""

import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import training
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from examples import BINARY, PROFILE, SHIPPED, accuracy_above, evaluated, evaluations, history, parameters, recipes
from pipeline.data.profile import ColumnValues
from pipeline.data.split.samples import Origin, RawData, Split
from pipeline.data.splitting import split
from pipeline.diagnosis import causes, palette
from pipeline.diagnosis.causes import Cause
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import comparison
from pipeline.evaluation.cells_table import cells_table
from pipeline.evaluation.expectations import Expectation
from pipeline.evaluation.tried import TriedCell, TriedStudy, conditions, result
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.params import Params
from pipeline.params.split_params import SplitParams
from pipeline.params.variant_params import VariantParams
from pipeline.remedies.recipe_changes import Against
from pipeline.remedies.remedy import WIDER, Remedy
from pipeline.remedies.remedy_registry import REMEDIES
from pipeline.report import content
from pipeline.report.figures import comparison_figures as figures_of_variants
from pipeline.report.figures import report_figures as listed
from pipeline.report.figures.files import save_figures
from pipeline.report.figures.style import figure
from pipeline.report.findings import ReportFindings
from pipeline.report.pages import html, markdown
from pipeline.report.pages.document import Bar, Document, Picture, Section, Table, Text
from pipeline.tracking.payload import replica_payload
from pipeline.tracking.tags import COLOUR

STUDIES = "../studies"
PICTURES = {"data": "data.png", "outcomes": "outcomes.png"}


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.extend(re.findall(r"\w+", data))

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attributes[name] for found, attributes in self.tags if found == tag and attributes.get(name)]


def study(
    made: Mapping[str, VariantEvaluation],
    params: ComparisonParams,
    tried: Mapping[str, TriedStudy] = MappingProxyType({}),
    **changes: object,
) -> ReportFindings:
    used = {name: recipe for name, recipe in recipes(**changes).items() if name in made}
    return ReportFindings(
        comparison.compare(made, used, params),
        all_parameters(params, used),
        params,
        PROFILE,
        accuracy_above(),
        made,
        "0123abc",
        {"keras": ["3.15"]},
        PICTURES,
        tried,
        STUDIES,
    )


def all_parameters(chosen: ComparisonParams, variants: Mapping[str, VariantParams]) -> Params:
    """The shipped ones, with these variants, trained for a few epochs."""
    return SHIPPED.model_copy(update={"comparison": chosen, "variants": variants, "training": training()})


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("picture") / "small.png"
    drawn = figure(3, 2)
    drawn.subplots()
    save_figures({path: drawn})
    return path.read_bytes()


@pytest.fixture(scope="module")
def report() -> Document:
    return content.write(study(evaluations(), parameters(["b", "a"]), units=9))


@pytest.fixture(scope="module")
def page(report: Document, picture: bytes) -> Page:
    return Page(html.render(report, dict.fromkeys(PICTURES.values(), picture)))


def test_it_says_what_the_numbers_say(report: Document) -> None:
    text = markdown.render(report)
    assert "* **Most replicas learn:** `a` (9 of 10)." in text
    assert "* **Most do not:** `b` (0 of 10 learned: mainly unexplained)." in text
    assert (
        "| `a` | 9 of 10 | 60 to 98% | 0.800 (0.800 to 0.800) | 9 learned, 1 unexplained | 0.300, does not learn |"
        in text
    )
    assert "* **v: 0 of 10 replicas learn (0 to 28%).** 10 are unexplained (no rule says why)" in text
    assert "The learned share of `b` minus that of `a` is -90 points (-98 to -49)" in text
    assert "| `b` to `a` | `units: 9 -> 3` | 0 of 10, 9 of 10 | +90 points (+49 to +98) |" in text
    assert "| unexplained | `units: 12` | not tried |" in text
    assert re.search(r"\n0 of these \d+ suggestions were tried, in a study", text)
    assert "Trained with keras 3.15" in text


def test_a_difference_that_may_be_none_is_said_to_be_undecided() -> None:
    made = {
        name: evaluated(history([[0.5, 0.8]] * learned + [[0.5, 0.5]] * 5)) for name, learned in (("a", 5), ("b", 4))
    }
    text = markdown.render(content.write(study(made, parameters(["a", "b"]), units=9)))
    assert "**Undecided:** `a` (5 of 10 learned; the other 5: mainly unexplained), `b` (4 of 9 learned; the" in text
    assert "it is undecided which of the two learns more often" in text
    assert ": undecided |" in text


def test_nobody_takes_the_cause_of_the_others_for_that_of_those_that_learned() -> None:
    made = {"a": evaluated(history([[0.5, 0.8]] * 2 + [[0.5, 0.5]]))}
    text = markdown.render(content.write(study(made, ComparisonParams())))
    assert "**Undecided:** `a` (2 of 3 learned; the other one: unexplained)." in text


def test_text_and_boolean_columns_and_the_number_of_filled_values_are_shown() -> None:
    columns = (
        ColumnValues(name="colour", kind="category", distinct=7, shares={"red": 0.53, "blue": 0.2}),
        ColumnValues(name="bought", kind="boolean", distinct=2, shares={"true": 0.75, "false": 0.25}),
    )
    profile = PROFILE.model_copy(update={"values": columns, "filled": {"age": 12, "colour": 2}})
    findings = replace(study(evaluations(), parameters(["b", "a"]), units=9), profile=profile)
    text = markdown.render(content.write(findings))
    assert "| `colour` | text | 7 | `red` 53%, `blue` 20% |" in text
    assert "| `bought` | true or false | 2 | `true` 75%, `false` 25% |" in text
    assert "14 missing values were filled in: `age` 12, `colour` 2." in text
    many = tuple(columns[0].model_copy(update={"name": f"c{number}"}) for number in range(23))
    text = markdown.render(content.write(replace(findings, profile=profile.model_copy(update={"values": many}))))
    assert "The other 3 are in `data/split/profile.json`." in text


def test_the_order_is_that_in_which_one_asks(report: Document) -> None:
    titles = [section.title for section in report.sections]
    asked = ["What was asked", "Which networks learn", "b against a", "Why", "What helps", "How it was run"]
    assert titles == asked


def test_what_is_not_to_be_compared_is_simply_not_there() -> None:
    made = {"b": evaluations()["b"]}
    report = content.write(study(made, ComparisonParams()))
    assert [section.title for section in report.sections if section.title in ("", "b against a")] == []
    text = markdown.render(report)
    assert not any(said in text for said in ("against", "Measured here", "The tutorial says", "the tutorial's one run"))


def test_every_row_has_as_many_cells_as_heads(report: Document) -> None:
    tables = [block for block in report.blocks if isinstance(block, Table)]
    assert len(tables) >= 5
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)


def test_the_page_fetches_nothing_and_its_links_lead_somewhere(page: Page) -> None:
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("img", "src"))
    assert len(page.attributes("img", "src")) == len(page.attributes("img", "alt")) == len(PICTURES)
    assert not page.attributes("script", "src")
    assert page.attributes("link", "href") == ["data:,"]
    inside = [address for address in page.attributes("a", "href") if address != STUDIES]
    assert len(inside) == 6
    assert len(page.attributes("a", "href")) == 7
    assert {anchor.removeprefix("#") for anchor in inside} == set(page.attributes("section", "id"))
    assert page.open == []


def test_both_pages_say_the_same(report: Document, page: Page) -> None:
    words = re.findall(
        r"\w+", re.sub(r"!\[.*?\]\(.*?\)|\]\(.*?\)|^\| ---.*$", "", markdown.render(report), flags=re.MULTILINE)
    )
    # The HTML names its sections twice, and a bar has its words as a label and its numbers alone as text.
    assert set(words) - set(page.words) <= {"learned", "unexplained"}
    labels = page.attributes("div", "aria-label")
    assert labels == ["9 learned, 1 unexplained", "10 unexplained"]


def test_text_is_escaped() -> None:
    hostile = Document("<i>", [Text("a <script>b</script> & `<c>`")], [Section("<d>", [Table(["<e>"], [["<f|g>"]])])])
    text = html.render(hostile, {})
    assert not re.search(r"<(script|c|d|e|f|i)\b", text.partition("<body>")[2].replace("<i class", ""))
    assert r"| <f\|g> |" in markdown.render(hostile)


def test_a_picture_is_shown_at_the_size_it_was_drawn_for(picture: bytes) -> None:
    assert html.shown_width(picture) == 3 * 96


def test_a_picture_that_was_not_drawn_is_not_mentioned(report: Document) -> None:
    assert {block.address for block in report.blocks if isinstance(block, Picture)} == set(PICTURES.values())


def test_a_bar_has_one_part_for_each_outcome_that_occurs(report: Document) -> None:
    bars = [cell for block in report.blocks if isinstance(block, Table) for row in block.rows for cell in row]
    assert [bar.parts for bar in bars if isinstance(bar, Bar)] == [
        {"learned": 9, "unexplained": 1},
        {"unexplained": 10},
    ]


RESTLESS = Cause(
    "restless",
    "rest",
    lambda evidence, params: evidence.gradient_ratio == 1,
    palette.YELLOW,
    lambda rows, bound: f"{len(rows)} never came to rest",
    lambda evidence: "It never came to rest.",
    means="there is too much of it",
    condition="`gradient_ratio` is 1",
    looks_like="A loss that never rests.",
    confused_with="Nothing.",
    advice=(),
    remedies=(Against("larger_batches", "calmer"),),
)
LARGER_BATCHES = Remedy("", lambda variant, epochs: {"training.batch_size": 64}, "a test")


@pytest.fixture
def one_more_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one place; it holds of every replica of a hand-made history, before `too_few_epochs` and `unexplained` do."""
    monkeypatch.setattr(causes, "TABLE", (*causes.TABLE[:-2], RESTLESS, *causes.TABLE[-2:]))
    monkeypatch.setitem(REMEDIES, "larger_batches", LARGER_BATCHES)


@pytest.mark.usefixtures("one_more_cause")
def test_a_new_row_of_the_table_of_causes_is_seen_everywhere(picture: bytes) -> None:
    made = evaluations()
    failed = made["b"]
    assert failed.metrics.outcomes["restless"] == 10
    assert list(failed.metrics.outcomes) == list(causes.outcome_names())
    assert failed.diagnosis.cause == "restless"
    said = "10 never came to rest. Vanishing gradients explain none of the 10 failures."
    assert said in failed.diagnosis.verdict
    assert [remedy.changes for remedy in failed.diagnosis.remedies] == ["training.batch_size: 64"]

    report = content.write(study(made, parameters(["b", "a"]), units=9))
    text = markdown.render(report)
    assert "9 learned, 1 restless" in text
    assert "| `a`, `b` | restless | `training.batch_size: 64` | not tried | calmer | a test |" in text
    page = html.render(report, dict.fromkeys(PICTURES.values(), picture))
    assert ".restless { background: #F0E442; color: #000; }" in page
    assert '<i class="restless"></i>restless' in page
    assert '<i class="born_dead">' not in page  # nobody's outcome here
    assert '<span class="restless" style="flex-grow: 10" title="10 restless">10</span>' in page

    bars = figures_of_variants.outcome_bars(
        comparison.variants_table(made), {name: each.metrics.outcomes for name, each in made.items()}
    )
    assert [text.get_text() for text in bars.legends[0].get_texts()] == ["learned", "restless"]
    assert to_hex(bars.axes[0].patches[1].get_facecolor()).upper() == palette.YELLOW
    row = failed.replicas.to_dict("records")[0]
    assert replica_payload(row, failed, {}).tags == {
        "outcome": "not_learned",
        "cause": "restless",
        COLOUR: palette.YELLOW,
    }
    cells = cells_table(
        made, recipes(), dict.fromkeys(made, Premises()), {"a": {}, "b": {"units": 9}}, {"a": 0, "b": 0}
    )
    assert cells.restless.tolist() == [1, 10]


def variants_compared(chosen: ComparisonParams) -> listed.Compared:
    """Both hand-made variants, of points that have no plane."""
    made = evaluations()
    histories = {"a": history([[0.5, 0.8]] * 9 + [[0.5, 0.5]]), "b": history([[0.5, 0.5]] * 10)}
    tables = comparison.compare(made, recipes(units=9), chosen)
    return listed.Compared(
        tables,
        chosen,
        accuracy_above(),
        dict.fromkeys(made, 2),
        made,
        histories,
        dict.fromkeys(made, xr.Dataset()),
        *three_numbers(),
    )


def three_numbers() -> tuple[RawData, Split, Origin]:
    """Rows that are no points of a plane."""
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 3)), columns=["x1", "x2", "x3"])
    raw = RawData(features, np.arange(8) % 2, BINARY, dict.fromkeys(features, "number"), {}, ("label",))
    params = SplitParams.model_validate({"train": 4, "scale": {"inputs": "none"}, "fit_scaler_on": "all"})
    return raw, *split(raw, SHIPPED.data, params)


def a_dot(compared: listed.Compared) -> Figure:
    """Of how many variants there are, which is all that it takes from them."""
    drawn = figure(2, 2)
    drawn.subplots().plot(len(compared.evaluations), 1, "o")
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("place", listed.Place)
def test_a_new_figure_of_the_list_is_drawn_and_stands_on_the_page(
    place: listed.Place, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every section: whatever is saved is shown."""
    dot = listed.ReportFigure("dot", place, "A dot, which says nothing", a_dot)
    nothing = listed.ReportFigure("nothing", place, "Does not apply", lambda compared: None)
    monkeypatch.setattr(listed, "FIGURES", (*listed.FIGURES, dot, nothing))
    chosen = parameters(["b", "a"])
    pictures = {name: f"{name}.png" for name, _ in listed.figures(variants_compared(chosen))}
    assert {"dot", "outcomes", "pair", "survival"} < set(pictures)
    assert not {"nothing", "surfaces"} & set(pictures)
    report = content.write(replace(study(evaluations(), chosen, units=9), pictures=pictures))
    shown = {block.address: block.description for block in report.blocks if isinstance(block, Picture)}
    assert set(shown) == set(pictures.values())
    assert shown["dot.png"] == "A dot, which says nothing"
    page = Page(html.render(report, dict.fromkeys(pictures.values(), picture)))
    assert "A dot, which says nothing" in page.attributes("img", "alt")
    (section,) = (each for each in report.sections if any(getattr(b, "address", "") == "dot.png" for b in each.blocks))
    assert list(listed.Place).index(place) == report.sections.index(section)


def test_without_a_pair_none_of_its_figures_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    dot = listed.ReportFigure("dot", listed.Place.PAIR, "A dot", a_dot)
    monkeypatch.setattr(listed, "FIGURES", (*listed.FIGURES, dot))
    assert [name for name, _ in listed.figures(variants_compared(ComparisonParams()))] == [
        *("data", "outcomes", "scores", "survival")
    ]


def test_a_picture_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(KeyError, match="stray"):
        content.write(replace(study(evaluations(), ComparisonParams()), pictures={"stray": "stray.png"}))


def test_every_figure_has_a_name_of_its_own_and_a_caption() -> None:
    entries = [(each.name, each.caption) for each in listed.FIGURES]
    assert len(dict(entries)) == len(entries)
    assert all(name and caption for name, caption in entries)


def tried_on(recipe: VariantParams, effect: str = "helps", **cell: object) -> dict[str, TriedStudy]:
    """One study of one cell, under the report's own conditions."""
    under = conditions(recipe, training(), "0123abc", accuracy_above())
    numbers = {"learned": 1, "replicas": 30, "difference": 0.3, "low": 0.1, "high": 0.4, "effect": effect}
    return {"s": TriedStudy(base="b", conditions=under, cells=[TriedCell(name="c", **{**numbers, **cell})])}


def test_a_suggestion_that_a_study_tried_shows_its_result() -> None:
    recipe = recipes(units=9)["a"]
    wider = {"units": WIDER * recipe.units}
    tried = tried_on(recipe, changes=wider)
    text = markdown.render(content.write(study(evaluations(), parameters(["b", "a"]), tried, units=9)))
    said = "tried: 1 of 30 learns, +30 points (+10 to +40): helps"
    assert f"| `a` | unexplained | `units: {wider['units']}` | {said} |" in text
    assert text.count("tried: ") == 1  # the other variant's recipe is another
    assert re.search(r"\n1 of these \d+ suggestions was tried, in a study", text)


def test_a_suggestion_about_the_data_is_none_that_a_cell_could_have_tried() -> None:
    recipe = recipes(units=9)["a"]
    studies = tried_on(recipe, changes={"units": 18})
    under = studies["s"].conditions
    assert result({"units": 18}, under, studies) is not None
    assert result({"units": 18, "split.scale.targets": "standard"}, under, studies) is None


def test_a_suggestion_that_another_variant_follows_shows_its_result() -> None:
    text = markdown.render(content.write(study(evaluations(), parameters(["b", "a"]), units=12)))
    assert "| `a` | unexplained | `units: 12` | tried: 0 of 10 learn, -90 points (-98 to -49): harms |" in text
    assert text.count("tried: ") == 1


def test_each_variant_has_its_suggestions_in_their_order_whatever_was_tried() -> None:
    made = {name: evaluations()["b"] for name in ("a", "b")}
    first, second = (f"`{remedy.changes}`" for remedy in made["a"].diagnosis.remedies[:2])
    tried = tried_on(recipes()["a"], changes={"units": 12})
    other = {"class_name": "RMSprop", "config": {}}
    report = content.write(study(made, parameters(["b", "a"]), tried, optimizer=other))
    (table,) = (each for each in report.blocks if isinstance(each, Table) and "reason" in each.columns)
    assert [(row[0], row[2]) for row in table.rows[:3]] == [("`a`", first), ("`b`", first), ("`a`, `b`", second)]


def theory_rows(made: Mapping[str, VariantEvaluation], **changes: object) -> list[str]:
    report = content.write(study(made, parameters(["b", "a"]), **changes))
    (table,) = (each for each in report.blocks if isinstance(each, Table) and "theory" in each.columns)
    return [row[0] for row in table.rows]


def test_variants_that_share_their_initial_weights_are_one_check_of_theory() -> None:
    fact = Expectation("share born dead", "at most 0.1", 0.2, 0.15, 0.3, False, "Lu")
    other = replace(fact, measured=0.3)
    made = {
        name: replace(each, diagnosis=replace(each.diagnosis, theory=[fact, other] if name == "a" else [fact]))
        for name, each in evaluations().items()
    }
    adam = {"class_name": "Adam", "config": {}}
    assert theory_rows(made, optimizer=adam) == ["`a`, `b` (same initial weights)", "`a`"]
    # The same numbers of other networks are a second check.
    assert theory_rows(made, units=9) == ["`a`", "`a`", "`b`"]
