"""Write one trained replica as a `.keras` file; the same replica gives the same bytes:

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

CHOSEN = {"median": median_replica, "best": best_replica}


def export(variant: str, replica: str, target: Path, params: Params) -> None:
    """Write a replica as a `.keras` file, chosen by its number or as `median` or `best` (see `evaluation.ranking`).

    Raises:
        UserError: the variant is not trained, there is no such replica, or `target` does not end in `.keras`.
    """
    if target.suffix != ".keras":
        raise UserError(f"{target}: must end in .keras")
    if replica not in CHOSEN and not replica.removeprefix("-").isdecimal():
        raise UserError(f"replica {replica}: must be a number, {' or '.join(CHOSEN)}")
    recipe = load_recipe(variant)
    score = rule_for(recipe.task, params.evaluation.learned).score
    number = CHOSEN[replica](load_history(variant), score) if replica in CHOSEN else int(replica)
    save_model(replica_model(variant, number), target)
    print(f"{target}: replica {number} of {variant}; takes {_takes(recipe)}, gives {recipe.task.says()}")


def main(variant: str, replica: str, target: Path) -> None:
    """Export a replica of a variant that was trained with today's params.yaml.

    Raises:
        UserError: there is no such variant, it was trained with other parameters, or as `export`.
    """
    params = read()
    params.recipe(variant)  # for its message, which names the nearest variant
    expect_recipe(variant, params)
    export(variant, replica, target, params)


def _takes(origin: Origin) -> str:
    if is_plain(origin.columns):
        return f"raw rows ({', '.join(each.name for each in origin.columns)})"
    named = (column.says(name) for name, column in zip(input_names(origin), origin.columns, strict=True))
    return f"raw rows, a map of columns: {', '.join(named)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write one replica's trained network as a Keras model.")
    parser.add_argument("variant", help="a variant of params.yaml that `dvc repro` has trained")
    parser.add_argument(
        "replica",
        help="its number, from 0; or median or best: on the validation set or, which flatters the best, the test set",
    )
    parser.add_argument("target", type=Path, help="the file to write, NAME.keras")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.variant, arguments.replica, arguments.target)
