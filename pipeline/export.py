"""Export any replica of a trained variant: `python3 -m pipeline.export relu_15 7 replica.keras`."""

import argparse
from pathlib import Path

from pipeline.artifacts.models import load_model, save_model
from pipeline.artifacts.runs import load_weights, median_path
from pipeline.errors import UserError, reported_in_one_line


def export(variant: str, replica: int, target: Path) -> None:
    """Write replica `replica` as a `.keras` file.

    Raises:
        UserError: the variant is not trained, there is no such replica, or `target` is not a `.keras` name.
    """
    if target.suffix != ".keras":
        raise UserError(f"{target}: must end in .keras")
    stacks = load_weights(variant)
    replicas = min(len(stack) for stack in stacks.values())
    if not 0 <= replica < replicas:
        raise UserError(f"replica {replica}: {variant} has {replicas}: must be 0 to {replicas - 1}")
    weights = {path: stack[replica] for path, stack in stacks.items()}
    save_model(load_model(median_path(variant)), weights, target)
    print(f"{target}: replica {replica} of {variant}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write one replica's trained network as a Keras model.")
    parser.add_argument("variant", help="a variant of params.yaml that `dvc repro` has trained")
    parser.add_argument("replica", type=int, help="its number, from 0")
    parser.add_argument("target", type=Path, help="the file to write, NAME.keras")
    arguments = parser.parse_args()
    with reported_in_one_line():
        export(arguments.variant, arguments.replica, arguments.target)
