"""The code of a packaged model, which MLflow copies into the package and runs.

It stands between MLflow and a Keras model: it passes raw rows to the model and names the numbers of its answer. It
imports nothing from this project, so a package needs only the packages below.
"""

import importlib
import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # the only backend with text as an input

import keras
import mlflow
import numpy as np
import pandas as pd

ROWS = 10_000  # in a batch


# MLflow asks for type hints, but the signature already says everything.
warnings.filterwarnings("ignore", ".*Add type hints to the `predict` method", UserWarning)


class RawRows(mlflow.pyfunc.PythonModel):
    """A model that takes a table and returns a table of answers, one row for each row."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Load the model, and the columns that it takes and answers with."""
        classes = {
            name: getattr(importlib.import_module(module), name)  # MLflow has the user's files on the path
            for name, module in context.model_config["code"].items()
        }
        self._model = keras.saving.load_model(context.artifacts["model"], custom_objects=classes)
        self._columns = context.model_config["columns"]
        self._answer = context.model_config["answer"]
        self._classes = context.model_config["classes"]  # by label; empty for a regression

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return the answers; an absent column counts as missing in every row."""
        if isinstance(model_input, np.ndarray):
            return self._named(self._predicted({"": model_input}), None)
        table = pd.DataFrame(model_input)
        inputs = {each["input"]: _values(table, each).reshape(-1, 1) for each in self._columns}
        if not isinstance(self._model.input, dict):
            inputs = {"": np.concatenate(list(inputs.values()), axis=1).astype(np.float32)}
        return self._named(self._predicted(inputs), table.index)

    def _named(self, predictions: np.ndarray, index: pd.Index | None) -> pd.DataFrame:
        """Return predictions [row, output] with names.

        Of a classification these are the most probable class (of equal ones the first) and each class's probability.
        The single output of a binary task is the probability of the second class.
        """
        columns = list(predictions.T)
        if self._classes:
            if len(columns) == 1:
                columns = [1 - columns[0], columns[0]]
            likeliest = np.nan_to_num(np.stack(columns), nan=-1.0).argmax(axis=0)
            columns = [np.array(self._classes, object)[likeliest], *columns]
        return pd.DataFrame(dict(zip(self._answer, columns, strict=True)), index=index)

    def _predicted(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Return predictions [row, output]; `inputs` are by the model's names, or a single one under an empty name."""
        parts = []
        for start in range(0, max(len(next(iter(inputs.values()))), 1), ROWS):
            some = {name: column[start : start + ROWS] for name, column in inputs.items()}
            parts.append(keras.ops.convert_to_numpy(self._model(some.get("", some))))
        return np.concatenate(parts)


def _values(table: pd.DataFrame, column: dict[str, str | bool]) -> np.ndarray:
    """Return text, or numbers with NaN for missing values, [row].

    Raises:
        ValueError: a required value is missing, or a value is not a number.
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
