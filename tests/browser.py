"""A real Chromium, headless, on pages that the pipeline made or filled."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from workspace import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

SCREENSHOTS = ROOT / "screenshots"  # left after a test run, to be looked at
SIZE = {"width": 1500, "height": 1100}
# No sandbox, for a container's root may not make one; and nothing that would look for a network.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

QUIET = (
    "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');"
    "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');"
)

# MLflow's pages look for new points of a curve every 30 seconds.
HASTY = """for (const name of ["setInterval", "setTimeout"]) {
    const real = window[name];
    window[name] = (work, wait, ...more) => real(work, wait === 30000 ? 3000 : wait, ...more);
}"""


def chromium() -> str | None:
    """Where it is: CHROMIUM in the environment, or by one of its names."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Browser:
    """One page, and what went wrong on it."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(120_000)  # the machines are shared: a slow moment is no fault
        # MLflow greets a new browser with a panel over its charts.
        page.add_init_script(f"if (location.protocol.startsWith('http')) {{ {QUIET} }}")
        page.on("console", lambda message: self._complain(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def shoot(self, name: str, full: bool = False) -> Path:
        """Keep a picture of the page as it is."""
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=full)
        return path

    def shows(self, text: str, seconds: float = 120) -> None:
        """Wait until some element that can be seen has the text.

        Raises:
            playwright's TimeoutError: none has.
        """
        self.page.get_by_text(text).locator("visible=true").first.wait_for(timeout=1000 * seconds)


@contextmanager
def launched() -> Iterator["Chromium"]:
    """Chromium, until the context ends."""
    from playwright.sync_api import sync_playwright  # here, for `make unit` collects what imports this module

    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(chromium: "Chromium") -> Iterator[Browser]:
    """An empty page, which knows nothing of those before it, until the context ends."""
    page = chromium.new_page(viewport=SIZE)
    try:
        yield Browser(page)
    finally:
        page.close()


def colours(path: Path) -> int:
    """How many different colours a picture has: a blank one has one."""
    with Image.open(path) as picture:
        small = picture.convert("RGB")
        return len(small.getcolors(maxcolors=small.width * small.height))
