"""Build the addresses of pages of MLflow's UI that compare runs, and open a page in a browser."""

import json
import os
import sys
import webbrowser
from collections.abc import Sequence
from urllib.parse import quote

# Without the first, the UI opens in its mode for language models, without charts; without the second, a server that has
# workspaces, as a team's server, shows the list of these instead. Other servers ignore it.
MODE = "workflowType=machine_learning&workspace=default"


def search_results(base: str, experiment_id: str, search: str) -> str:
    """Return the address of a page with the runs that a search finds, and their charts."""
    return f"{base}/#/experiments/{experiment_id}/runs?compareRunsMode=CHART&{MODE}&searchFilter={quote(search)}"


def open_page(page: str) -> None:
    """Open a page in a web browser, if there is a display."""
    has_display = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if has_display and not os.environ.get("CI"):
        webbrowser.open(page)


def comparison(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """Return the address of a page with runs side by side: parameters, metrics, and plots that compare them."""
    runs, experiments = (quote(json.dumps(ids, separators=(",", ":"))) for ids in (list(run_ids), [experiment_id]))
    return f"{base}/#/compare-runs?runs={runs}&experiments={experiments}&{MODE}"
