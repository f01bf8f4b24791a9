"""Define the fixtures that all tests share: small data, small parameters, and a workspace."""

import gc
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from preloaded import PLACE, Preloaded
from workspace import Workspace

from pipeline.data.reference import quick_models, reference
from pipeline.data.sources import load
from pipeline.data.split.samples import Origin, Split
from pipeline.data.split.tasks import Task
from pipeline.data.splitting import split
from pipeline.params.data_params import DataParams
from pipeline.params.split_params import SplitParams
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams

# No deadlines, because machines are shared. No random choice, because a merge must not depend on luck.
settings.register_profile("shared", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# A shell lets background processes ignore Ctrl-C. Without this line, all processes of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Threads of linear algebra wait actively for work: a third of the time of small models. Processes that start from here
# obey, xdist's and all commands'; this process has loaded NumPy already.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def pytest_configure(config: pytest.Config) -> None:
    """Start one server of preloaded commands for all test processes; it imports at the first request."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="preloaded-")
        server = Preloaded(Path(folder.name))
        server.start()
        config.add_cleanup(folder.cleanup)
        config.add_cleanup(server.end)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files so that each of two processes begins with slow files, and quick ones are left for the end.

    xdist gives each process one half of the list; a process that has finished takes tests from the end of the other's.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)

    def slow(path: Path) -> int:
        return sum(item.get_closest_marker("slow") is not None for item in files[path])

    halves: tuple[list[pytest.Item], list[pytest.Item]] = ([], [])
    for path in sorted(files, key=lambda path: slow(path) / len(files[path]), reverse=True):
        min(halves, key=len).extend(files[path])
    items[:] = halves[0] + halves[1]


SELDOM = (50_000, 20, 20)  # new objects, and collections of the younger generation, before a generation is collected


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection, and look for garbage seldom: TensorFlow's graphs are cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Seed what Keras draws its weights and orders from: a merge must not depend on luck."""
    random.seed(0)
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


@pytest.fixture(scope="module", autouse=True)
def garbage_of_the_module() -> Iterator[None]:
    """Collect a module's garbage, and exclude what remains: TensorFlow's graphs would slow later collections."""
    yield
    gc.collect()
    gc.freeze()


RECIPE = {
    "hidden_layers": 2,
    "units": 3,
    "activation": "relu",
    "batch_normalization": False,
    "residual": False,
    "kernel_initializer": "he_uniform",
    "output_kernel_initializer": "glorot_uniform",
    "kernel_regularizer": "none",
    "optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.1, "momentum": 0.9}},
    "pretraining": "none",
    "pretraining_epochs": 2,
}


def variant(**changes: object) -> VariantParams:
    """Return a small variant."""
    return VariantParams.model_validate({**RECIPE, **changes})


def training(**changes: object) -> TrainingParams:
    """Return the settings of a short training; its last batch is short, too: 52 = 3 x 16 + 4."""
    whole: dict[str, object] = {"epochs": 3, "batch_size": 16, "replicas": 4, "seed": 7, "chunk": 4, "record_first": 0}
    whole |= {"record_every": 1, "histograms": True, "surface_resolution": 4, "device": "cpu"}
    return TrainingParams.model_validate({**whole, **changes})


class ReportKeeper:
    """An observer that keeps all reports: replicas, epochs, curves."""

    def __init__(self) -> None:
        self.reports: list[tuple[list[int], range, dict[str, np.ndarray]]] = []

    def on_epochs(self, replicas: Sequence[int], epochs: range, curves: Mapping[str, np.ndarray]) -> None:
        self.reports.append((list(replicas), epochs, {name: np.array(values) for name, values in curves.items()}))

    @property
    def epochs(self) -> list[tuple[int, int]]:
        """Return the number of replicas and the last epoch of each report."""
        return [(len(replicas), epochs[-1]) for replicas, epochs, _ in self.reports]


@pytest.fixture(autouse=True)
def handlers_of_signals() -> Iterator[None]:
    """Restore the handlers of signals, because commands that run in this process install their own."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def mlflows_default_store() -> Iterator[None]:
    """Restore MLflow's default store, because MLflow's autolog makes the store of its run the default."""
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


QUICK_PREDICTIONS: dict[tuple[object, ...], np.ndarray] = {}


@pytest.fixture
def quick_models_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit the reference's quick models once for the same rows, because many tests watch a `fit` on the same points.

    The predictions depend on these arguments alone (see `test_the_same_rows_give_the_same_numbers`).
    """

    def predictions(task: Task, name: quick_models.ModelName, fold: quick_models.Fold) -> np.ndarray:
        key = (task, name, *map(digest, (fold.columns, fold.targets, fold.judge_columns)))
        if key not in QUICK_PREDICTIONS:
            QUICK_PREDICTIONS[key] = quick_models.predictions(task, name, fold)
        return QUICK_PREDICTIONS[key].copy()

    monkeypatch.setattr(reference, "predictions", predictions)


def digest(values: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    """Return what tells an array from others."""
    return values.dtype.str, values.shape, hashlib.sha256(values.tobytes()).digest()


@pytest.fixture
def imports_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preload the imports of the modules that a test runs as processes."""
    if PLACE in os.environ:
        monkeypatch.setattr(sys, "executable", f"{os.environ[PLACE]}/python3")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Do here what each replica's process does, by the same command."""
    import keras

    from pipeline.watch import __main__ as command
    from pipeline.watch.scripts import run_pool, run_process

    def here(asked: list[str]) -> None:
        assert asked[:3] == [sys.executable, "-m", "pipeline.watch"]
        keras.utils.clear_session(free_memory=False)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", asked[2:])
            patched.chdir(Path.cwd())  # where the script may not stay
            try:
                command.main()
            except SystemExit as end:
                if end.code:
                    raise
        capsys.readouterr()

    class Here:
        """A process that has run in this one."""

        pid, stdin = 0, None

        def __init__(self, asked: list[str], **_: object) -> None:
            here(asked)

        def poll(self) -> int:
            """Return the exit code."""
            return 0

    rest = {name: getattr(subprocess, name) for name in ("DEVNULL", "PIPE", "TimeoutExpired")}
    monkeypatch.setattr(run_process, "subprocess", SimpleNamespace(Popen=Here, **rest))  # only for this module
    monkeypatch.setattr(run_pool, "usable_cores", lambda: 1)


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all test processes of this run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder` after one of the test processes has created it; the others wait."""
    with FileLock(f"{folder}.lock"):
        if not (mark := folder.with_suffix(".made")).exists():
            make(folder)
            mark.touch()
    return folder


@pytest.fixture(scope="session")
def published(common_folder: Path) -> Workspace:
    """Return a workspace in which `dvc repro` has run once, for relu_2 and tanh_1; all its files are in git.

    All test processes share it, so tests must not change it: a test that changes anything uses `workspace`.
    """

    def publish(folder: Path) -> None:
        workspace = Workspace.create(folder)
        workspace.repro()
        workspace.commit()

    return Workspace(made_once(common_folder / "published", publish))


@pytest.fixture(scope="session")
def empty_store(common_folder: Path) -> Path:
    """Return a database with MLflow's empty tables, to be copied, because creating one takes seconds."""

    def create(folder: Path) -> None:
        from mlflow import MlflowClient  # here, for importing it takes a second

        folder.mkdir()
        MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")

    return made_once(common_folder / "empty_store", create) / "mlflow.db"


@pytest.fixture
def workspace(published: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the published workspace, which a test may change."""
    return published.copy(tmp_path / "study")


CIRCLES = DataParams(source="make_circles", config={"n_samples": 80, "noise": 0.1, "random_state": 1})
CUT = SplitParams.model_validate({"train": 52, "scale": {"inputs": "minmax"}, "fit_scaler_on": "all"})


@pytest.fixture(scope="session")
def split_and_origin() -> tuple[Split, Origin]:
    """Return the split of small circles, and its origin."""
    return split(load(CIRCLES), CIRCLES, CUT)


@pytest.fixture(scope="session")
def circles(split_and_origin: tuple[Split, Origin]) -> Split:
    """Return 52 training points and 28 test points."""
    return split_and_origin[0]


@pytest.fixture(scope="session")
def origin(split_and_origin: tuple[Split, Origin]) -> Origin:
    """Return the origin of the circles."""
    return split_and_origin[1]
