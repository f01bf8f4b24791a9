"""`make tensorboard`: write event files from the histories, and serve them in TensorBoard on this machine.

This trains nothing and does not import TensorFlow.
"""

import argparse
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import ModuleType

from tensorboard import default, program
from tensorboard.compat.proto.event_pb2 import Event

from pipeline.evaluation.files import load_evaluation
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.history.files import expect_recipe, load_history
from pipeline.params.params import Params, read
from pipeline.tracking.tensorboard.chosen_replicas import chosen
from pipeline.tracking.tensorboard.files import EVENTS, save_events
from pipeline.tracking.tensorboard.summaries import events
from pipeline.tracking.ui.addresses import open_page

# Addresses of the pages to open first. Histograms of log10 |g| show at a glance which gradients vanish or are zero.
HISTOGRAMS = "histograms&tagFilter=gradient_log10"
CURVES = "timeseries"


def write() -> str:
    """Write the events of all variants of params.yaml; return TensorBoard's page to open first.

    Raises:
        UserError: a variant is not trained or evaluated as params.yaml says, or a chosen replica does not exist.
    """
    params = read()
    training = params.training
    names = save_events(_runs(params))
    content = "histograms and curves" if training.histograms else "curves only, because training.histograms is false"
    print(f"{len(names)} runs -> {EVENTS}: {content}")
    return HISTOGRAMS if training.histograms else CURVES


def _runs(params: Params) -> Iterator[tuple[str, Iterable[Event]]]:
    for variant in params.recipes:
        expect_recipe(variant, params)
        history, evaluation = load_history(variant), load_evaluation(variant)
        table, score = evaluation.replicas, evaluation.rule.score
        if table.replica.tolist() != history.replica.values.tolist():
            raise UserError(f"{variant}: its evaluation and its history have different replicas: run `dvc repro` first")
        for name, position in chosen(params.tensorboard.replicas, history, table, score).items():
            yield f"{variant}/{name}", events(history, position)


def serve(host: str, port: int | None, page: str) -> str:
    """Start TensorBoard in a thread of this process; return its address.

    Args:
        port: None for TensorBoard's default port or, if that is taken, the next free port.

    Raises:
        UserError: the port is taken or is not a port.
    """
    if port is not None and not 0 <= port <= 65535:
        raise UserError(f"--port: {port}: must be 0 to 65535; 0 takes any free port")
    # Without this module, TensorBoard would import TensorFlow for cloud file systems, which takes 8 s.
    sys.modules["tensorboard.compat.notf"] = ModuleType("tensorboard.compat.notf")
    server = program.TensorBoard(plugins=default.get_plugins())
    options = ["--host", host, *([] if port is None else ["--port", str(port)])]
    server.configure(["tensorboard", "--logdir", str(EVENTS), *options])
    try:
        address = server.launch()
    except program.TensorBoardServerException as error:
        raise UserError(f"{error.msg}: must be a free port of this machine; choose another with PORT=") from None
    return f"{address.rstrip('/')}/#{page}"


def main(host: str, port: int | None) -> None:
    """Write the events, serve them, open a browser if there is a display, and wait for Ctrl-C."""
    address = serve(host, port, write())
    print(f"TensorBoard: {address}; stop it with Ctrl-C", flush=True)
    open_page(address)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Look at gradients and weights in TensorBoard's pages.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=None)
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.host, arguments.port)
