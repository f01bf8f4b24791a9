"""Test dependencies: of each stage on code and parameters, and of each package on lower packages."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from imports import EXEMPT, ROOT, external_packages, module_file, project_modules, within
from ruamel.yaml import YAML
from workspace import Workspace

from pipeline.report.content import SHARED

STAGES = {
    name: stage.get("do", stage)
    for file in ("dvc.yaml", "studies/dvc.yaml")
    for name, stage in YAML(typ="safe").load(ROOT / file)["stages"].items()
}
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "pipeline").rglob("*.py")
    if path.name != "__init__.py"
)
# From the ground up: a package imports only from the packages before its own.
ORDER = (
    *("foundations", "params", "data", "history", "models", "recorder", "remedies", "training", "studies"),
    *("diagnosis", "evaluation", "report", "export", "tracking", "watch", "stages", "check", "repro"),
    *("setup", "api"),
)
WITHOUT_TENSORFLOW = ("data", "diagnosis", "evaluation", "history", "params", "report", "tracking")


# The sections behind each attribute of `Params` that is not just the section of its own name.
MADE_OF = {
    "variant": ("defaults", "variants"),
    "variants": ("defaults", "variants"),
    "network": ("defaults", "networks", "training"),
    "networks": ("defaults", "networks", "training"),
    "recipes": ("defaults", "networks", "training", "variants"),
    "training_of": ("networks", "training"),
    "study": ("studies", "training"),  # the base comes from the recipe of its run
    "trained_with": ("data", "defaults", "networks", "split", "training", "variants"),
    "model_dump": SHARED,  # the report's page names these sections
    "judged_by": ("diagnosis", "evaluation"),
}


# The module to which a stage passes all of `params`; there, it is called `findings.params`.
PASSED_ON = {"compare": "pipeline.report.content"}


def sections(stage: str) -> set[str]:
    return {name.split(".")[0] for name in STAGES[stage].get("params", ())}


def code(stage: str) -> list[str]:
    """Return the files and folders of code that the stage lists."""
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith("pipeline/")]


def run_by(stage: str) -> str:
    """Return the module that the stage runs."""
    command = re.search(r"-m (pipeline\.stages\.\w+)", STAGES[stage]["cmd"])
    assert command is not None
    return command[1]


def imported(stage: str) -> set[Path]:
    """Return the files that the stage imports, and other files in their folders, such as the template of a page."""
    modules = [module_file(name) for name in project_modules(run_by(stage))]
    beside = {file for module in modules for file in module.parent.iterdir() if file.suffix not in ("", ".py")}
    return {file.relative_to(ROOT) for file in (*modules, *beside)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_everything_that_it_imports(stage: str) -> None:
    places = [*code(stage), *EXEMPT]
    assert [str(file) for file in imported(stage) if not any(within(place, file) for place in places)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_at_most_ten_places_of_code_and_uses_each(stage: str) -> None:
    assert code(stage) == sorted(code(stage))
    assert len(code(stage)) <= (12 if stage == "study" else 10)
    assert "pipeline" not in code(stage)
    assert [place for place in code(stage) if not any(within(place, file) for file in imported(stage))] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_exactly_the_sections_that_it_lists(stage: str) -> None:
    """The sections are those behind the attributes of `params` in the stage and in the module of PASSED_ON."""
    modules = [run_by(stage), *([PASSED_ON[stage]] if stage in PASSED_ON else [])]
    nodes = [node for module in modules for node in ast.walk(ast.parse(module_file(module).read_text()))]
    taken = {node.attr for node in nodes if isinstance(node, ast.Attribute) and _is_params(node.value)}
    read = {section for name in taken for section in MADE_OF.get(name, (name,))}
    assert read == sections(stage)


def _is_params(node: ast.expr) -> bool:
    """Return whether the expression is `params`, `findings.params`, or `read()`."""
    if isinstance(node, ast.Attribute):
        return node.attr == "params"
    named = node.func if isinstance(node, ast.Call) else node
    return isinstance(named, ast.Name) and named.id == ("read" if isinstance(node, ast.Call) else "params")


def test_training_a_variant_depends_on_no_other_variant() -> None:
    assert "variants.${key}" in STAGES["train"]["params"]
    assert "variants" not in STAGES["train"]["params"]


def test_a_study_depends_on_no_variant_but_its_base() -> None:
    assert "studies.${key}" in STAGES["study"]["params"]
    assert "runs/${item.base}/recipe.json" in STAGES["study"]["deps"]  # the resolved recipe of a variant or a network
    assert not {"defaults", "networks", "studies", "variants"} & set(STAGES["study"]["params"])


def test_a_threshold_a_plot_or_tracking_retrains_nothing() -> None:
    assert not {"evaluation", "diagnosis", "comparison", "tracking"} & sections("train")
    packages = {dep.split("/")[1] for dep in STAGES["train"]["deps"] if dep.startswith("pipeline/")}
    assert "training" in packages
    assert not packages & {"evaluation", "diagnosis", "report", "tracking", "cells", "watch"}
    assert "pipeline/data/sources.py" not in STAGES["train"]["deps"]


IMPORTED = """
import importlib, sys
for stage in sys.argv[1:]:
    importlib.import_module(f"pipeline.stages.{stage}")
    assert not {"tensorflow", "keras"} & set(sys.modules), stage
    assert stage != "train" or "sklearn" not in sys.modules
from pipeline.check import main
main()
assert not {"tensorflow", "keras"} & set(sys.modules), "check"
"""


@pytest.mark.slow
def test_no_stage_imports_tensorflow_before_it_must() -> None:
    """Nor does the check of the shipped params.yaml, whose variants are plain stacks of dense layers.

    The test looks into sys.modules. One process imports all stages: if TensorFlow is not loaded then, no stage loads
    it. `train` is the first, because it must not load scikit-learn, which others load.
    """
    stages = ["train", "generate", "split", "evaluate", "compare", "track", "study"]
    subprocess.run([sys.executable, "-c", IMPORTED, *stages], cwd=ROOT, check=True)


TRAINED = """
import sys
from pipeline.stages.train import main
main("relu_2")
assert not {"sklearn", "dask.array"} & set(sys.modules)
"""


@pytest.mark.slow
def test_a_variant_is_trained_without_scikit_learn_and_dask(published: Workspace, tmp_path: Path) -> None:
    """Their imports take a second, for each of many variants."""
    study = published.bare(tmp_path / "study")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", TRAINED], cwd=study.folder, env=environment, check=True)


def test_who_may_import_tensorflow_and_mlflow() -> None:
    """All modules in one test, because one for each would be hundreds."""
    exempt = {"pipeline.tracking.package_models", "pipeline.tracking.raw_rows"}
    loaded = {module: external_packages(module) for module in MODULES if module not in exempt}
    assert [
        each for each in loaded if room(each) in WITHOUT_TENSORFLOW and loaded[each] & {"tensorflow", "keras"}
    ] == []
    may_load_mlflow = ("tracking", "stages", "repro", "watch")
    assert [each for each in loaded if room(each) not in may_load_mlflow and "mlflow" in loaded[each]] == []
    direct = [module for module in MODULES if "tensorflow" in {name.split(".")[0] for name in imported_by(module)}]
    direct.remove("pipeline.foundations.tensorflow")
    assert [module for module in direct if room(module) not in ("watch", "recorder", "remedies")] == []


def test_code_that_watches_a_users_training_does_not_set_up_tensorflow() -> None:
    """That module hides devices and sets threads, but in a user's script the user's settings hold."""
    unwanted = {"pipeline.foundations.tensorflow", "pipeline.tracking.store"}
    watching = [module for module in MODULES if room(module) == "watch"]
    assert [module for module in watching if unwanted & project_modules(module)] == []


def test_a_package_imports_only_from_below() -> None:
    upwards = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imported_by(module)
        if name.startswith("pipeline.")
        and room(name) != room(module)
        and ORDER.index(room(name)) >= ORDER.index(room(module))
    ]
    assert upwards == []


def room(module: str) -> str:
    """Return the package of the project that the module belongs to, or its own name at the top."""
    return module.split(".")[1]


@cache
def imported_by(module: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module_file(module).read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            if node.module == "pipeline":
                names.update(f"pipeline.{alias.name}" for alias in node.names)
    return names


def test_all_package_files_are_empty_except_those_of_the_project_and_the_stages() -> None:
    filled = [path.parent.name for path in (ROOT / "pipeline").rglob("__init__.py") if path.stat().st_size]
    assert sorted(filled) == ["pipeline", "stages"]


def test_the_locks_hold_no_address() -> None:
    for lock in ("requirements.lock", "benchmarks/requirements.lock"):
        text = (ROOT / lock).read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"://|^\s*--(?!hash=)", text, re.MULTILINE)


HIDDEN = """
import sys
import pipeline.foundations.tensorflow
assert not {"sklearn", "matplotlib", "jax"} & set(sys.modules)
import matplotlib.pyplot, sklearn.base
"""


@pytest.mark.slow
def test_keras_is_imported_without_unused_packages() -> None:
    """Such packages are neither loaded nor marked as missing, so other code can import them."""
    subprocess.run([sys.executable, "-c", HIDDEN], cwd=ROOT, check=True)
