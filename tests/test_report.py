"""The report: it says what the numbers say, the HTML file needs nothing else, and Markdown says the same."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

import pytest
from conftest import training
from test_evaluation import evaluated, evaluations, history, parameters, recipes

from pipeline.artifacts.figures import save_figure
from pipeline.comparison import comparison
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison import ComparisonParams
from pipeline.plots.style import figure
from pipeline.report import content
from pipeline.report.content import Study
from pipeline.report.rendering import html, markdown
from pipeline.report.rendering.document import Bar, Document, Picture, Section, Table, Text

SHARED = {
    "data": {"generator": "make_circles", "samples": 80},
    "split": {"train_samples": 52},
    "training": training().model_dump(),
    "evaluation": {"learned_accuracy": 0.75},
}
STUDIES = "../studies"
PICTURES = {"scatter": "../data/points.png", "outcomes": "outcomes.png"}


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


def study(made: Mapping[str, VariantEvaluation], params: ComparisonParams, **changes: object) -> Study:
    used = {name: recipe for name, recipe in recipes(**changes).items() if name in made}
    tables = comparison.compare(made, used, params)
    metrics = {name: each.metrics for name, each in made.items()}
    return Study(tables, params, metrics, used, SHARED, "0123abc", {"keras": ["3.15"]}, PICTURES, STUDIES)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("picture") / "small.png"
    drawn = figure(3, 2)
    drawn.subplots()
    save_figure(drawn, path)
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
    assert "* **Most do not:** `b` (0 of 10, mainly stuck)." in text
    assert "| `a` | 9 of 10 | 60 to 98% | 0.800 (0.800 to 0.800) | 9 learned, 1 stuck | 0.300, does not learn |" in text
    assert "* **v: 0 of 10 replicas learn (0 to 28%).** 10 are alive but stuck" in text
    assert "The learned share of `b` less that of `a` is -90 points (-98 to -49)" in text
    assert "| `b` to `a` | `units: 9 -> 3` | 0 of 10, 9 of 10 | +90 points (+49 to +98) |" in text
    assert "| stuck | `units: 6` |" in text
    assert "Trained with keras 3.15" in text


def test_a_difference_that_may_be_none_is_said_to_be_undecided() -> None:
    made = {
        name: evaluated(history([[0.5, 0.8]] * learned + [[0.5, 0.5]] * 5)) for name, learned in (("a", 5), ("b", 4))
    }
    text = markdown.render(content.write(study(made, parameters(["a", "b"]), units=9)))
    assert "**Undecided:** `a` (5 of 10, mainly stuck), `b` (4 of 9, mainly stuck)." in text
    assert "do not tell which of them learns more often" in text
    assert "undecided |" in text


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
    assert set(words) - set(page.words) <= {"learned", "stuck"}
    labels = page.attributes("div", "aria-label")
    assert labels == ["9 learned, 1 stuck", "10 stuck"]


def test_text_is_escaped() -> None:
    hostile = Document("<i>", [Text("a <script>b</script> & `<c>`")], [Section("<d>", [Table(["<e>"], [["<f|g>"]])])])
    text = html.render(hostile, {})
    assert not re.search(r"<(script|c|d|e|f|i)\b", text.partition("<body>")[2].replace("<i class", ""))
    assert r"| <f\|g> |" in markdown.render(hostile)


def test_a_picture_is_shown_at_the_size_it_was_drawn_for(picture: bytes) -> None:
    assert html.shown_width(picture) == 3 * 96


def test_a_picture_that_was_not_drawn_is_not_mentioned(report: Document) -> None:
    assert {block.address for block in report.blocks if isinstance(block, Picture)} == set(PICTURES.values())


def test_a_bar_has_one_part_for_each_fate_that_occurs(report: Document) -> None:
    bars = [cell for block in report.blocks if isinstance(block, Table) for row in block.rows for cell in row]
    assert [bar.parts for bar in bars if isinstance(bar, Bar)] == [{"learned": 9, "stuck": 1}, {"stuck": 10}]
