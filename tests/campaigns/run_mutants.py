"""Mutants of what stages write and read: a run's history, weights and recipe; data; evaluations; studies; the manifest;
progress files; event files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from campaigns import payloads
from campaigns.file_mutants import Luck, change_arrays, change_json, change_rows, changed_array, damage

Command = tuple[str, ...]
VARIANTS = ("tanh_1", "relu_2", "general")
TAKEN = "taken"  # stands for a port that is not free: a command that serves ends there, after it has read everything


def _readers(luck: Luck, variant: str) -> list[Command]:
    """Return `evaluate`, and one more command that reads a run."""
    others: list[Command] = [
        ("compare",),
        ("export", variant, "best", "exported.keras"),
        ("export", variant, "1", "exported.keras"),
        ("tensorboard", "--port", TAKEN),
        ("track",),
    ]
    return [("evaluate", variant), luck.choice(others)]


def history(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change a variable, an axis, an attribute or bytes of a history or of predictions."""
    variant = luck.choice(VARIANTS)
    path = folder / "runs" / variant / luck.choice(("history.nc", "history.nc", "predictions.nc"))
    if luck.random() < 0.45:
        return f"{variant}/{damage(luck, path, canaries)}", _readers(luck, variant)
    from pipeline.foundations.formats import pack_dataset

    with xr.open_dataset(path, engine="scipy") as opened:
        dataset = opened.load()
    for _ in range(20):  # until a change can be written as NetCDF 3
        try:
            how, changed = _changed_dataset(luck, dataset, canaries)
            content = pack_dataset(changed)
        except Exception:  # xarray rejects many of them, by errors of many types
            continue
        path.write_bytes(content)
        return f"{variant}/{path.name}: {how}", _readers(luck, variant)
    return f"{variant}/{damage(luck, path, canaries)}", _readers(luck, variant)


def _changed_dataset(luck: Luck, dataset: xr.Dataset, canaries: Path) -> tuple[str, xr.Dataset]:
    name, axis = (
        luck.choice([str(each) for each in dataset.data_vars]),
        luck.choice([str(each) for each in dataset.sizes]),
    )
    values = dataset[name]
    attribute = luck.choice([*dataset.attrs, "task", "new"])
    odd = luck.choice(
        [
            *payloads.TEXTS,
            "",
            "{",
            "[]",
            "null",
            "1",
            0,
            -1.5,
            float("nan"),
            json.dumps(payloads.keras_lambda(canaries)),
        ]
    )
    ways: dict[str, Callable[[], xr.Dataset]] = {
        f"without {name}": lambda: dataset.drop_vars(name),
        f"{name} renamed": lambda: dataset.rename({name: luck.choice(("x", "Loss", "test_loss_", "<b>"))}),
        f"{axis} renamed": lambda: dataset.rename({axis: luck.choice(("x", "sample", "replicas"))}),
        f"without {axis}": lambda: dataset.isel({axis: 0}, drop=True),
        f"one of {axis}": lambda: dataset.isel({axis: slice(0, 1)}),
        f"none of {axis}": lambda: dataset.isel({axis: slice(0, 0)}),
        f"less of {axis}": lambda: dataset.isel({axis: slice(0, -1)}),
        f"{axis} reversed": lambda: dataset.isel({axis: slice(None, None, -1)}),
        f"{axis} from 7": lambda: dataset.assign_coords({axis: np.arange(7, 7 + dataset.sizes[axis], dtype=np.int32)}),
        f"{axis} equal": lambda: dataset.assign_coords({axis: np.ones(dataset.sizes[axis], np.int32)}),
        f"{axis} as text": lambda: dataset.assign_coords({axis: [f"x{n}" for n in range(dataset.sizes[axis])]}),
        f"{axis} NaN": lambda: dataset.assign_coords({axis: np.full(dataset.sizes[axis], np.nan)}),
        f"without {axis}'s values": lambda: dataset.drop_vars(axis),
        f"{name} transposed": lambda: dataset.assign({name: values.transpose(*reversed(values.dims))}),
        f"{name} all NaN": lambda: dataset.assign({name: (values.dims, np.full(values.shape, np.nan, np.float32))}),
        f"{name} infinite": lambda: dataset.assign({name: (values.dims, np.full(values.shape, np.inf, np.float32))}),
        f"{name} negative": lambda: dataset.assign({name: (values.dims, -1 - np.abs(values.values))}),
        f"{name} huge": lambda: dataset.assign({name: (values.dims, np.full(values.shape, 1e38, np.float32))}),
        f"{name} as text": lambda: dataset.assign(
            {name: (values.dims, np.full(values.shape, luck.choice(payloads.TEXTS)))}
        ),
        f"{name} zero": lambda: dataset.assign({name: (values.dims, np.zeros_like(values.values))}),
        f"attribute {attribute}": lambda: dataset.assign_attrs({attribute: odd}),
        f"without attribute {attribute}": lambda: xr.Dataset(
            dataset, attrs={key: value for key, value in dataset.attrs.items() if key != attribute}
        ),
        "another task": lambda: dataset.assign_attrs(task=json.dumps({"kind": "regression", "names": ["y"]})),
        "a task of code": lambda: dataset.assign_attrs(task=json.dumps({"kind": "__class__", "names": odd})),
        "more outputs": lambda: dataset.assign_attrs(outputs=json.dumps(luck.choice(([1], {}, [{"name": "x"}])))),
        "a variable more": lambda: dataset.assign({"x": ((axis,), np.arange(dataset.sizes[axis], dtype=np.float32))}),
        "nothing": xr.Dataset,
    }
    how = luck.choice(list(ways))
    return how, ways[how]()


def weights(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change arrays or bytes of the final weights."""
    variant = luck.choice(VARIANTS)
    path = folder / "runs" / variant / "weights.npz"
    commands: list[Command] = [("evaluate", variant), ("export", variant, luck.choice(("0", "best")), "exported.keras")]
    if luck.random() < 0.4:
        with np.load(path) as file:
            arrays = dict(file)
        done = {name: changed_array(luck, array) for name, array in arrays.items()}  # every array at once
        np.savez(path, **{name: array for name, (_, array) in done.items() if array.dtype.kind != "O"})
        return f"{variant}/weights.npz: {', '.join(how for how, _ in done.values())}", commands
    return f"{variant}/{change_arrays(luck, path, canaries)}", commands


def recipe(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change the recipe; every third one names code where the names of Keras's objects stand."""
    variant = luck.choice(VARIANTS)
    path = folder / "runs" / variant / "recipe.json"
    commands = [("export", variant, luck.choice(("0", "best")), "exported.keras"), *_readers(luck, variant)]
    if luck.random() < 0.35:
        document = json.loads(path.read_text())
        key = luck.choice(("activation", "kernel_initializer", "output_kernel_initializer", "optimizer"))
        document["variant"][key] = luck.choice(payloads.keras_objects(canaries))
        path.write_text(json.dumps(document))
        return f"{variant}/recipe.json: code as {key}", commands
    return f"{variant}/{change_json(luck, path, canaries)}", commands


def data(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change what `generate`, `split` and `reference` wrote."""
    readers: dict[str, list[Command]] = {
        "raw/points.csv": [("split",), ("compare",)],
        "raw/points.json": [("split",), ("compare",)],
        "split/train.csv": [("train", "tanh_1"), ("evaluate", "relu_2")],
        "split/test.csv": [("reference",), ("evaluate", "relu_2"), ("track",)],
        "split/split.json": [("reference",), ("train", "tanh_1"), ("evaluate", "relu_2"), ("track",)],
        "split/profile.json": [("compare",), ("track",)],
        "reference/reference.json": [("evaluate", "tanh_1"), ("compare",)],
    }
    name = luck.choice(sorted(readers))
    path = folder / "data" / name
    change = change_json if path.suffix == ".json" else change_rows
    return f"{name}: {change(luck, path, canaries)}", readers[name]


def evaluation(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change what `evaluate` wrote."""
    variant = luck.choice(VARIANTS)
    names = ("replicas.csv", "curves.csv", "layers.csv", "diagnosis.json", "diagnosis.json", "metrics", "metrics")
    name = luck.choice((*names, "tried"))
    commands: list[Command] = [("compare",), luck.choice((("track",), ("tensorboard", "--port", TAKEN)))]
    if name == "tried":
        path = folder / "studies" / "tried.json"
        return change_json(luck, path, canaries), [("compare",)]
    path = folder / "metrics" / f"{variant}.json" if name == "metrics" else folder / "evaluations" / variant / name
    change = change_json if path.suffix == ".json" else change_rows
    return f"{variant}: {change(luck, path, canaries)}", commands


def study(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change what `study` wrote, or a finished cell."""
    names = ("cells.csv", "cells.csv", "recipes.json", "recipes.json", "tried.json", "index.md", "differences.png")
    name = luck.choice(names)
    path = folder / "studies" / "s" / name
    if not path.exists():
        path = folder / "studies" / "s" / "index.md"
    change = {".json": change_json, ".csv": change_rows}.get(path.suffix, damage)
    return f"studies/s/{change(luck, path, canaries)}", [("track_study", "s")]


def manifest(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change the manifest of what is published."""
    path = folder / "mlruns" / "manifest.json"
    return change_json(luck, path, canaries), [("track",)]


def progress(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Write an odd progress file, as if a training were running on another machine."""
    values = {"epochs": [0, 1, 2], "values": {"train_loss": [0.7, 0.6, None], "test_accuracy": [0.5, 0.6, 0.7]}}
    document = {
        **{"name": "tanh_1", "what": "variant", "begun": 1.0, "epochs": 2, "replicas": 1, "together": 1, "done": 2},
        "process": {"host": "elsewhere", "pid": 1, "started": "1"},
        "curves": {"0": values},
    }
    path = folder / "progress" / "tanh_1-1.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    return change_json(luck, path, canaries), [("look",)]


def events(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change an event file that TensorBoard reads, then one that `make tensorboard` replaces."""
    paths = sorted((folder / "events").rglob("events.out.tfevents.*"))
    path = luck.choice(paths)
    name = path.relative_to(folder)
    if luck.random() < 0.3:
        other = path.with_name(
            luck.choice(("events.out.tfevents.1.<script>", "x.tfevents.pkl", "events.out.tfevents.$(x)"))
        )
        other.write_bytes(luck.choice((payloads.pickled(canaries), path.read_bytes()[:-5], b"", luck.randbytes(500))))
        return f"beside {name}: {other.name}", [("read_events",), ("tensorboard", "--port", TAKEN)]
    how = damage(luck, path, canaries)
    return f"{name}: {how}", [("read_events",), ("tensorboard", "--port", TAKEN)]
