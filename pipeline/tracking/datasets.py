"""Describe the parts of the data as MLflow data sets, each with its profile."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from pipeline.data.profile import Profile, load_profile
from pipeline.foundations.files import reading
from pipeline.foundations.formats import load_npz
from pipeline.params.file import Plain

CONTEXTS = {"train": "training", "validation": "validation", "test": "testing"}  # MLflow's names
LONGEST_SCHEMA = 1_000_000  # characters; MLflow rejects a longer schema, as of a table with 20,000 columns


def dataset_inputs(parts: Mapping[str, Path]) -> list[DatasetInput]:
    """Return the parts of the data as MLflow data sets.

    MLflow's own `from_pandas` is not used: it would guess the source and warn about whole numbers.

    Args:
        parts: the file of each part of the data, by the part's name.

    Raises:
        UserError: the profile is missing or damaged.
    """
    profile = load_profile()
    return [_dataset_input(part, path, profile) for part, path in parts.items()]


def _dataset_input(part: str, path: Path, profile: Profile) -> DatasetInput:
    schema = json.dumps(_schema(path))
    dataset = Dataset(
        name=path.stem,
        digest=hashlib.sha256(path.read_bytes()).hexdigest()[:8],
        source_type="local",
        source=json.dumps({"uri": str(path)}),
        schema=schema if len(schema) <= LONGEST_SCHEMA else None,
        profile=json.dumps(_profile(part, profile)),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, CONTEXTS[part])])


def _schema(path: Path) -> Mapping[str, Plain]:
    """Return the schema of a table or of arrays, in MLflow's format."""
    if path.suffix == ".npz":
        arrays = load_npz(path, "arrays of features and targets")
        specs = {name: TensorSpec(array.dtype, (-1, *array.shape[1:]), name) for name, array in arrays.items()}
        features = Schema([specs.pop("features")])
        return {"mlflow_tensorspec": {"features": features.to_json(), "targets": Schema([*specs.values()]).to_json()}}
    with reading(path, "a table"):
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    columns = [ColSpec("long" if table[name].dtype.kind == "i" else "double", str(name)) for name in table]
    return {"mlflow_colspec": Schema(columns).to_dict()}


def _profile(part: str, profile: Profile) -> Mapping[str, Plain]:
    """Return the profile of a part; MLflow's pages show the number of rows under the name `num_rows`."""
    targets: Mapping[str, Plain] = profile.shares[part] if profile.shares else profile.targets
    return {
        "num_rows": profile.rows[part],
        "features": profile.features,
        "inputs": profile.inputs,
        "task": profile.task.in_words,
        "classes" if profile.shares else "targets": targets,
        "warnings": profile.warnings,
    }
