"""All of params.yaml, checked before anything runs: a mistake in a late section should not wait for an hour.

Names and arguments of Keras's objects too, of the variants, and the files of networks; what a study's cells say is
checked before its first one trains. TensorFlow is imported only where a variant is not plain, or there is a network.
"""

from pipeline.data.sources import expect_source
from pipeline.data.tasks import Task
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read
from pipeline.training.trainable import expect_trainable

# What the data are is not known yet, and nothing that is checked depends on it.
TASK, INPUTS = Task("binary", ("0", "1")), 2


def main() -> None:
    """Check everything.

    Raises:
        UserError: the first fault.
    """
    params = read()
    expect_source(params.data)
    for name, variant in params.variants.items():
        expect_trainable(variant, INPUTS, TASK, f"variants.{name}")
    if params.networks:
        from pipeline.training.fit.builder import expect_build  # here, for TensorFlow takes seconds to import

        for name, network in params.networks.items():
            expect_build(name, network.recipe, (INPUTS,), TASK)


if __name__ == "__main__":
    with reported_in_one_line():
        main()
