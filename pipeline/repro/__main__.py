"""Run `make repro` and `make studies`: check params.yaml, run stale stages by DVC, publish, show the results."""

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

import pipeline.stages  # noqa: F401 -- reports what ends the next imports, and spares them Dask
from pipeline import check
from pipeline.evaluation.study_files import forget_tried
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read
from pipeline.report import results_table
from pipeline.report.files import PAGE, load_variants
from pipeline.repro import busy_files, dvc_lock, dvc_state

STUDIES = "studies/dvc.yaml"
RUNNING = re.compile(r"Running stage '(.+)':")
ADVICE = "Use `dvc push`"
ENDS_WITHIN = 20  # seconds for the follower to end: it removes its runs, perhaps from a slow store
REACHED_WITHIN = 5  # seconds for DVC and its stage to end if an interruption has reached them, too
INTERRUPTED_WITHIN = 20  # seconds for them to end after they were interrupted from here


@contextmanager
def following() -> Iterator[None]:
    """Run the follower, which shows long trainings in MLflow while they run; see `tracking.live`.

    The follower ends when its standard input closes, which also happens when this process is killed. Ctrl-C does not
    reach it.
    """
    command = [sys.executable, "-m", "pipeline.tracking.live", "--with-parent"]
    follower = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        if follower.stdin is not None:
            follower.stdin.close()
        try:
            follower.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            follower.kill()
            follower.wait()


def repro(*targets: str) -> list[str]:
    """Run `dvc repro`, and return the stages that it ran.

    DVC's output is printed, but its advice to push only if there is a remote.

    Raises:
        SystemExit: DVC was interrupted, or failed and has printed the reason.
    """
    stages: list[str] = []
    command = ["dvc", "repro", *targets]
    dvc_state.keep_private()
    busy_files.remove_if_abandoned()
    with (
        following(),
        dvc_lock.kept_whole() as keep,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as dvc,
    ):
        try:
            for line in dvc.stdout or ():
                if stage := RUNNING.match(line):
                    stages.append(stage[1])
                    keep()
                if not line.startswith(ADVICE) or _has_remote():
                    print(line, end="", flush=True)
            code = dvc.wait()
        except KeyboardInterrupt:
            _end(dvc)
            print(_interruption(stages), file=sys.stderr)
            sys.exit(130)
        if code:
            sys.exit(code)
    return stages


def _end(dvc: subprocess.Popen[str]) -> None:
    """Wait until DVC and its stage have ended after an interruption; where they go on, interrupt them, then kill them.

    Ctrl-C in a terminal reaches them, too. A signal from another program may have reached only this process.
    """
    for number, seconds in ((None, REACHED_WITHIN), (signal.SIGINT, INTERRUPTED_WITHIN), (signal.SIGKILL, None)):
        stage = _below(dvc.pid)
        if number is not None:
            dvc.send_signal(number)
            for process in stage:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        psutil.wait_procs(stage, seconds)
        with suppress(subprocess.TimeoutExpired):
            dvc.wait(seconds)
            return


def _below(number: int) -> list[psutil.Process]:
    """Return the processes that a process has started, and those that they have started."""
    try:
        return psutil.Process(number).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _interruption(stages: list[str]) -> str:
    if not stages:
        return "interrupted before any stage: run the same command again"
    stage = stages[-1].removeprefix(f"{STUDIES}:")
    note = "finished cells and stages are kept" if stage.startswith("study@") else "finished stages are kept"
    return f"interrupted in {stage}: {note}; run the same command again to finish"


def _has_remote() -> bool:
    return bool(subprocess.run(["dvc", "remote", "list"], capture_output=True, check=False).stdout.strip())


def show() -> None:
    """Print the table of results, the path of the report and the command for MLflow."""
    # A terminal of 80 columns has no room for the quartiles.
    rows = results_table.for_terminal(load_variants()).drop(columns="quartiles")
    table = Table(box=box.SIMPLE, padding=(0, 1))
    for column in rows:
        longest = max(len(text) for text in rows[column])
        table.add_column(column, min_width=longest)  # a header may wrap, a value may not
    for row in rows.itertuples(index=False):
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(f"Open {PAGE}; compare the runs in MLflow: [bold]make ui[/bold]")


def main(studies: bool) -> None:
    """Check params.yaml, run the stale stages, publish to MLflow, show the results.

    It publishes even if DVC finds nothing stale, because DVC does not notice that MLFLOW_TRACKING_URI names another
    store than before.

    Args:
        studies: whether to run the studies instead of the variants.
    """
    check.main()
    check.expect_networks(lambda: repro("split"))
    if studies:
        forget_tried(read().studies)
        repro(STUDIES)
        print("run `make repro` to add the results of the studies to the report")
        return
    if "track" not in repro():
        from pipeline.stages import track  # imported late: it takes a second

        track.main()
    show()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python3 -m pipeline.repro", description="Run what is stale, publish it to MLflow, show the results."
    )
    parser.add_argument("--studies", action="store_true", help="run the studies instead of the variants")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, because DVC must end as well
    with reported_in_one_line():
        main(arguments.studies)
