"""The parts of the data as MLflow's data sets, with what the profile says of them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from pipeline.data.profile import Profile, load_profile
from pipeline.foundations.formats import load_npz

CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}  # MLflow's names
LONGEST_SCHEMA = 1_000_000  # characters; MLflow refuses longer ones, of tables with 20,000 columns and more


def dataset_inputs(parts: Mapping[str, Path]) -> list[DatasetInput]:
    """Built by hand: MLflow's own `from_pandas` guesses the source, and warns of whole numbers.

    Args:
        parts: the files of the parts of the data, by name.

    Raises:
        UserError: the profile is missing or damaged.
    """
    found = load_profile()
    return [_dataset_input(part, path, found) for part, path in parts.items()]


def _dataset_input(part: str, path: Path, found: Profile) -> DatasetInput:
    schema = json.dumps(_schema(path))
    dataset = Dataset(
        name=path.stem,
        digest=hashlib.sha256(path.read_bytes()).hexdigest()[:8],
        source_type="local",
        source=json.dumps({"uri": str(path)}),
        schema=schema if len(schema) <= LONGEST_SCHEMA else None,
        profile=json.dumps(_profile(part, found)),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, CONTEXTS[part])])


def _schema(path: Path) -> dict[str, Any]:
    """As MLflow writes it of tables, or of arrays."""
    if path.suffix == ".npz":
        arrays = load_npz(path, "arrays of features and targets")
        specs = {name: TensorSpec(array.dtype, (-1, *array.shape[1:]), name) for name, array in arrays.items()}
        features = Schema([specs.pop("features")])
        return {"mlflow_tensorspec": {"features": features.to_json(), "targets": Schema([*specs.values()]).to_json()}}
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    columns = [ColSpec("long" if table[name].dtype.kind == "i" else "double", str(name)) for name in table]
    return {"mlflow_colspec": Schema(columns).to_dict()}


def _profile(part: str, found: Profile) -> dict[str, Any]:
    """What there is to know of a part; its rows under the name by which MLflow's pages show them."""
    of_targets = {"classes": found.shares[part]} if found.shares else {"targets": found.targets}
    return {
        "num_rows": found.rows[part],
        "features": found.features,
        "inputs": found.inputs,
        "task": found.task.in_words,
        **of_targets,
        "warnings": list(found.warnings),
    }
