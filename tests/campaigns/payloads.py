"""What would create a file, the canary, if a program executed or resolved it. None of it is executed by right."""

import base64
import io
import json
import marshal
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

# Text that a page, a terminal, a spreadsheet, a shell or a template might interpret.
TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "=HYPERLINK(1)",
    "%s%n%x",
    "{0.__class__.__init__.__globals__}",
    "{{ 7*7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}",
    "$(touch x)",
    "`touch x`",
    "; touch x;",
    "' OR 1=1 --",
    "../../../etc/passwd",
    "$\\input{x}$",
    "[bold red]x[/]",
)


class Bomb:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what `pickle` calls to make the object again."""
        return Path.touch, (self.path,)


def pickled(canaries: Path) -> bytes:
    """Return a pickle."""
    return pickle.dumps(Bomb(canaries / "pickle"))


def array_of_objects(canaries: Path) -> bytes:
    """Return an npy file with a pickled object."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.array([[Bomb(canaries / "npy")]], object), allow_pickle=True)
    return content.getvalue()


def archive(**entries: bytes) -> bytes:
    """Return a ZIP file; `__` in a name stands for a dot."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, entry in entries.items():
            file.writestr(name.replace("__", "."), entry)
    return content.getvalue()


def statement(canaries: Path, name: str) -> str:
    """Return Python that creates the file, as one expression."""
    return f"__import__('pathlib').Path({str(canaries / name)!r}).touch()"


def keras_lambda(canaries: Path) -> dict[str, Any]:
    """Return a function as Keras stores one."""
    code = compile(f"lambda x: ({statement(canaries, 'lambda')}, x)[1]", "<lambda>", "eval").co_consts[0]
    text = base64.b64encode(marshal.dumps(code)).decode()
    return {"class_name": "__lambda__", "config": {"code": text, "defaults": None, "closure": None}}


def keras_objects(canaries: Path) -> list[dict[str, Any]]:
    """Return configurations that name code, or classes outside Keras."""
    function, command = keras_lambda(canaries), ["touch", str(canaries / "popen")]
    popen = {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": command},
        "registered_name": "Popen",
    }
    system = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    inner = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}}
    return [
        {"class_name": "Lambda", "config": {"function": function}},
        {"class_name": "Activation", "config": {"activation": function}},
        {"class_name": "Dense", "config": {"units": 2, "activation": function}},
        {"class_name": "TimeDistributed", "config": {"layer": inner}},
        {"class_name": "Lambda", "config": {"function": system, "arguments": {"x": " ".join(command)}}},
        {"class_name": "TFSMLayer", "config": {"filepath": str(canaries)}},
        {"class_name": "subprocess>Popen", "config": {"args": command}},
        {"class_name": "os.system", "config": {"command": " ".join(command)}},
        {"class_name": "SGD", "config": {"learning_rate": popen}},
        {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": popen}},
        {"class_name": "Constant", "config": {"value": popen}},
        {"class_name": "RandomUniform", "config": {"minval": function}},
        {"class_name": "__class__", "config": {}},
        popen,
    ]


def yaml_tags(canaries: Path) -> list[str]:
    """Return values of YAML that a loader with tags would execute."""
    command = f"touch {canaries / 'yaml'}"
    return [
        f"!!python/object/apply:os.system [{json.dumps(command)}]",
        f"!!python/object/new:os.system [{json.dumps(command)}]",
        f"!!python/object/apply:subprocess.Popen [[touch, {canaries / 'yaml'}]]",
        f"!!python/object/apply:builtins.eval [{json.dumps(statement(canaries, 'yaml'))}]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [1, 2]",
        "!include /etc/passwd",
    ]
