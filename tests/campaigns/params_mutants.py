"""Mutants of params.yaml: one of its values is odd, or its text is damaged; one seed always gives the same file.

`inputs.py` runs on each what a user runs. As DVC would, it runs only those stages whose parameters, or what they read,
have changed.
"""

import copy
import datetime
import io
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from campaigns import payloads
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]

TINY: dict[str, Any] = {
    "data": {"config": {"n_samples": 40, "noise": 0.1, "random_state": 1}},
    "split": {"train": 24},
    "training": {"epochs": 2, "replicas": 3, "chunk": 2, "surface_resolution": 4, "batch_size": 8, "record_first": 1},
}
VARIANTS = {
    "tanh_1": {"hidden_layers": 1, "activation": "tanh", "kernel_initializer": "glorot_uniform"},
    "relu_2": {"hidden_layers": 2, "units": 3},
    "general": {
        "hidden_layers": 2,
        "activation": {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}},
        "batch_normalization": True,
        "kernel_initializer": {"class_name": "RandomNormal", "config": {"stddev": 0.5}},
        "optimizer": {"class_name": "AdamW", "config": {"learning_rate": 0.01}},
    },
}
COMPARISON = {
    "pair": ["tanh_1", "relu_2"],
    "weights": ["relu_2", "general"],
    "claims": {"tanh_1": {"train_accuracy": 0.8, "learns": True, "converged_by_epoch": 1}, "relu_2": {"learns": False}},
    "gradient_claim": {"more": "relu_2", "less": "tanh_1"},
}
STUDY = {
    "base": "relu_2",
    "replicas": 2,
    "grid": {"units": [2, 3], "optimizer.config.learning_rate": [0.1]},
    "cells": {"elu": {"activation": "elu"}, "longer": {"epochs": 3}},
}

NUMBERS = (0, -1, 1, 2, 7, 10**6, 10**7 + 1, 10**12, 2**63, 10**400, -(10**18), 0.5, -0.1, 1e-320, 1e-9, 1e308)
NUMBERS += (float("nan"), float("inf"), 1e6)
TEXTS = ("", "x", "1", "Adam", "SGD", "Ftrl", "GlorotUniform", "Orthogonal", "Identity", "Dropout", "LSTM", "PReLU")
TEXTS += ("softmax", "glu", "get", "Lambda", "relu_2", "tanh_11", "<b>bold</b>", "$x_1$", "[bold]", "a\nb", "../up")
TEXTS += ("é", "\0", "None", "true", "learning_rate", "median", "autoencoder", "x" * 300)


def named(class_name: str, **config: Any) -> dict[str, Any]:
    """Return a Keras object as params.yaml has it."""
    return {"class_name": class_name, "config": config}


def deep(levels: int) -> Any:
    """Return deeply nested maps."""
    return {"a": deep(levels - 1)} if levels else 1


MAPS = (
    {},
    {"a": 1},
    {1: 2},
    deep(3),
    deep(60),
    {"class_name": "Adam"},
    {"config": {}},
    {"config": "x"},
    named("Adam", learning_rate={}),
    named("SGD", momentum="x"),
    named("SGD", learning_rate=[0.1]),
    named("SGD", learning_rate=1e300),
    named("SGD", clipnorm="x"),
    named("SGD", global_clipnorm=-1),
    named("Adam", beta_1=2),
    named("AdamW", weight_decay="a"),
    named("RandomUniform", minval="a"),
    named("RandomUniform", minval=[1], maxval=1),
    named("RandomUniform", minval={"a": 1}),
    named("RandomUniform", minval=1e300, maxval=-1e300),
    named("Constant", value=[1, 2]),
    named("Constant", value="x"),
    named("VarianceScaling", scale=-1),
    named("random_walk", gain=1e300),
    named("randomized_asymmetric"),
    named("PReLU", alpha_initializer="x"),
    named("ReLU", max_value="x"),
    named("Activation", activation="nonsense"),
    named("LeakyReLU", dtype="float16"),
    named("LeakyReLU", negative_slope=float("nan")),
    named("Dense", units=3),
    named("Lambda", function="x"),
)
LISTS: tuple[Any, ...] = ([], [1], [1, 2], [2, 1], ["a", "b"], ["tanh_1", "relu_2"], ["relu_2"], [[1]], [{}], [None])
VALUES = (None, True, False, *NUMBERS, *TEXTS, *MAPS, *LISTS, datetime.date(2020, 1, 1))
KEYS = (*TEXTS, "units", "hiden_layers", "class_name", "config", "epochs", "minval", "seed", 1, None, True)


# Values for these keys: many are odd, and some are invalid. Most are names of Keras.
KERAS = {
    "activation": (
        *(
            "softmax",
            "glu",
            "sparsemax",
            "hard_tanh",
            "exponential",
            "linear",
            "PReLU",
            "Flatten",
            "LayerNormalization",
        ),
        *(
            "BatchNormalization",
            "UnitNormalization",
            "Masking",
            "Rescaling",
            "Normalization",
            "GaussianNoise",
            "Embedding",
        ),
        *(each for each in MAPS if each.get("class_name") in ("ReLU", "LeakyReLU", "PReLU", "Activation")),
        named("Rescaling", scale=2),
        named("PReLU", shared_axes=[1]),
        named("ELU", alpha=1e30),
    ),
    "kernel_initializer": (
        *(
            "zeros",
            "ones",
            "orthogonal",
            "identity",
            "lecun_normal",
            "he_normal",
            "TruncatedNormal",
            "STFT",
            "Constant",
        ),
        *("random_walk", "randomized_asymmetric", "VarianceScaling"),
        named("random_walk", gain="relu"),
        named("RandomUniform", minval=-1e308, maxval=1e308),
        named("RandomUniform", minval=1, maxval=-1),
        named("RandomNormal", stddev=-1),
        named("VarianceScaling", scale=1e308),
        named("Constant", value=0.1),
    ),
    "optimizer": (
        *("SGD", "adam", "RMSprop", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion", "Ftrl", "Lamb", "Muon"),
        named("SGD", learning_rate=1e308),
        named("SGD", learning_rate=-1, nesterov=True),
        named("SGD", learning_rate=0.1, clipvalue=0.1),
        named("SGD", global_clipnorm=0.1),
        named("SGD", clipnorm=0.1, global_clipnorm=0.1),
        named("Adam", beta_1=1, beta_2=1),
        named("Adam", amsgrad=True, epsilon=0),
        named(
            "Adam", learning_rate=named("ExponentialDecay", initial_learning_rate=0.1, decay_steps=5, decay_rate=0.5)
        ),
        named("SGD", learning_rate=named("CosineDecay", initial_learning_rate=0.1, decay_steps=0)),
        named("SGD", learning_rate=named("PiecewiseConstantDecay", boundaries=[1], values=[0.1])),
        named("SGD", learning_rate=named("Dense", units=1)),
        named("SGD", learning_rate={"class_name": "ExponentialDecay"}),
    ),
    "pretraining": ("layer_wise", "autoencoder"),
    "fit_scaler_on": ("train",),
    "learned": (
        *(0.6, 0.999, -3, 1, None, "accuracy"),
        *({"balanced_accuracy": 0.6}, {"skill": 0.1}, {"skill": -5}, {"r2": 0.5}, {"accuracy": True}, {"score": 0.6}),
        *({}, {"accuracy": 0.6, "skill": 0.1}, {"acuracy": 0.6}),
    ),
    "base": ("general", "tanh_1"),
}
KERAS["output_kernel_initializer"] = KERAS["kernel_initializer"]
KERAS["kernel_regularizer"] = (
    *("none", "None", "l1", "L2", "l1_l2", "OrthogonalRegularizer", "Regularizer"),
    named("none", l2=1),
    named("L2", l2=1e300),
    named("L2", l2=-1),
    named("L1L2", l1=0.1, l2="x"),
    named("OrthogonalRegularizer", mode="columns"),
)
KERAS["units"] = ([3, 2], [2], [3, 0], [[3]], [10**4, 10**4])


def tiny() -> dict[str, Any]:
    """Return the shipped file with the smallest values: all sections, three variants (one is not plain), one study."""
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    for section, values in TINY.items():
        document[section] |= values
    document |= {"variants": VARIANTS, "comparison": COMPARISON, "studies": {"s": STUDY}}
    return copy.deepcopy(document)


def mutants(number: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield a description of the change, and the text of the file; one seed always gives the same."""
    for each in range(number):
        yield mutant(random.Random(f"{seed} {each}"))


def mutant(luck: random.Random) -> tuple[str, str]:
    """Return a description of the changes, and the file after one to four changes of values, or one of its text."""
    document = tiny()
    if luck.random() < 0.1:
        return _text(luck, written(document))
    if luck.random() < 0.55:
        done = [_fit(luck, document) for _ in range(luck.choice((1, 1, 2, 4)))]
    else:
        done = [luck.choice((_replace, _replace, _scale, _rename, _remove, _add, _swap))(luck, document)]
    return "; ".join(done), written(document)


def written(document: Any) -> str:
    """Return the document as YAML."""
    text = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.dump(document, text)
    return text.getvalue()


def _places(value: Any, path: tuple = ()) -> Iterator[tuple[Any, Any, str]]:
    """Yield each map or list with each of its keys, and the dotted path of the entry."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key, ".".join(map(str, (*path, key)))
        yield from _places(value[key], (*path, key))


def _place(luck: random.Random, document: dict[str, Any], within: type = object) -> tuple[Any, Any, str]:
    """Choose a section first, so that short sections are chosen as often as long ones."""
    section = luck.choice(list(document))
    places = [(document, section, section), *_places(document[section], (section,))]
    fitting = [place for place in places if isinstance(place[0], within)]
    return luck.choice(fitting)


def _short(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**30:
        return "a huge number"
    return repr(value)[:60]


def _replace(luck: random.Random, document: dict[str, Any]) -> str:
    above, key, path = _place(luck, document)
    above[key] = copy.deepcopy(luck.choice(VALUES))
    return f"{path}: {_short(above[key])}"


def _fit(luck: random.Random, document: dict[str, Any]) -> str:
    """Return a value of the right type, which may be valid."""
    places = [place for place in _places(document) if place[1] in KERAS or isinstance(place[0][place[1]], int | float)]
    above, key, path = luck.choice(places)
    value = above[key]
    if key in KERAS:
        above[key] = copy.deepcopy(luck.choice(KERAS[key]))
    elif isinstance(value, bool):
        above[key] = not value
    elif isinstance(value, int):
        above[key] = luck.choice((0, 1, 2, 3, value + 1, value - 1, 3 * value, 100_000, 10_000_000))
    else:
        above[key] = luck.choice((0.0, 1.0, value / 3, 2 * value, 1 - value, value * 1e-300, 0.999, 100))
    return f"{path}: {_short(above[key])}"


def _scale(luck: random.Random, document: dict[str, Any]) -> str:
    numbers = [place for place in _places(document) if type(place[0][place[1]]) in (int, float)]
    above, key, path = luck.choice(numbers)
    above[key] = luck.choice((lambda x: -x, lambda x: x * 1000, lambda x: x * 10**9, lambda x: x / 7, float, str))(
        above[key]
    )
    return f"{path}: {_short(above[key])}"


def _rename(luck: random.Random, document: dict[str, Any]) -> str:
    above, key, path = _place(luck, document, dict)
    letter = luck.randrange(len(str(key)) or 1)
    new = luck.choice((str(key)[:letter] + str(key)[letter + 1 :], str(key).upper(), str(key) + "s", luck.choice(KEYS)))
    items = [(new if each == key else each, value) for each, value in above.items()]
    above.clear()
    above.update(items)
    return f"{path} named {_short(new)}"


def _remove(luck: random.Random, document: dict[str, Any]) -> str:
    above, key, path = _place(luck, document)
    del above[key]
    return f"{path} taken out"


def _add(luck: random.Random, document: dict[str, Any]) -> str:
    above, _, path = _place(luck, document, dict)
    key = luck.choice(KEYS)
    above[key] = copy.deepcopy(luck.choice(VALUES))
    return f"beside {path} {_short(key)}: {_short(above[key])}"


def _swap(luck: random.Random, document: dict[str, Any]) -> str:
    (one, key, path), (other, its, where) = luck.choices(list(_places(document)), k=2)
    with suppress(KeyError, IndexError, TypeError):
        one[key], other[its] = copy.deepcopy(other[its]), copy.deepcopy(one[key])
    return f"{path} and {where} swapped"


def _text(luck: random.Random, text: str) -> tuple[str, str]:
    lines = text.splitlines()
    place = luck.randrange(len(lines))
    what = luck.choice(("twice", "out", "tab", "colon", "alias", "cut", "binary"))
    match what:
        case "twice":
            lines.insert(place, lines[place])
        case "out":
            del lines[place]
        case "tab":
            lines[place] = "\t" + lines[place]
        case "colon":
            lines[place] = lines[place].replace(":", "")
        case "alias":
            lines[place] = lines[place].split(":")[0] + ": &a [*a]"
        case "cut":
            lines = [*lines[:place], lines[place][: len(lines[place]) // 2]]
        case "binary":
            lines[place] += " !!binary x"
    return f"line {place + 1} {what}", "\n".join(lines) + "\n"


def commands(text: str, luck: random.Random) -> Iterator[tuple[str, ...]]:
    """Yield what DVC would run after the tiny file was changed into this one, `pipeline.check` first.

    If the file is invalid, every stage must reject it, so one stage is drawn.
    """
    from pipeline.foundations.errors import UserError
    from pipeline.params.params import parse, read

    yield ("check",)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            now, before = read(path), parse(tiny())
        except UserError:
            stage = luck.choice(("generate", "split", "train tanh_1", "evaluate relu_2", "compare", "cells s"))
            yield tuple(stage.split())
            return
    data, split = now.data != before.data, now.split != before.split
    shared = data or split or now.training != before.training
    yield from [("generate",)] * data
    yield from [("split",), ("reference",)] * (data or split)
    for name, variant in now.variants.items():
        trained = shared or variant != before.variants.get(name)
        yield from [("train", name)] * trained
        judged = now.evaluation != before.evaluation or now.diagnosis != before.diagnosis
        yield from [("evaluate", name)] * (trained or judged)
    yield ("compare",)
    for name, study in now.studies.items():
        changed = study != before.studies.get(name) or now.variants != before.variants
        yield from [("cells", name)] * (shared or changed)


def code_mutant(luck: random.Random, canaries: Path) -> tuple[str, str]:
    """Return a description, and the file with code or a foreign class as one of its values."""
    document = tiny()
    if luck.random() < 0.3:
        lines = written(document).splitlines()
        place = luck.choice([number for number, line in enumerate(lines) if ": " in line])
        tag = luck.choice(payloads.yaml_tags(canaries))
        lines[place] = f"{lines[place].split(': ')[0]}: {tag}"
        return f"line {place + 1}: {tag}", "\n".join(lines) + "\n"
    above, key, path = luck.choice([each for each in _places(document) if each[1] in KERAS])
    above[key] = luck.choice(payloads.keras_objects(canaries))
    return f"{path}: {above[key]['class_name']}", written(document)
