"""`make example NAME=digits`: run an example in its own folder, `examples/<name>/run`.

Nothing else in the repository changes: the folder has its own copy of the code, params.yaml, DVC cache and MLflow
store. If an example has several parameter files, they run one after the other into one store.

An example's parameter file states only what differs from the repository's params.yaml in the sections INHERITED; the
folder's params.yaml has both, because DVC reads all sections from one file.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.foundations.files import save_text
from pipeline.params.file import PARAMS_FILE, Plain, as_map, load, one_of
from pipeline.params.network_params import NETWORKS
from pipeline.params.variant_params import merge

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = Path("examples")
COPIED = ("pipeline", "dvc.yaml", "studies/dvc.yaml", ".dvcignore")
INHERITED = ("training", "defaults", "tracking", "tensorboard", "diagnosis")
# Environment variables that would let the example write into the repository's own store.
REMOVED = ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI")


def main(name: str) -> None:
    """Run all parameter files of an example.

    Raises:
        UserError: there is no such example.
        SystemExit: a command failed and has printed the reason.
    """
    names = sorted(path.parent.name for path in (ROOT / EXAMPLES).glob("*/params*.yaml"))
    if name not in names:
        raise UserError(f"example {name}: {one_of(dict.fromkeys(names), name)}")
    source, folder = ROOT / EXAMPLES / name, ROOT / EXAMPLES / name / "run"
    _lay_out(source, folder)
    for params in sorted(source.glob("params*.yaml")):
        print(f"example {name}: {params.relative_to(ROOT)}", flush=True)
        with (folder / "params.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(with_inherited(load(params)), file)
        _run([sys.executable, "-m", "pipeline.repro"], folder)
        if load(params).get("studies"):
            _run([sys.executable, "-m", "pipeline.repro", "--studies"], folder)
        shutil.copytree(folder / "reports", folder / f"reports_{params.stem}", dirs_exist_ok=True)
    pages = (*sorted(folder.glob("reports_*/index.html")), *sorted(folder.glob("studies/*/index.html")))
    reports = ", ".join(str(path.relative_to(ROOT)) for path in pages)
    print(f"Reports: {reports}. To compare the runs in MLflow: make ui EXAMPLE={name}")


def with_inherited(own: dict[str, Plain]) -> dict[str, Plain]:
    """Return an example's parameters, completed by the sections that it inherits from the repository's params.yaml."""
    shared = load(ROOT / PARAMS_FILE)
    inherited = {name: merge(as_map(shared[name], name), as_map(own.get(name), name)) for name in INHERITED}
    return {**own, **inherited}


def _lay_out(source: Path, folder: Path) -> None:
    """Copy the present code and the example's networks into the folder, and make its tables. Earlier results stay."""
    folder.mkdir(exist_ok=True)
    for name in COPIED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    save_text("{}\n", folder / "studies" / "tried.json")
    shutil.rmtree(folder / NETWORKS, ignore_errors=True)
    if (source / NETWORKS).is_dir():
        shutil.copytree(source / NETWORKS, folder / NETWORKS)
    (folder / "tables").mkdir(exist_ok=True)
    for script in sorted(source.glob("*.py")):
        _run([sys.executable, str(script), str(folder / "tables")], folder)
    if not (folder / ".dvc").exists():
        _run(["dvc", "init", "--quiet", "--no-scm"], folder)
        _run(["dvc", "config", "core.analytics", "false"], folder)


def _run(command: list[str], folder: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in REMOVED}
    code = subprocess.run(command, cwd=folder, env={**environment, "PYTHONPATH": str(folder)}, check=False).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run an example in its own folder.")
    parser.add_argument("name", help="a folder of examples/")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.name)
