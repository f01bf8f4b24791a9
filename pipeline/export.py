"""Export any replica of a trained variant as a Keras model: `python3 -m pipeline.export relu_15 7 replica.keras`."""

import argparse
from pathlib import Path

from pipeline.artifacts.models import replica_model, save_model
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.history.record import best_replica, median_replica
from pipeline.history.runs import expect_recipe, load_history, load_scaling
from pipeline.params.params import read

CHOSEN = {"median": median_replica, "best": best_replica}


def export(variant: str, replica: str, target: Path) -> None:
    """Write a replica, by its number or as `median` or `best` by final test accuracy, as a `.keras` file.

    Raises:
        UserError: the variant is not trained, there is no such replica, or `target` is not a `.keras` name.
    """
    if target.suffix != ".keras":
        raise UserError(f"{target}: must end in .keras")
    if replica not in CHOSEN and not replica.removeprefix("-").isdecimal():
        raise UserError(f"replica {replica}: must be a number, {' or '.join(CHOSEN)}")
    number = CHOSEN[replica](load_history(variant)) if replica in CHOSEN else int(replica)
    save_model(replica_model(variant, number), target)
    columns = ", ".join(load_scaling(variant).names)
    print(f"{target}: replica {number} of {variant}; takes raw points ({columns}), gives P(label = 1)")


def main(variant: str, replica: str, target: Path) -> None:
    """Export a replica of a variant of params.yaml, as it says now.

    Raises:
        UserError: there is no such variant, or it was trained with other parameters; and as `export`.
    """
    expect_recipe(variant, read().trained_with(variant))
    export(variant, replica, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write one replica's trained network as a Keras model.")
    parser.add_argument("variant", help="a variant of params.yaml that `dvc repro` has trained")
    parser.add_argument("replica", help="its number, from 0; or median, or best (which flatters it: by the test set)")
    parser.add_argument("target", type=Path, help="the file to write, NAME.keras")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.variant, arguments.replica, arguments.target)
