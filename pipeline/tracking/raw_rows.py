"""The script of a packaged model: MLflow copies this file into the package and runs it there.

It passes raw rows from MLflow to the Keras model, and names the numbers that the model returns. It imports nothing from
this project, so a packaged model needs only the libraries imported below.
"""

import importlib
import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # the only backend that accepts text as an input

import keras
import mlflow
import numpy as np
import pandas as pd

BATCH_ROWS = 10_000  # rows that the model takes at once

# MLflow asks for type hints, but the signature already states the types.
warnings.filterwarnings("ignore", ".*Add type hints to the `predict` method", UserWarning)


class RawRows(mlflow.pyfunc.PythonModel):
    """A model that takes a table and returns a table with an answer for each row."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Load the model and the names of its input and answer columns."""
        classes = {
            name: getattr(importlib.import_module(module), name)  # MLflow has put the user's files on the path
            for name, module in context.model_config["code"].items()
        }
        self._model = keras.saving.load_model(context.artifacts["model"], custom_objects=classes)
        self._columns = context.model_config["columns"]
        self._answer = context.model_config["answer"]
        self._classes = context.model_config["classes"]  # by label; empty for a regression

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return an answer for each row. If a column is absent, all its values count as missing."""
        if isinstance(model_input, np.ndarray):
            return self._with_names(self._predict({"": model_input}), None)
        table = pd.DataFrame(model_input)
        inputs = {each["input"]: _values(table, each).reshape(-1, 1) for each in self._columns}
        if not isinstance(self._model.input, dict):
            inputs = {"": np.concatenate(list(inputs.values()), axis=1).astype(np.float32)}
        return self._with_names(self._predict(inputs), table.index)

    def _with_names(self, predictions: np.ndarray, index: pd.Index | None) -> pd.DataFrame:
        """Return the table of answers from predictions [row, output].

        For a classification its columns are the most probable class (of equals, the first) and the probability of each
        class. The single output of a binary task is the probability of the second class.
        """
        columns = list(predictions.T)
        if self._classes:
            if len(columns) == 1:
                columns = [1 - columns[0], columns[0]]
            labels = np.nan_to_num(np.stack(columns), nan=-1.0).argmax(axis=0)
            columns = [np.array(self._classes, object)[labels], *columns]
        return pd.DataFrame(dict(zip(self._answer, columns, strict=True)), index=index)

    def _predict(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Return predictions [row, output] from the model's inputs by name; the name of a single input is empty."""
        predictions = []
        for start in range(0, max(len(next(iter(inputs.values()))), 1), BATCH_ROWS):
            batch = {name: column[start : start + BATCH_ROWS] for name, column in inputs.items()}
            predictions.append(keras.ops.convert_to_numpy(self._model(batch.get("", batch))))
        return np.concatenate(predictions)


def _values(table: pd.DataFrame, column: dict[str, str | bool]) -> np.ndarray:
    """Return a column's values [row]: text, or numbers with NaN for missing values.

    Raises:
        ValueError: a required value is missing, or a value is not a number.
    """
    name = column["name"]
    values = table[name].astype(object) if name in table else pd.Series(None, table.index, object)
    missing = values.isna()
    if missing.any() and not column["optional"]:
        raise ValueError(
            f"column {name}: {missing.sum()} of {len(values)} values are missing: give a value in every row"
        )
    if column["kind"] == "category":
        return values.map(str).mask(missing, column["missing"]).to_numpy(object)
    try:
        return values.mask(missing, np.nan).to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name}: {error}: all values must be numbers") from None


mlflow.models.set_model(RawRows())
