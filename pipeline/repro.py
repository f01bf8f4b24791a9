"""`make repro` and `make studies`: check params.yaml, let DVC run what is stale, publish, show the result."""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline import check, dvc_lock
from pipeline.evaluation.study_files import forget_tried
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read
from pipeline.report.content import results
from pipeline.report.files import PAGE, load_variants

STUDIES = "studies/dvc.yaml"
RUNNING = re.compile(r"Running stage '(.+)':")
ADVICE = "Use `dvc push`"
ENDS_WITHIN = 20  # seconds that the follower has to remove its runs from a store that is slow


@contextmanager
def following() -> Iterator[None]:
    """Beside the context, trainings that take long can be followed in MLflow; see `tracking.live`.

    Ctrl-C does not reach the follower. It ends with its input, and so also where this process is killed.
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
    """`dvc repro`, and the stages that it ran. Its advice to push is left out where there is nowhere to push to.

    Raises:
        SystemExit: interrupted; or a stage or DVC failed, which has said why.
    """
    ran: list[str] = []
    command = ["dvc", "repro", *targets]
    with (
        following(),
        dvc_lock.kept_whole() as keep,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as dvc,
    ):
        try:
            for line in dvc.stdout or ():
                if started := RUNNING.match(line):
                    ran.append(started[1])
                    keep()
                if not line.startswith(ADVICE) or _has_remote():
                    print(line, end="", flush=True)
            code = dvc.wait()
        except KeyboardInterrupt:  # DVC and its stage get it too, and say so
            dvc.wait()
            print(_interrupted(ran), file=sys.stderr)
            sys.exit(130)
        if code:
            sys.exit(code)
    return ran


def _interrupted(ran: list[str]) -> str:
    """What is lost, and what is not."""
    if not ran:
        return "interrupted before any stage: the same command starts anew"
    kept = "finished cells and stages are kept" if ran[-1].startswith("study@") else "finished stages are kept"
    return f"interrupted in {ran[-1]}: the same command starts it again; {kept}"


def _has_remote() -> bool:
    return bool(subprocess.run(["dvc", "remote", "list"], capture_output=True, check=False).stdout.strip())


def show() -> None:
    """The result in a terminal, and the commands that show more."""
    found = results(load_variants()).drop(columns="quartiles")  # eighty columns hold no more
    table = Table(box=box.SIMPLE, padding=(0, 1))
    for column in found:
        longest = max(len(text) for text in found[column])
        table.add_column(column, min_width=longest)  # a header may wrap, a value may not
    for row in found.itertuples(index=False):
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(f"Open {PAGE}; compare the runs in MLflow: [bold]make ui[/bold]")


def main(studies: bool) -> None:
    """Check, reproduce, publish, show.

    Publishing is asked for again where DVC had nothing to publish: it cannot know that MLFLOW_TRACKING_URI names
    another store now.
    """
    check.main()
    check.expect_networks(lambda: repro("split"))
    if studies:
        forget_tried(read().studies)
        repro(STUDIES)
        print("the report shows what was tried after `make repro`")
        return
    if "track" not in repro():
        from pipeline.stages import track  # here, for it takes a second to import

        track.main()
    show()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run what is stale, publish it to MLflow, show the result.")
    parser.add_argument("--studies", action="store_true", help="the studies in place of the variants")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.studies)
