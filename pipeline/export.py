"""Export one trained replica as a `.keras` file.

The same replica always gives the same bytes. Usage:

python3 -m pipeline.export relu_15 7 replica.keras
"""

import argparse
from pathlib import Path

from pipeline.data.split.samples import Origin, is_plain
from pipeline.evaluation.learned import rule_for
from pipeline.evaluation.ranking import best_replica, median_replica
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.history.files import expect_recipe, load_history, load_recipe
from pipeline.models.preprocessing import input_names
from pipeline.params.params import Params, read
from pipeline.training.networks.trained_model import replica_model, save_model

SELECTORS = {"median": median_replica, "best": best_replica}


def export(variant: str, replica: str, target: Path, params: Params) -> None:
    """Write one replica as a `.keras` file.

    Args:
        replica: its number, or `median` or `best` by the rule of `evaluation.ranking`.

    Raises:
        UserError: the variant is not trained, there is no replica of this number, or `target` does not end in `.keras`.
    """
    if target.suffix != ".keras":
        raise UserError(f"{target}: the file name must end in .keras")
    if replica not in SELECTORS and not replica.removeprefix("-").isdecimal():
        raise UserError(f"replica {replica}: must be a number, {' or '.join(SELECTORS)}")
    recipe = load_recipe(variant)
    score = rule_for(recipe.task, params.evaluation.learned).score
    number = SELECTORS[replica](load_history(variant), score) if replica in SELECTORS else int(replica)
    save_model(replica_model(variant, number), target)
    print(f"{target}: replica {number} of {variant}; takes {_inputs_in_words(recipe)}, gives {recipe.task.says()}")


def main(variant: str, replica: str, target: Path) -> None:
    """Export a replica of a variant that was trained with the present params.yaml.

    Raises:
        UserError: there is no such variant, it was trained with other parameters, or one of the errors of `export`.
    """
    params = read()
    params.recipe(variant)  # raises an error that names the most similar variant
    expect_recipe(variant, params)
    export(variant, replica, target, params)


def _inputs_in_words(origin: Origin) -> str:
    """Describe the inputs of the exported model."""
    if is_plain(origin.columns):
        return f"raw rows ({', '.join(each.name for each in origin.columns)})"
    columns = (column.says(name) for name, column in zip(input_names(origin), origin.columns, strict=True))
    return f"raw rows, a map of columns: {', '.join(columns)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write one replica's trained network as a Keras model.")
    parser.add_argument("variant", help="a variant of params.yaml that `dvc repro` has trained")
    parser.add_argument(
        "replica",
        help="the number of the replica, from 0; or median or best, chosen on the validation set, or else on the "
        "test set (which makes the test score of the best too good)",
    )
    parser.add_argument("target", type=Path, help="the file to write, NAME.keras")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.variant, arguments.replica, arguments.target)
