"""All of params.yaml, checked before anything runs: a mistake in a late section should not wait for an hour.

Names and arguments of Keras's objects too, of the variants, and the files of networks; what a study's cells say is
checked before its first one trains. TensorFlow is imported only where a variant is not plain, or there is a network.

With `--networks` each network that is not trained as it is now is also built for the rows that it will get, and takes a
step: a fault in its file should not wait until the variants have trained.
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
from pipeline.remedies.registry import expect_known
from pipeline.training.common.trainable import expect_trainable

# What the data are is not known yet, and nothing that is checked depends on it.
TASK, INPUTS = Task("binary", ("0", "1")), 2


def main() -> None:
    """Check everything.

    Raises:
        UserError: the first fault.
    """
    params = read()
    expect_source(params.data)
    for name in params.studies:
        expect_known(params.study(name)[1])
    for name, variant in params.variants.items():
        expect_trainable(variant, INPUTS, TASK, f"variants.{name}")
    if params.networks:
        from pipeline.training.networks.builder import expect_build  # here, for TensorFlow takes seconds to import

        for name, network in params.networks.items():
            expect_build(name, network.recipe, (INPUTS,), TASK)


def expect_networks(split: Callable[[], object]) -> None:
    """Try each network that is not trained as it is now, in a process of its own: TensorFlow may take a whole GPU.

    Args:
        split: makes the rows that networks get; called only where a network is to be tried.

    Raises:
        SystemExit: a network cannot be trained; its process has printed why.
    """
    if not _untrained(read()):
        return
    split()
    code = subprocess.run([sys.executable, "-m", "pipeline.check", "--networks"], check=False).returncode
    if code:
        sys.exit(code)


def try_networks() -> None:
    """Build each network that is not trained as it is now, and take a step.

    Raises:
        UserError: a network cannot be built or trained, or saved and loaded.
    """
    params = read()
    names = _untrained(params)
    if names:
        from pipeline.training.networks.replica import expect_trainable as expect_network  # here, as above

        rows = load_split()
        for name in names:
            expect_network(name, params.networks[name].recipe, rows)


def _untrained(params: Params) -> list[str]:
    """The networks whose results are missing, or of another file or other parameters."""

    def is_trained(name: str) -> bool:
        try:
            expect_recipe(name, params)
        except UserError:
            return False
        return True

    return [name for name in params.networks if not is_trained(name)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python3 -m pipeline.check", description="Check all of params.yaml.")
    parser.add_argument("--networks", action="store_true", help="also build each network that is not trained yet")
    with_networks = parser.parse_args().networks
    with reported_in_one_line():
        main()
        if with_networks:
            try_networks()
