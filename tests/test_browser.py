"""What a person sees, in a real Chromium: the report, MLflow's pages and TensorBoard's. Pictures: `screenshots/`."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import HASTY, Browser, chromium, colours, launched, opened
from following import FOLLOW, GO_ON, PATHS, TRAIN, WATCHED
from workspace import ROOT, WITHOUT_JOBS, Workspace, free_port, wait_until

from pipeline.params.params import read
from pipeline.tracking.tags import COMPLETE, LIVE, PAIR, VARIANT, search_for
from pipeline.tracking.tensorboard.open_tensorboard import HISTOGRAMS
from pipeline.tracking.ui import addresses

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Locator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: install Debian's chromium, or set CHROMIUM"),
]


@pytest.fixture(scope="module")
def running() -> Iterator["Chromium"]:
    with launched() as started:
        yield started


@pytest.fixture
def browser(running: "Chromium") -> Iterator[Browser]:
    with opened(running) as page:
        yield page


def test_report_shows_its_figures_and_complains_of_nothing(
    published: Workspace, browser: Browser, tmp_path: Path
) -> None:
    browser.page.goto((published.folder / "reports" / "index.html").as_uri())
    assert [heading.inner_text() for heading in browser.page.locator("h2").all()] == [
        "What was asked",
        "Which networks learn",
        "relu_2 against tanh_1",
        "Why",
        "What helps",
        "How it was run",
    ]
    pictures = browser.page.locator("img").all()
    assert len(pictures) >= 7
    for number, picture in enumerate(pictures):
        assert picture.evaluate("each => each.complete && each.naturalWidth > 200")
        path = tmp_path / f"{number}.png"
        picture.screenshot(path=path)
        assert colours(path) > 50
    shown = browser.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert shown[0] <= shown[1]  # nothing to scroll to at the side
    browser.page.get_by_role("link", name="What helps").click()
    assert browser.page.url.endswith("#what-helps")
    browser.shoot("report", full=True)
    assert browser.complaints == []


@pytest.fixture(scope="module")
def mlflow(published: Workspace) -> Iterator[str]:
    """A server of the workspace's store; its address."""
    port = free_port()
    store = ["--backend-store-uri", f"sqlite:///{published.database}"]
    command = ["mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with published.serving(f"http://127.0.0.1:{port}/health", *command, **WITHOUT_JOBS):
        yield f"http://127.0.0.1:{port}"


def search_charts(browser: Browser, name: str) -> "Locator":
    """Show the charts of this name alone, in the runs' page; return the first of them."""
    browser.page.get_by_placeholder("Search metric charts").fill(name)
    return browser.page.locator("[data-testid=experiment-view-compare-runs-card]").filter(has_text=name).first


def test_experiment_lays_curves_of_both_runs_over_each_other_and_their_figures_side_by_side(
    mlflow: str, browser: Browser
) -> None:
    """On the page of the pair, whose address `make ui` prints."""
    browser.page.goto(addresses.search_results(mlflow, "1", search_for(PAIR)))
    browser.shows("relu_2")
    browser.shows("tanh_1")
    for name in ("learned_share", "alive_share", "accuracy/test_median", "gradient_profile_log10/epoch_0000"):
        card = search_charts(browser, name)
        lines = card.locator("svg.main-svg .scatterlayer .trace")
        wait_until(lambda lines=lines: lines.count() >= 2, every=0.5)
        for variant in ("relu_2", "tanh_1"):
            card.get_by_text(variant).first.wait_for()
        browser.shoot(f"mlflow_{name.replace('/', '_')}")
    search_charts(browser, "figures/")
    images = browser.page.locator("img[src*='get-artifact']")

    def loaded() -> list[str]:
        """Return the addresses of the images that have arrived."""
        return images.evaluate_all("all => all.filter(each => each.naturalWidth > 400).map(each => each.src)")

    wait_until(lambda: len(loaded()) >= 4, every=0.5)
    browser.shoot("mlflow_images")
    sources = loaded()
    assert any("accuracy" in source for source in sources)
    assert any("gradients" in source for source in sources)
    assert len({source.partition("run_uuid=")[2][:32] for source in sources}) == 2


@pytest.mark.long
def test_comparison_names_both_and_has_parallel_coordinates(
    mlflow: str, published: Workspace, browser: Browser
) -> None:
    runs = {run.variant: run_id for run_id, run in published.runs().items()}
    browser.page.goto(addresses.comparison(mlflow, "1", [runs["relu_2"], runs["tanh_1"]]))
    browser.shows("Comparing 2 Runs")
    for text in ("relu_2", "tanh_1", "Parallel Coordinates Plot", "learned_rate"):
        browser.shows(text)
    browser.page.locator("svg.main-svg").first.wait_for()
    browser.shoot("mlflow_comparison")


@pytest.mark.long
def test_search_of_the_reference_finds_replicas(mlflow: str, published: Workspace, browser: Browser) -> None:
    """As a person would type it, with a cause and a depth that are there."""
    documented = "tags.cause = 'born_dead' and params.hidden_layers = '20'"
    assert documented in (published.folder / "docs" / "reference.md").read_text(encoding="utf-8")
    (run,) = (run for run in published.runs().values() if run.variant == "relu_2")
    causes = [child.tags["cause"] for child in run.children.values()]
    search = documented.replace("born_dead", causes[0]).replace("20", "2")
    expected = causes.count(causes[0])
    from playwright.sync_api import expect  # here, for `make unit` collects this module

    browser.page.goto(addresses.search_results(mlflow, "1", search))
    count = browser.page.get_by_text("matching run").first
    found = re.compile(rf"^\s*{expected + 1}\b")  # and their variant's run, which they are shown below
    expect(count).to_have_text(found, timeout=120_000)
    browser.shoot("mlflow_search")


def test_tensorboard_shows_histograms_of_gradients(published: Workspace, browser: Browser) -> None:
    """As `make tensorboard` serves them: the tags that the tutorial's reader looks for, and charts that are drawn."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with published.serving(
        address, "python3", "-m", "pipeline.tracking.tensorboard.open_tensorboard", "--port", str(port)
    ):
        browser.page.goto(f"{address}/#{HISTOGRAMS}")
        browser.shows("hidden_01/kernel/gradient_log10")
        browser.shows("relu_2/median_replica_")
        browser.shows("tanh_1/median_replica_")
        lines = browser.page.locator("svg path")
        wait_until(lambda: lines.count() > 40, every=1)  # of several charts, one line an epoch
        browser.shoot("tensorboard")


def vertices(browser: Browser, name: str) -> int:
    """Of the longest line that is drawn in the first chart with this name."""
    card = browser.page.locator("[data-testid=experiment-view-compare-runs-card]").filter(has_text=name).first
    if not card.count():
        return 0
    card.scroll_into_view_if_needed()
    lines = card.locator("svg.main-svg .scatterlayer .trace path.js-line").evaluate_all(
        "all => all.map(each => (each.getAttribute('d').match(/[ML]/g) || []).length)"
    )
    return max(lines, default=0)


LOSS, OWN = "loss/train_median", "accuracy/train_median"


@pytest.fixture
def server(empty_store: Path, tmp_path: Path) -> Iterator[str]:
    """Run MLflow's server on an empty store; return its address."""
    port = free_port()
    shutil.copy(empty_store, tmp_path / "store.db")
    address = f"http://127.0.0.1:{port}"
    command = ["mlflow", "server", "--backend-store-uri", f"sqlite:///{tmp_path / 'store.db'}"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with Workspace(tmp_path).serving(f"{address}/health", *command, **WITHOUT_JOBS):
        yield address


def see_them_grow(charts: dict[str, Browser], go_on: Path) -> None:
    """Let the trainings go on, and wait until the chart of this name on each page gets longer; a picture of each before
    and after."""
    first: dict[str, int] = {}
    for name, browser in charts.items():
        wait_until(lambda browser=browser, name=name: vertices(browser, name) >= 2, every=1)
        browser.shoot(f"mlflow_{name.replace('/', '_')}_early")
        first[name] = vertices(browser, name)
    go_on.touch()
    for name, browser in charts.items():
        wait_for_growth(browser, name, first[name] + 10)
        browser.shoot(f"mlflow_{name.replace('/', '_')}_later")


def wait_for_growth(browser: Browser, name: str, length: int) -> None:
    """Wait until the chart of this name has so many vertices.

    On a crowded machine MLflow's page may miss the answer to a request, and then asks no more: a user opens it again.
    """

    def is_long() -> bool:
        return vertices(browser, name) >= length

    try:
        wait_until(is_long, every=1)
    except TimeoutError:
        browser.page.reload()
        wait_until(is_long, every=1)


@pytest.mark.long
def test_trainings_grow_before_ones_eyes_and_a_live_run_gives_way_to_the_complete_run(
    server: str, browser: Browser, running: "Chromium", tmp_path: Path
) -> None:
    """On a server, which MLFLOW_TRACKING_URI names: the callback's own run, and a live run of the pipeline."""
    from mlflow import MlflowClient

    shutil.copy(ROOT / "params.yaml", tmp_path)
    workspace = Workspace(tmp_path)
    client = MlflowClient(tracking_uri=server)
    with (
        opened(running) as beside,
        workspace.running(*WATCHED, **PATHS, MLFLOW_TRACKING_URI=server),
        workspace.running(*TRAIN, **PATHS) as training,
        workspace.running(*FOLLOW, **PATHS, MLFLOW_TRACKING_URI=server),
    ):
        for each in (browser, beside):
            each.page.add_init_script(HASTY)
        name = read(tmp_path / "params.yaml").tracking.experiment
        wait_until(lambda: client.get_experiment_by_name(name) is not None)
        number = client.get_experiment_by_name(name).experiment_id
        wait_until(lambda: bool(client.search_runs([number])))
        browser.page.goto(addresses.search_results(server, number, search_for(LIVE)))
        browser.shows("v (live)")
        wait_until(lambda: any(run.data.metrics for run in client.search_runs(["0"])))
        beside.page.goto(addresses.search_results(server, "0", "attributes.status = 'RUNNING'"))
        see_them_grow({LOSS: browser, OWN: beside}, tmp_path / GO_ON)
        training.terminate()
        run = client.create_run(number, tags={COMPLETE: "true", VARIANT: "v"}, run_name="v")
        client.log_metric(run.info.run_id, LOSS, 0.5)
        wait_until(lambda: [each.info.run_name for each in client.search_runs([number])] == ["v"])
        browser.page.goto(addresses.search_results(server, number, search_for(COMPLETE)))
        browser.page.get_by_text("v", exact=True).locator("visible=true").first.wait_for()
        assert browser.page.get_by_text("v (live)").count() == 0
        browser.shoot("mlflow_live_complete")
