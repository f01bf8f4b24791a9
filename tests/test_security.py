"""What SECURITY.md promises: data from others runs no code, names no class outside the lists and no path outside its
folder; pages load nothing; caches and temporary files belong to their user alone."""

import ast
import base64
import marshal
import os
import pickle
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.data import tables
from pipeline.evaluation import prune
from pipeline.foundations import formats
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.foundations.files import temporary_folder
from pipeline.history import training_progress
from pipeline.models import keras_objects
from pipeline.params.data_params import DataParams
from pipeline.params.file import load
from pipeline.params.variant_params import KerasObject
from pipeline.report.pages.document import Bullets, Document, Picture, Section, Text
from pipeline.report.pages.html import render
from pipeline.repro import dvc_lock, dvc_state
from pipeline.tracking import live_runs, manifest, store, turn
from pipeline.tracking.tags import FOLLOWER, PUBLISHER
from pipeline.training.compiled import compiling

ROOT = Path(__file__).resolve().parent.parent
# Calls that run code which their input brings. Each is the end of a dotted name.
DANGEROUS = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load", "cloudpickle.loads", "dill.load"),
    *("joblib.load", "marshal.loads", "shelve.open", "read_pickle", "torch.load", "yaml.load", "yaml.unsafe_load"),
    *("eval", "exec", "enable_unsafe_deserialization", "os.system", "func_load"),
}
# The worker processes of studies on this machine: a process reads the pipe of the process that it has started.
OWN_PIPES = {"pipeline/studies/training_process.py": {"pickle.load"}}
SAFE_VALUES = {"allow_pickle": False, "safe_mode": True, "shell": False, "weights_only": True}


def sources() -> list[Path]:
    return sorted((ROOT / "pipeline").rglob("*.py"))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield all calls of a file, with the dotted name of the function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that appears if something was executed."""
    return tmp_path / "executed"


class Bomb:
    """An object that creates the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what `pickle` calls to make the object again."""
        return Path.touch, (self.canary,)


# No pickle


def test_no_source_calls_what_runs_code_from_its_input() -> None:
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in sources()
        for name, _ in calls(path)
        if any(name == each or name.endswith(f".{each}") for each in DANGEROUS)
    }
    allowed = {(path, name) for path, names in OWN_PIPES.items() for name in names}
    assert {each for each in found if each not in allowed} == set()


def test_no_source_turns_a_safeguard_off() -> None:
    for path in sources():
        for name, call in calls(path):
            for argument in call.keywords:
                if argument.arg in SAFE_VALUES:
                    assert isinstance(argument.value, ast.Constant), (path, name)
                    assert argument.value.value is SAFE_VALUES[argument.arg], (path, name, argument.arg)


def test_the_check_of_sources_sees_what_it_forbids(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import numpy as np, pickle\nnp.load('x', allow_pickle=True)\npickle.load(open('x'))\n")
    assert {"np.load", "pickle.load"} <= {name for name, _ in calls(path)}


def objects(path: Path, canary: Path) -> Path:
    np.savez(path, x=np.array([[Bomb(canary)]], dtype=object), y=np.zeros(1), allow_pickle=True)
    return path


def bare_pickle(path: Path, canary: Path) -> Path:
    path.write_bytes(pickle.dumps(Bomb(canary)))
    return path


@pytest.mark.parametrize("write", [objects, bare_pickle])
@pytest.mark.parametrize(
    "read",
    [
        lambda path: tables.read_arrays(path, DataParams(source=str(path), target="y")),
        lambda path: formats.load_npz(path, "weights"),
    ],
    ids=["data", "weights"],
)
def test_a_pickle_in_an_array_file_is_rejected_and_not_executed(
    write: Callable[[Path, Path], Path], read: Callable[[Path], object], tmp_path: Path, canary: Path
) -> None:
    path = write(tmp_path / "file.npz", canary)
    with pytest.raises(UserError, match=r"file\.npz: "):
        read(path)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Bomb(canary)))
    assert canary.exists()  # the bomb works


def test_yaml_tags_are_rejected_and_not_executed(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "params.yaml"
    for tag in ("!!python/object/apply:os.system", "!!python/name:os.system", "!!python/module:os"):
        path.write_text(f"data: {tag} ['touch {canary}']\n")
        with pytest.raises(UserError, match=r"params\.yaml"):
            load(path)
    assert not canary.exists()


def test_a_lock_with_tags_is_damaged_and_not_executed(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is restored, nor when a variant's stages are removed from it by DVC's own parser."""
    monkeypatch.chdir(tmp_path)
    for tag in ("!!python/object/apply:os.system", "!!python/object/new:os.system"):
        text = f"schema: '2.0'\nstages:\n  train@a:\n    cmd: {tag} ['touch {canary}']\n"
        assert dvc_lock._stages(text.encode()) is None
        prune.LOCK.write_text(text)
        prune._remove_stages({"train@b"})
    assert not canary.exists()


@pytest.mark.parametrize(
    ("read", "empty"),
    [
        (manifest.load_manifest, {}),
        (lambda path: training_progress.read_all(), {}),
        (lambda path: EventAccumulator(str(path)).Reload().Tags()["tensors"], []),  # as TensorBoard reads
    ],
    ids=["manifest", "progress file", "event file"],
)
def test_a_pickle_in_place_of_a_file_is_data(
    read: Callable[[Path], object],
    empty: object,
    tmp_path: Path,
    canary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "progress").mkdir()
    path = bare_pickle(tmp_path / "progress" / "events.out.tfevents.0.json", canary)
    assert read(path) == empty
    assert not canary.exists()


def test_values_of_a_store_are_data(tmp_path: Path, canary: Path, empty_store: Path) -> None:
    """Pickles where a publisher and a follower write who they are."""
    client = store.connect(f"sqlite:///{shutil.copy(empty_store, tmp_path)}")
    text = pickle.dumps(Bomb(canary), protocol=0).decode()
    client.create_run("0", tags={FOLLOWER: text})
    client.set_experiment_tag("0", f"{PUBLISHER}x", text)
    (run,) = store.search(client, "0", "")
    assert run.data.tags[FOLLOWER] == text
    assert live_runs._follower(run) is None
    assert turn._claim(client.get_experiment("0").tags[f"{PUBLISHER}x"]) is None
    assert not canary.exists()


# Keras's safe mode, and classes outside the lists


def code_of(canary: Path) -> dict[str, Any]:
    """A lambda that creates the canary, as Keras stores one."""
    code = compile(f"open({str(canary)!r}, 'w')", "<lambda>", "eval")
    return {
        "class_name": "__lambda__",
        "config": {"code": base64.b64encode(marshal.dumps(code)).decode(), "defaults": None, "closure": None},
    }


def test_a_model_file_with_code_is_not_loaded(tmp_path: Path, canary: Path) -> None:
    function = eval(f"lambda x: (open({str(canary)!r}, 'w').close(), x)[1]")  # no variable from outside, to be saved
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(function)])
    canary.unlink()  # the function ran once, here
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"safe_mode|unsafe"):
        keras.saving.load_model(tmp_path / "model.keras")  # as the sources load a model: the test above allows no other
    assert not canary.exists()


IN_LAYER = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "CODE"}}
SYSTEM = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}


@pytest.mark.parametrize(
    "spec",
    [
        {"class_name": "Lambda", "config": {"function": "CODE"}},
        {"class_name": "Activation", "config": {"activation": "CODE"}},
        {"class_name": "Dense", "config": {"units": 2, "activation": "CODE"}},
        {"class_name": "TimeDistributed", "config": {"layer": IN_LAYER}},
        {"class_name": "Lambda", "config": {"function": SYSTEM}},
        {"class_name": "TFSMLayer", "config": {"filepath": "/"}},
        {"class_name": "TorchModuleWrapper", "config": {"module": "x"}},
        {"class_name": "os.system", "config": {}},
        {"class_name": "subprocess>Popen", "config": {"args": ["true"]}},
        {"class_name": "__class__", "config": {}},
    ],
    ids=lambda spec: spec["class_name"],
)
def test_params_yaml_brings_no_code_and_names_no_class_outside_keras(spec: dict[str, Any], canary: Path) -> None:
    spec = eval(repr(spec).replace("'CODE'", repr(code_of(canary))))
    with pytest.raises(UserError) as rejected:
        keras_objects.activation(KerasObject(**spec), "variants.v.activation", "a")(np.ones((2, 2)))
    assert "\n" not in str(rejected.value)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("make", "spec"),
    [
        (keras_objects.any_optimizer, {"class_name": "SGD", "config": {"learning_rate": "POPEN"}}),
        (keras_objects.any_optimizer, {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": "POPEN"}}),
        (lambda *spec: keras_objects.initializer(*spec, 3), {"class_name": "Constant", "config": {"value": "POPEN"}}),
    ],
    ids=["learning rate", "inner optimizer", "initializer"],
)
def test_arguments_make_no_objects_of_other_modules(
    make: Callable[..., Any], spec: dict[str, Any], canary: Path
) -> None:
    popen = {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", str(canary)]},
        "registered_name": "Popen",
    }
    config = {key: popen for key in spec["config"]}
    with pytest.raises(UserError):
        make(KerasObject(class_name=spec["class_name"], config=config), "variants.v.x")
    assert not canary.exists()


# Pages


def test_a_page_forbids_scripts_and_everything_from_elsewhere() -> None:
    nasty = "<script>alert(1)</script><img src=http://x.example/p.png onerror=alert(1)>"
    document = Document(nasty, [Text(nasty)], [Section(nasty, [Bullets([nasty]), Picture("p", nasty)])])
    png = (ROOT / "docs" / "outcomes.png").read_bytes()
    page = render(document, {"p": png})
    policy = page.index("Content-Security-Policy")
    assert policy < page.index("<title>")  # it holds for what follows
    assert "default-src 'none'" in page[policy : policy + 200]
    assert "script-src" not in page
    assert "<script" not in page
    assert "<img src=http" not in page


def test_an_error_commands_no_terminal() -> None:
    """A server's answer or a file may be in it."""
    with pytest.raises(SystemExit) as ended, reported_in_one_line():
        raise UserError("answered\n\x1b]0;title\x07\0 é")
    assert (
        ended.value.code == "error: answered \N{REPLACEMENT CHARACTER}]0;title" + "\N{REPLACEMENT CHARACTER}" * 2 + " é"
    )


# Files of one user


@pytest.mark.slow
def test_dvc_keeps_what_it_unpickles_in_a_folder_of_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_SITE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    private = tmp_path / ".dvc" / "tmp" / "private"
    private.mkdir(parents=True)
    private.chmod(0o777)  # as DVC would make it
    dvc_state.keep_private()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    shutil.rmtree(tmp_path / ".dvc")
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True)
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    dvc_state.keep_private()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    said = subprocess.run(["dvc", "doctor"], check=True, capture_output=True, text=True).stdout
    assert f"Repo.site_cache_dir: {private}/" in said
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", "elsewhere")
    dvc_state.keep_private()
    assert os.environ["DVC_SITE_CACHE_DIR"] == "elsewhere"


def test_compiled_code_is_kept_where_nobody_else_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "cache")
    path = compiling.folder.__wrapped__()
    assert path is not None
    assert path.is_relative_to(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for mode in (0o770, 0o707):  # another user could plant code in these
        path.chmod(mode)
        other = compiling.folder.__wrapped__()
        assert other is None or not other.is_relative_to(tmp_path)


def test_temporary_folders_are_private() -> None:
    with temporary_folder("private-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_password_of_an_address_is_in_no_child_process_and_no_file(tmp_path: Path) -> None:
    """The address is cleaned before anything else starts."""
    script = (
        "import os, subprocess, sys\n"
        "from pipeline.tracking import store\n"
        "store.tracking_uri()\n"
        "assert 's3cret' not in os.environ['MLFLOW_TRACKING_URI']\n"
        "print(subprocess.run(['sh', '-c', 'echo $MLFLOW_TRACKING_URI'], capture_output=True, text=True).stdout)\n"
    )
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "http://u:s3cret@127.0.0.1:9", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert done.stdout.strip() == "http://127.0.0.1:9"
