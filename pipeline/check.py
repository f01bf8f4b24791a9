"""Check all of params.yaml before anything runs, so that no mistake is reported only after an hour of training.

The check includes the names and arguments of variants' Keras objects, and the files of networks. The cells of a study
are checked before its first cell trains. TensorFlow is imported only if a variant or a network needs it.

`--networks` also builds each network whose results are missing or outdated, and takes one training step. Otherwise a
fault in its file would be reported only after all variants are trained.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable

from pipeline.data.sources import expect_source
from pipeline.data.split.files import load_split
from pipeline.data.split.tasks import Task
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.history.files import expect_recipe
from pipeline.params.params import Params, read
from pipeline.remedies.remedy_registry import expect_known
from pipeline.studies.cell_rows import expect_rows
from pipeline.training.common.trainable import expect_trainable

# Any task and number of inputs will do, because no check depends on the data, which have not been read yet.
TASK, INPUTS = Task("binary", ("0", "1")), 2


def main() -> None:
    """Check all of params.yaml.

    Raises:
        UserError: the first fault.
    """
    params = read()
    expect_source(params.data)
    for name in params.studies:
        cells = params.study(name)[1]
        expect_known(cells)
        expect_rows(cells)
    for name, variant in params.variants.items():
        expect_trainable(variant, INPUTS, TASK, f"variants.{name}")
    if params.networks:
        from pipeline.training.networks.builder import expect_build  # imported late: TensorFlow takes seconds

        for name, network in params.networks.items():
            expect_build(name, network.recipe, (INPUTS,), TASK)


def expect_networks(split: Callable[[], object]) -> None:
    """Try each network with missing or outdated results, in another process, because TensorFlow may take a whole GPU.

    Args:
        split: runs the stage that makes the networks' rows; called only if there is a network to try.

    Raises:
        SystemExit: a network cannot be trained; its process has printed the reason.
    """
    if not _untrained(read()):
        return
    split()
    code = subprocess.run([sys.executable, "-m", "pipeline.check", "--networks"], check=False).returncode
    if code:
        sys.exit(code)


def try_networks() -> None:
    """Build each network whose results are missing or outdated, and take one training step.

    Raises:
        UserError: a network cannot be built or trained, or saved and loaded.
    """
    params = read()
    names = _untrained(params)
    if names:
        from pipeline.training.networks.replica import expect_trainable as expect_network  # imported late, as above

        rows = load_split()
        for name in names:
            expect_network(name, params.networks[name].recipe, rows)


def _untrained(params: Params) -> list[str]:
    """Return the networks whose results are missing, or come from another file or from other parameters."""

    def is_trained(name: str) -> bool:
        try:
            expect_recipe(name, params)
        except UserError:
            return False
        return True

    return [name for name in params.networks if not is_trained(name)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python3 -m pipeline.check", description="Check all of params.yaml.")
    parser.add_argument(
        "--networks",
        action="store_true",
        help="also build each untrained network and take one step",
    )
    with_networks = parser.parse_args().networks
    with reported_in_one_line():
        main()
        if with_networks:
            try_networks()
