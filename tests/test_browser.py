"""What a person sees, in a real Chromium: the report, MLflow's pages and TensorBoard's. Pictures: `screenshots/`."""

from collections.abc import Iterator

import pytest
from browser import Browser, chromium, colours, opened
from workspace import Workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: install Debian's chromium, or set CHROMIUM"),
]

PAIR = ("relu_15", "relu_20")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The pair, trained for a few epochs and published."""
    workspace = Workspace.create(tmp_path_factory.mktemp("seen") / "study", *PAIR)
    workspace.repro()
    return workspace


@pytest.fixture
def browser() -> Iterator[Browser]:
    with opened() as page:
        yield page


def test_report_shows_its_figures_and_complains_of_nothing(study: Workspace, browser: Browser) -> None:
    browser.page.goto((study.folder / "reports" / "index.html").as_uri())
    assert [heading.inner_text() for heading in browser.page.locator("h2").all()] == [
        "What was asked",
        "Which networks learn",
        "relu_15 against relu_20",
        "Why",
        "What helps",
        "How it was run",
    ]
    pictures = browser.page.locator("img").all()
    assert len(pictures) >= 7
    for number, picture in enumerate(pictures):
        assert picture.evaluate("each => each.complete && each.naturalWidth > 200")
        path = study.folder / f"{number}.png"
        picture.screenshot(path=path)
        assert colours(path) > 50
    shown = browser.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert shown[0] <= shown[1]  # nothing to scroll to at the side
    browser.page.get_by_role("link", name="What helps").click()
    assert browser.page.url.endswith("#what-helps")
    browser.shoot("report", full=True)
    assert browser.complaints == []
