"""Changes of calls in a user's script, written as a diff: each is applied by `patch` and parsed."""

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.watch.scripts.script_diff import diff
from pipeline.watch.scripts.source_changes import Change

SCRIPT = """
import keras
# ä, so that bytes and characters differ
opt = keras.optimizers.SGD(
    0.1,
    momentum=0.9,
)
layers = keras.layers.Dense(4, kernel_regularizer="l2", bias_regularizer="l2"), keras.layers.Dropout(0.9)
model.compile(opt, "mse")
stop = keras.callbacks.EarlyStopping(patience=1)
model.fit(x, y, 32, 10, callbacks=[keras.callbacks.EarlyStopping(), keras.callbacks.CSVLogger("ä.csv")],
          shuffle=False, verbose=0)
other.compile("sgd", "mse")
other.fit(x, y, callbacks=[stop])
third.compile(optimizer=make(), loss="mse")
third.fit(x, **options)"""

LINES = SCRIPT.splitlines()
FIT, OTHER, THIRD = (
    next(n for n, line in enumerate(LINES, 1) if line.startswith(f"{each}.fit")) for each in ("model", "other", "third")
)


def changes(path: Path, *rows: tuple[Any, ...]) -> list[Change]:
    """Return changes of the script at a path."""
    return [Change(where, str(path), *rest) for where, *rest in rows]


CASES: dict[str, tuple[list[tuple[Any, ...]], str]] = {
    "by position": ([("fit", FIT, "epochs", "40", 3)], "+model.fit(x, y, 32, 40, callbacks"),
    "new": ([("fit", FIT, "class_weight", "{0: 1}", 9)], "verbose=0, class_weight={0: 1})"),
    "replaced": ([("fit", FIT, "shuffle", "True", 8)], "+          shuffle=True, verbose=0)"),
    "removed": ([("fit", FIT, "shuffle", None, 8)], 'CSVLogger("ä.csv")],\n-          shuffle=False, verbose=0)\n'),
    "a callback": ([("callbacks", FIT, "callbacks", None, 5, "EarlyStopping")], "callbacks=[keras.callbacks.CSVLogger"),
    "an optimizer by name": ([("optimizer", FIT - 2, "learning_rate", "0.01", 0, "SGD")], "+    0.01,"),
    "an optimizer's new argument": (
        [("optimizer", FIT - 2, "clipnorm", "1.0", -1, "SGD")],
        "momentum=0.9, clipnorm=1.0,",
    ),
    "an optimizer as text": (
        [("optimizer", OTHER - 1, "learning_rate", "0.1", 0, "SGD")],
        '+other.compile(keras.optimizers.SGD(learning_rate=0.1), "mse")',
    ),
    "an optimizer replaced": ([("compile", FIT - 2, "optimizer", '"adam"', 0)], '+model.compile("adam", "mse")'),
    "penalties": (
        [("calls", 0, each, None) for each in ("kernel_regularizer", "bias_regularizer")],
        "+layers = keras.layers.Dense(4, ), keras.layers.Dropout(0.9)\n",
    ),
    "dropout": ([("calls", 0, "rate", "0", 0, "Dropout", False)], "keras.layers.Dropout(0)\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_a_diff_that_patch_applies(name: str, tmp_path: Path) -> None:
    rows, line = CASES[name]
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT, encoding="utf-8")
    patch = diff(changes(path, *rows), tmp_path)
    assert patch is not None
    assert line in patch
    subprocess.run(["patch", "-p1"], cwd=tmp_path, input=patch, text=True, check=True, capture_output=True)
    assert path.read_text(encoding="utf-8") != SCRIPT
    ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "row",
    [
        ("fit", THIRD, "epochs", "40", 3),  # `options` may have epochs
        ("optimizer", THIRD - 1, "learning_rate", "0.1", 0, "SGD"),  # the result of a function
        ("callbacks", OTHER, "callbacks", None, 5, "EarlyStopping"),  # a name in the list
        ("fit", 1, "epochs", "40", 3),  # no `fit` there
        ("calls", 0, "mask_zero", "True", -1, "Embedding"),  # no such call
    ],
)
def test_what_is_not_safe_is_no_diff(row: tuple[Any, ...], tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT, encoding="utf-8")
    assert diff(changes(path, row), tmp_path) is None
    assert diff([], tmp_path) is None
