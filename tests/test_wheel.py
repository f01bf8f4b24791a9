"""The wheel: what is in it, what it needs, its public surface, and that this works where nothing else is installed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PathDistribution, distribution, packages_distributions
from pathlib import Path

import bare as strangers
import pandas as pd
import pytest
import xarray as xr
from imports import ROOT, external_packages
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pipeline
from examples import history
from pipeline.diagnosis import evidence
from pipeline.evaluation.learned import rule_for
from pipeline.evaluation.replica_table import COURSE, OUTCOME, evaluate
from pipeline.foundations.formats import save_arrays
from pipeline.history.record import task_of
from pipeline.params.params import read

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [Requirement(text) for texts in PROJECT["optional-dependencies"].values() for text in texts]
# What no script must install for the public surface. Dask comes with `distributed`.
HEAVY = ("dask", "distributed", "dvc", "mlflow", "numba", "tensorboard", "tensorflow")
OFFERED = {"mlflow", "tensorboard", "tensorflow"}  # what a script that trains brings along, or does without
COME_ALONG = {"markupsafe", "ruamel-yaml-clib"}  # with jinja2 and ruamel.yaml
BUILT_FROM = ("pyproject.toml", "setup.py", "params.yaml", "README.md", "LICENSE")
PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)


# What it needs


def pinned(lock: Path) -> dict[str, set[str]]:
    """The versions that a lock has of each package, for whichever Python or system."""
    found: dict[str, set[str]] = {}
    for name, version in PINNED.findall(lock.read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize("requirement", [*BASE, *EXTRAS], ids=str)
def test_the_lock_has_what_the_project_asks_for(requirement: Requirement) -> None:
    versions = pinned(ROOT / "requirements.lock").get(canonicalize_name(requirement.name), set())
    assert versions
    assert all(requirement.specifier.contains(version) for version in versions)


def test_base_dependencies_are_wide() -> None:
    """No limit but a lower one, and the next major version where it may break what is asked of it."""
    for requirement in BASE:
        assert {each.operator for each in requirement.specifier} <= {">=", "<"}
        assert all("." not in each.version for each in requirement.specifier if each.operator == "<")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["pipeline.api", "pipeline.watch.autolog", "pipeline.watch.__main__"])
def test_the_public_surface_imports_base_dependencies_alone(module: str) -> None:
    owners = packages_distributions()
    foreign = external_packages(module) - sys.stdlib_module_names - OFFERED
    needed = {canonicalize_name(owner) for name in foreign for owner in owners[name]}
    assert needed - COME_ALONG <= {canonicalize_name(requirement.name) for requirement in BASE}


# Its public surface


IMPORTED = """
import sys
before = set(sys.modules)
import pipeline
print(*{name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
allowed = {"pipeline.foundations", "pipeline.foundations.namesakes"}
assert not {name for name in sys.modules if name.startswith("pipeline.")} - allowed
"""


def test_importing_the_package_loads_nothing_but_the_standard_library() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pipeline"]
    assert not done.stderr


def test_every_public_name_exists_and_is_documented() -> None:
    described = set(re.findall(r"`pipeline\.(\w+)", (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")))
    assert dir(pipeline) == sorted(pipeline.__all__)
    for name in pipeline.__all__:
        public = getattr(pipeline, name)
        assert public.__doc__
        assert name in described
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'diagnoze'"):
        _ = pipeline.diagnoze  # type: ignore[attr-defined]


@pytest.fixture
def made() -> xr.Dataset:
    """Three replicas: one learned, one was born dead, one died."""
    return history([[0.5, 0.9, 0.8], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]], dead=[[0, 0, 0], [1, 1, 1], [0, 1, 1]])


def test_the_table_is_that_of_the_stage_evaluate(made: xr.Dataset) -> None:
    params = read(ROOT / "params.yaml")
    rule = rule_for(task_of(made), params.evaluation.learned)
    table = pipeline.diagnose(made, learned=params.evaluation.learned)
    pd.testing.assert_frame_equal(table, evaluate(made, rule, params.diagnosis))
    curves = [f"{part}_{what}" for what in ("accuracy", "balanced_accuracy", "loss") for part in ("train", "test")]
    assert list(table.columns) == [*OUTCOME, *curves, *COURSE, *evidence.COLUMNS]
    assert list(table.cause) == ["none", "born_dead", "died_in_training"]


def test_without_a_threshold_a_replica_has_learned_halfway_from_guessing(made: xr.Dataset) -> None:
    made.test_balanced_accuracy[:, -1] = [0.76, 0.75, 0.74]
    made.test_accuracy[:, -1] = 0.9
    assert list(pipeline.diagnose(made).outcome) == ["learned", "not_learned", "not_learned"]
    assert list(pipeline.diagnose(made, learned=0.8).outcome) == ["learned"] * 3
    assert list(pipeline.diagnose(made, learned={"balanced_accuracy": 0.7}).outcome) == ["learned"] * 3
    made.test_loss[:, -1] = [0.1, 0.69, 0.8]
    assert list(pipeline.diagnose(made, learned={"skill": 0.5}).outcome) == ["learned", "not_learned", "not_learned"]


def test_thresholds_can_be_others(made: xr.Dataset) -> None:
    assert list(pipeline.diagnose(made, learned=0.85).outcome) == ["not_learned"] * 3
    made.probe_gradient_mean_abs[:] = 0.5
    assert pipeline.diagnose(made, learned=0.85).cause[0] == "unexplained"
    assert pipeline.diagnose(made, learned=0.85, vanishing_scale=0.99).cause[0] == "vanishing"


def test_mistakes_are_one_line_and_none_names_a_tool_that_may_not_be_there(made: xr.Dataset, tmp_path: Path) -> None:
    damaged, table, other = (tmp_path / name for name in ("damaged.nc", "table.nc", "other.nc"))
    damaged.write_bytes(b"CDF")
    save_arrays(made.drop_vars("path"), table)
    save_arrays(made.rename(layer="level"), other)
    for call, said in (
        (lambda: pipeline.read_history(tmp_path / "none.nc"), f"{tmp_path}/none.nc: not found: must be a history"),
        (lambda: pipeline.read_history(damaged), f"{damaged}: damaged"),
        (lambda: pipeline.read_history(table), f"{table}: no variable path"),
        (lambda: pipeline.read_history(other), f"{other}: path is over"),
        (lambda: pipeline.diagnose(made.drop_vars("path")), "history: no path"),
        (lambda: pipeline.diagnose(made.drop_attrs()), "history: no task"),
        (lambda: pipeline.diagnose("history.nc"), "history: history.nc: must be a history"),  # type: ignore[arg-type]
        (
            lambda: pipeline.diagnose(made.drop_vars("test_accuracy"), learned=0.5),
            "history: no test accuracy: `learned` needs this score",
        ),
        (lambda: pipeline.diagnose(made, learned="x"), "learned: x: must be a number"),  # type: ignore[arg-type]
        (lambda: pipeline.diagnose(made, learned=[0.5]), "learned: [0.5]: must be"),  # type: ignore[arg-type]
        (lambda: pipeline.diagnose(made, learned=float("nan")), "learned.score: nan: must be a finite number"),
        (lambda: pipeline.diagnose(made, slow_fall="x"), "diagnosis.slow_fall: x: must be a"),  # type: ignore[arg-type]
        (lambda: pipeline.diagnose(made, learned=1.5), "1.5: must be less than 1"),
        (lambda: pipeline.diagnose(made, learned={"r2": 0.5}), "r2: must be one of accuracy, balanced_accuracy, skill"),
        (lambda: pipeline.diagnose(made, learned={"acuracy": 0.5}), "did you mean accuracy?"),
        (lambda: pipeline.diagnose(made, vanishing_ration=0.1), "did you mean vanishing_ratio?"),
        (lambda: pipeline.diagnose(made, slow_fall=2), "diagnosis.slow_fall: 2: must be less than 1"),
    ):
        with pytest.raises(pipeline.UserError, match=re.escape(said)) as caught:
            call()
        assert not re.search(r"\n|dvc", str(caught.value))


# A `pipeline` of the user's own


def script(folder: Path, line: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that is in `folder`; this package and `path` come after it on Python's path, as if installed."""
    (folder / "script.py").write_text(line + "\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))}
    command = [sys.executable, str(folder / "script.py")]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def warned(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "Warning: " in line]


@pytest.mark.parametrize("module", ["steps.py", "steps/load.py"])
def test_one_line_says_which_folder_of_modules_is_hidden(tmp_path: Path, module: str) -> None:
    """Without an `__init__.py` it comes after every package, also one that is later on the path."""
    (tmp_path / "pipeline" / module).parent.mkdir(parents=True)
    (tmp_path / "pipeline" / module).touch()
    done = script(tmp_path, "from pipeline import steps")
    (line,) = warned(done)
    assert line.startswith(f"{tmp_path / 'script.py'}:1: UserWarning: ")
    assert f"{ROOT / 'pipeline'}, not {tmp_path / 'pipeline'}: rename the latter" in line
    assert "ImportError" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["pipeline.py", "pipeline/__init__.py"])
def test_one_line_says_which_module_is_hidden_that_is_later_on_the_path(tmp_path: Path, name: str) -> None:
    later = tmp_path / "later"
    (later / name).parent.mkdir(parents=True)
    (later / name).touch()
    done = script(tmp_path, "import pipeline", later)
    (line,) = warned(done)
    assert f"not {later / name.removesuffix('/__init__.py')}: rename the latter" in line
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["pipeline.py", "pipeline/__init__.py"])
def test_a_module_that_hides_this_package_is_named_by_python(tmp_path: Path, name: str) -> None:
    """Nothing of this package runs then. The how-to relies on this line."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    last = script(tmp_path, "from pipeline import diagnose").stderr.splitlines()[-1]
    assert last.startswith("ImportError: cannot import name 'diagnose' from 'pipeline'")
    assert str(tmp_path / name) in last


def test_what_hides_nothing_is_passed_over(tmp_path: Path) -> None:
    """Data without modules, and a copy of this package, such as an installed one where the repository's runs."""
    copy = tmp_path / "later"
    shutil.copytree(ROOT / "pipeline", copy / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipeline" / "tables").mkdir(parents=True)
    (tmp_path / "pipeline" / "tables" / "a.csv").touch()
    done = script(tmp_path, "import pipeline; print(pipeline.__file__)", copy)
    assert (done.stdout, done.stderr) == (f"{ROOT / 'pipeline' / '__init__.py'}\n", "")


# The wheel itself, and a bare environment


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def build(source: Path, to: Path) -> Path:
    """The wheel of a source tree, by pip, with the build backend that is installed here: no network."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-build-isolation", "-w", str(to), str(source)], check=True)
    (wheel,) = to.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from, and of what must not be in it."""
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("pipeline", "tests", "benchmarks", "studies", "metrics"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"))


def needed(found: Distribution) -> Iterator[str]:
    """The names of all distributions that it requires here without an extra, and of those that these require."""
    waiting, seen = list(found.requires or ()), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name not in seen and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            seen.add(name)
            waiting += distribution(name).requires or ()
            yield name


def link(names: Iterable[str], folder: Path) -> None:
    """Link what these distributions consist of into a folder of packages."""
    for found in map(distribution, names):
        for top in {Path(file).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).is_symlink():  # a namespace, such as `google`, belongs to several
                (folder / top).symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that has the wheel and exactly what it requires.

    The requirements are links to those installed here: the locked versions, in seconds and without a network. pip
    installs the wheel itself.
    """
    python = strangers.environment(tmp_path_factory.mktemp("bare"))
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.check_output(ask, text=True).strip())
    inside = zipfile.Path(wheel, f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/")
    link(needed(PathDistribution(inside)), packages)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)
    return python


def run(python: Path, code: str, folder: Path) -> str:
    """What the code prints, in an environment and a folder of its own."""
    return strangers.run(python, code, folder, "-W", "error::UserWarning")


@pytest.mark.slow
def test_the_wheel_has_the_package_and_params_and_nothing_else(wheel: Path) -> None:
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    inside = {name for name in names(wheel) if ".dist-info/" not in name}
    assert inside == {*package, "pipeline/params/params.yaml"}
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("pipeline/params/params.yaml") == (ROOT / "params.yaml").read_bytes()
    assert wheel.name.split("-")[:2] == [PROJECT["name"].replace("-", "_"), pipeline.__version__]


@pytest.mark.slow
def test_a_module_that_is_gone_is_in_no_later_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    """And a source distribution builds the same one."""
    again = tmp_path / "again"
    shutil.copytree(source, again)
    (again / "pipeline" / "export.py").unlink()
    assert set(names(wheel)) - set(names(build(again, tmp_path / "wheel"))) == {"pipeline/export.py"}
    make = f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", make], cwd=source, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    assert names(build(archive, tmp_path / "of_source")) == names(wheel)


@pytest.mark.slow
def test_the_bare_environment_is_bare(bare: Path, tmp_path: Path) -> None:
    find = f"import importlib.util as u; print([name for name in {HEAVY} if u.find_spec(name)])"
    assert run(bare, find, tmp_path) == "[]"
    place = Path(run(bare, "import pipeline; print(pipeline.__file__)", tmp_path))
    assert bare.parent.parent in place.parents


JUDGE = "import pipeline; pipeline.diagnose(pipeline.read_history('history.nc')).to_csv('table.csv', index=False)"


@pytest.mark.slow
def test_a_history_is_diagnosed_in_the_bare_environment(bare: Path, made: xr.Dataset, tmp_path: Path) -> None:
    save_arrays(made, tmp_path / "history.nc")
    run(bare, JUDGE, tmp_path)
    assert (tmp_path / "table.csv").read_text() == pipeline.diagnose(made).to_csv(index=False)


ROOMS = """
import importlib, pkgutil, sys
for room in ("diagnosis", "evaluation", "history", "params", "report"):
    package = importlib.import_module(f"pipeline.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"pipeline.{room}."):
        importlib.import_module(module.name)
"""


@pytest.mark.slow
def test_the_rooms_that_read_a_record_need_base_dependencies_alone(bare: Path, tmp_path: Path) -> None:
    run(bare, ROOMS, tmp_path)


@pytest.mark.slow
def test_the_how_tos_script_works_in_the_bare_environment(bare: Path, made: xr.Dataset, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "read_history" in block)
    save_arrays(made, tmp_path / "history.nc")
    assert "born_dead" in run(bare, code, tmp_path)


@pytest.mark.slow
@pytest.mark.long
def test_a_network_is_watched_in_the_bare_environment_with_tensorflow(bare: Path, tmp_path: Path) -> None:
    """By the command, `autolog` and `Diagnosis`; TensorFlow and what it requires come after the rest on the path."""
    beside = tmp_path / "tensorflow"
    beside.mkdir()
    link(["tensorflow", *needed(distribution("tensorflow"))], beside)
    printed = run(bare, f"import sys; sys.path.append({str(beside)!r})\n{strangers.WATCH}", tmp_path)
    assert len(re.findall(r"Learned: balanced accuracy [\d.]+ on training data after", printed)) == 3
    assert "Note: " not in printed
    assert (tmp_path / "why.html").is_file()
