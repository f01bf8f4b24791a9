"""Mutants of a user's own network: the file that builds it, and a `.keras` file that it loads."""

import io
import json
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campaigns import payloads
from campaigns.file_mutants import Luck, damage, replace_file
from campaigns.params_mutants import tiny, written

Command = tuple[str, ...]
NAME = "own"
MODEL = "model.keras"  # what `save_model` has written beside the ground
PLACES = ("networks/own", "networks.own", "params.yaml")
COMMANDS: list[Command] = [("check",), ("check", "--networks"), ("fit", NAME)]

HEAD = "import keras\n"
SIGNATURES = (
    *("build()", "build(inputs)", "build(inputs, task, units)", "build(inputs, task, *, units)", "build(*args)"),
    *("build(inputs, task, units=3, **config)", "build(**config)", "build(inputs, task, /)", "Build(inputs, task)"),
    *("build(self, inputs, task, units=3)", "build(inputs, task, units=print('x'))", "build(inputs, task, class_=1)"),
)
GOOD = """
hidden = keras.layers.Dense(units, "relu")
return keras.Sequential([keras.Input(inputs), hidden, keras.layers.Dense(task.outputs, "sigmoid")])
"""
DENSE = 'keras.layers.Dense(task.outputs, "sigmoid")'
RETURNS = (
    *(
        "None",
        "...",
        "1",
        "'model'",
        "[]",
        "{}",
        "keras",
        "keras.Model",
        "build",
        "lambda x: x",
        "keras.layers.Dense(1)",
    ),
    *("keras.Sequential()", "keras.Sequential([])", "keras.Sequential([keras.Input(inputs)])", "(1, 2)", "iter([])"),
    f"[keras.Sequential([keras.Input(inputs), {DENSE}])]",
    f"keras.Sequential([{DENSE}])",
    "keras.Sequential([keras.Input(inputs), keras.layers.Dense(7)])",
    "keras.Sequential([keras.Input((999,)), keras.layers.Dense(task.outputs)])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Reshape((5, 5)), {DENSE}])",
    "keras.Sequential([keras.Input(inputs), keras.layers.Dense(task.outputs, trainable=False)])",
    "keras.Sequential([keras.Input(inputs), keras.layers.Embedding(3, 2), keras.layers.Dense(1)])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Lambda(lambda x: x * 2), {DENSE}])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Dense(10**7), {DENSE}])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Dense(-1), {DENSE}])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Dense(3, 'nonsense'), {DENSE}])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Dense(3, name='a/b'), {DENSE}])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Dense(3, name='<script>'), {DENSE}])",
    f"keras.Sequential([keras.Input(inputs), keras.layers.Dense(3, dtype='float16'), {DENSE}])",
)
BODIES = (
    "raise ValueError",
    "raise ValueError('two\\nlines\\nand more\\n')",
    "raise KeyError('units')",
    "raise SystemExit",
    "raise SystemExit('end')",
    "raise MemoryError",
    "raise NotImplementedError",
    "raise RecursionError",
    "raise OSError(2, 'no such thing', 'somewhere')",
    "raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'bad')",
    "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd",
    "exit()",
    "1 / 0",
    "return build(inputs, task, units)",
    "import nothing_of_this_name",
    "from pipeline.foundations.errors import UserError\nraise UserError('mine')",
    "open('/nowhere/x')",
    "yield 1",
    "import warnings\nwarnings.warn('careful')\n" + GOOD,
    "print('x' * 1000)\n" + GOOD,
    "import os\nos.chdir('/')\n" + GOOD,
    "import sys\nsys.stderr.write('one\\n')\n" + GOOD,
    "inputs[0] = 1",
    "task.kind = 'regression'",
)
COMPILED = (
    "model.compile()",
    "model.compile('sgd', 'mse', run_eagerly=True)",
    "model.compile('nonsense', 'mse')",
    "model.compile('sgd', 'nonsense')",
    "model.compile('sgd', lambda y, p: 1.0)",
    "model.compile('sgd', lambda y, p: None)",
    "model.compile(None, 'mse')",
    "model.compile('sgd', ['mse', 'mse'])",
    "model.compile('sgd', 'categorical_crossentropy')",
    "model.compile('sgd', 'sparse_categorical_crossentropy')",
    "model.compile(keras.optimizers.SGD(float('nan')), 'mse')",
    "model.compile('sgd', 'mse', loss_weights=[1, 2])",
    "model.compile('sgd', 'mse', metrics=['nonsense'])",
    "model.compile('sgd', 'mse', jit_compile=True)",
    "model.trainable = False",
    "model.fit = None",
    "model.call = None",
    "model.train_step = lambda data: 1 / 0",
    "model.stop_training = True",
    "model = model.layers[0]",
    "model(keras.ops.zeros((1, 77)))",
)
LAYERS = (
    "def call(self, x):\n        raise ValueError('in call')",
    "def call(self, x):\n        return None",
    "def call(self, x):\n        return [x, x]",
    "def call(self):\n        return 1",
    "def call(self, x, training):\n        return x",
    "def call(self, x):\n        return x * float('nan')",
    "def call(self, x):\n        return keras.ops.convert_to_numpy(x)",
    "def build(self, shape):\n        raise TypeError",
    "def build(self, shape):\n        self.w = self.add_weight(shape=(-1,))",
    "def __init__(self):\n        pass",
    "def __init__(self, needed):\n        super().__init__()",
    "def get_config(self):\n        raise ValueError('in get_config')",
    "def get_config(self):\n        return 1",
    "def compute_output_shape(self, shape):\n        return 'x'\n    def call(self, x):\n        return x",
)
SYNTAX = (
    *(
        "def build(inputs, task:\n    pass\n",
        "def build(inputs, task)\n    pass\n",
        "\tx\n  y\n",
        "é =\n",
        "\0",
        "\ufeffx =",
    ),
    *("return 1\n", "def build(inputs, task):\nreturn 1\n", "(" * 300, "x = 1 +\n", "async build\n", "print 'x'\n"),
    *("# -*- coding: nonsense -*-\n", "from __future__ import braces\n", "build = 1\n", "", "import build\n", "'''"),
    *("class build:\n    pass\n", "build = None\n", "raise ImportError('no')\n", "import sys; sys.exit(3)\n"),
    *("from . import x\n", "build: int\n", "def build(inputs, task): ...\n", "import network\n", "quit()\n"),
    *("build = lambda inputs, task, units=3: None\n", "while True: break\nbuild = print\n", "assert False\n"),
)


def source(luck: Luck) -> tuple[str, str | bytes]:
    """Return what is odd, and the text of a network.py."""
    kind = luck.choice(("signature", "returns", "returns", "body", "body", "compiled", "layer", "syntax", "bytes"))
    good = f"{HEAD}def build(inputs, task, units=3):\n{textwrap.indent(GOOD, '    ')}"
    match kind:
        case "signature":
            signature = luck.choice(SIGNATURES)
            return signature, good.replace("build(inputs, task, units=3)", signature)
        case "returns":
            value = luck.choice(RETURNS)
            return f"returns {value}", f"{HEAD}def build(inputs, task, units=3):\n    return {value}\n"
        case "body":
            body = luck.choice(BODIES)
            where = luck.choice(("build", "build", "the file"))
            text = f"{HEAD}def build(inputs, task, units=3):\n{textwrap.indent(body, '    ')}\n"
            if where == "the file" and "return" not in body and "yield" not in body:
                text = f"{body}\n{good}"
            return f"{body.splitlines()[0]} in {where}", text
        case "compiled":
            line = luck.choice(COMPILED)
            text = good.replace("return keras", "model = keras") + f"    {line}\n    return model\n"
            return line, text
        case "layer":
            method = luck.choice(LAYERS)
            layer = f"class Own(keras.layers.Layer):\n    {method}\n"
            register = "@keras.saving.register_keras_serializable()\n" * (luck.random() < 0.5)
            text = HEAD + register + layer + good.removeprefix(HEAD).replace("hidden,", "Own(), hidden,")
            return f"a layer with {method.splitlines()[0]}", text
        case "syntax":
            text = luck.choice(SYNTAX)
            return repr(text[:30]), text
    place = luck.randrange(len(good))
    return f"cut at {place}", good[:place]


def with_network(folder: Path, config: dict[str, Any]) -> None:
    """Let params.yaml name the network."""
    document = tiny() | {"networks": {NAME: {"config": config, "epochs": 1, "replicas": 1}}}
    (folder / "params.yaml").write_text(written(document), encoding="utf-8")


def network(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Write a faulty network.py."""
    what, text = source(luck)
    replace_file(folder / "networks" / NAME / "network.py", text)
    config = luck.choice(({}, {}, {}, {"units": 4}, {"width": 4}, {"units": "x"}, {"inputs": 1}, {"self": 1}))
    with_network(folder, config)
    return f"{what} {config or ''}", COMMANDS


LOADS = """
from pathlib import Path
import keras
def build(inputs, task):
    return keras.saving.load_model(Path(__file__).parent / "model.keras")
"""


def save_model(path: Path) -> None:
    """Write the `.keras` file that is changed."""
    import keras

    layers = [keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1, "sigmoid")]
    keras.Sequential(layers).save(path)


def keras_file(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change a `.keras` file that a network loads, as transfer learning does."""
    path, content = folder / "networks" / NAME / "model.keras", (folder.parent / MODEL).read_bytes()
    replace_file(path.with_name("network.py"), LOADS)
    replace_file(path, content)
    with_network(folder, {})
    if luck.random() < 0.3:
        return damage(luck, path, canaries), COMMANDS
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    config = json.loads(entries["config.json"])
    layers = config["config"]["layers"]
    code = payloads.keras_lambda(canaries)
    odd = luck.choice(payloads.keras_objects(canaries))
    function_layer = {"module": "keras.layers", "registered_name": None, "class_name": "Lambda"}
    ways: dict[str, Callable[[], Any]] = {
        "a Lambda layer": lambda: layers.insert(1, function_layer | {"config": {"name": "l", "function": code}}),
        "code as activation": lambda: layers[-1]["config"].update(activation=code),
        "code as initializer": lambda: layers[-1]["config"].update(kernel_initializer=code),
        "another layer": lambda: layers.append(odd | {"module": odd.get("module", "keras.layers")}),
        "another class": lambda: config.update(odd),
        "a module of Python": lambda: config.update(module="os", class_name="system", config="x"),
        "compiled by code": lambda: config.update(compile_config={"optimizer": odd, "loss": code}),
        "built by code": lambda: config.update(build_config={"input_shape": code}),
        "no layers": lambda: layers.clear(),
        "text as units": lambda: layers[-1]["config"].update(units=luck.choice(payloads.TEXTS)),
        "no weights": lambda: entries.pop("model.weights.h5"),
        "noise as weights": lambda: entries.update({"model.weights.h5": luck.randbytes(2000)}),
        "a pickle as weights": lambda: entries.update({"model.weights.h5": payloads.pickled(canaries)}),
        "a pickle beside": lambda: entries.update({"assets/data.pkl": payloads.pickled(canaries)}),
        "weights as npz of objects": lambda: entries.update(
            {"model.weights.npz": payloads.archive(x__npy=payloads.array_of_objects(canaries))}
        ),
        "a path above": lambda: entries.update({"../../up.txt": b"x"}),
    }
    how = luck.choice(list(ways))
    ways[how]()
    entries["config.json"] = json.dumps(config).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, entry in entries.items():
            file.writestr(name, entry)
    replace_file(path, made.getvalue())
    return how, COMMANDS
