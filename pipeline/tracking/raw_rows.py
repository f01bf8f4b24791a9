"""The code of a packaged model: MLflow takes a copy into the package and runs that.

It stands between MLflow and a Keras model: raw rows go in as the model takes them, and its numbers come out by name. So
it needs these packages and nothing of this project.
"""

import importlib
import os
import warnings
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # text can be an input with no other

import keras
import mlflow
import numpy as np
import pandas as pd

ROWS = 10_000  # at a time


# MLflow asks for type hints where a signature says it all.
warnings.filterwarnings("ignore", ".*Add type hints to the `predict` method", UserWarning)


class RawRows(mlflow.pyfunc.PythonModel):
    """A table in; a table of answers out, one row for each."""

    def load_context(self, context: Any) -> None:
        """Load the model, and what the columns are that it takes and answers with."""
        classes = {
            name: getattr(importlib.import_module(module), name)  # MLflow has the user's files on the path
            for name, module in context.model_config["code"].items()
        }
        self._model = keras.saving.load_model(context.artifacts["model"], custom_objects=classes)
        self._columns = context.model_config["columns"]
        self._answer = context.model_config["answer"]
        self._classes = context.model_config["classes"]  # by label; none of a regression

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """A column that is not there is missing in every row."""
        if isinstance(model_input, np.ndarray):
            return self._named(self._predicted({"": model_input}), None)
        table = pd.DataFrame(model_input)
        given = {each["input"]: _values(table, each).reshape(-1, 1) for each in self._columns}
        if not isinstance(self._model.input, dict):
            given = {"": np.concatenate(list(given.values()), axis=1).astype(np.float32)}
        return self._named(self._predicted(given), table.index)

    def _named(self, predictions: np.ndarray, index: pd.Index | None) -> pd.DataFrame:
        """Name the predictions [row, output]: of classes the most probable one (of equals the first), and each one's
        probability; of a binary task the output is the probability of the second class."""
        columns = list(predictions.T)
        if self._classes:
            if len(columns) == 1:
                columns = [1 - columns[0], columns[0]]
            likeliest = np.nan_to_num(np.stack(columns), nan=-1.0).argmax(axis=0)
            columns = [np.array(self._classes, object)[likeliest], *columns]
        return pd.DataFrame(dict(zip(self._answer, columns, strict=True)), index=index)

    def _predicted(self, given: dict[str, np.ndarray]) -> np.ndarray:
        """Args: `given` by the model's inputs, or the only one under an empty name."""
        parts = []
        for start in range(0, max(len(next(iter(given.values()))), 1), ROWS):
            some = {name: column[start : start + ROWS] for name, column in given.items()}
            parts.append(keras.ops.convert_to_numpy(self._model(some.get("", some))))
        return np.concatenate(parts)


def _values(table: pd.DataFrame, column: dict[str, Any]) -> np.ndarray:
    """Text, or numbers with NaN for what is missing, [row].

    Raises:
        ValueError: something is missing that must be there, or is no number.
    """
    name = column["name"]
    values = table[name].astype(object) if name in table else pd.Series(None, table.index, object)
    missing = values.isna()
    if missing.any() and not column["optional"]:
        raise ValueError(f"column {name}: {missing.sum()} of {len(values)} values are missing: must be there")
    if column["kind"] == "category":
        return values.map(str).mask(missing, column["missing"]).to_numpy(object)
    try:
        return values.mask(missing, np.nan).to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name}: {error}: must be numbers") from None


mlflow.models.set_model(RawRows())
