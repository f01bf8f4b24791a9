"""`make example NAME=digits`: run an example in a folder of its own, `examples/<name>/run`.

The folder has its own copy of the code, its own params.yaml, DVC cache and MLflow store, so the repository's results
stay as they are. If an example has several parameter files, they run one after the other and share the store.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.foundations.files import save_text
from pipeline.params.file import one_of
from pipeline.params.network_params import NETWORKS

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = Path("examples")
COPIED = ("pipeline", "dvc.yaml", "studies/dvc.yaml", ".dvcignore")
# Environment variables that would make the example write into the repository's own store.
REMOVED = ("DVC_ROOT", "DVC_EXP_NAME", "MLFLOW_TRACKING_URI")


def main(name: str) -> None:
    """Run all parameter files of an example.

    Raises:
        UserError: there is no such example.
        SystemExit: a command failed and reported the reason.
    """
    names = sorted(path.parent.name for path in (ROOT / EXAMPLES).glob("*/params*.yaml"))
    if name not in names:
        raise UserError(f"example {name}: {one_of(dict.fromkeys(names), name)}")
    source, folder = ROOT / EXAMPLES / name, ROOT / EXAMPLES / name / "run"
    _fill(source, folder)
    for params in sorted(source.glob("params*.yaml")):
        print(f"example {name}: {params.relative_to(ROOT)}", flush=True)
        shutil.copy(params, folder / "params.yaml")
        _run([sys.executable, "-m", "pipeline.repro"], folder)
        shutil.copytree(folder / "reports", folder / f"reports_{params.stem}", dirs_exist_ok=True)
    reports = ", ".join(str(path.relative_to(ROOT) / "index.html") for path in sorted(folder.glob("reports_*")))
    print(f"Reports: {reports}. To compare the runs in MLflow: make ui EXAMPLE={name}")


def _fill(source: Path, folder: Path) -> None:
    """Copy the current code and make the example's tables and networks; former results stay for DVC to reuse."""
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
    parser = argparse.ArgumentParser(description="Run an example in a folder of its own.")
    parser.add_argument("name", help="a folder of examples/")
    arguments = parser.parse_args()
    with reported_in_one_line():
        main(arguments.name)
