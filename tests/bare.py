"""Install the package as a stranger does and train under it: `python3 tests/bare.py [tensorflow==2.16.2 keras==3.5.0]`.

pip installs this checkout and TensorFlow, in the versions that are named, into a new environment outside the
repository. There a network trains under `Diagnosis`, `autolog` and `python3 -m pipeline.watch`, and the page is
written. tests/test_wheel.py trains the same network in an environment of links, without a download.
"""

import argparse
import os
import subprocess
import tempfile
import venv
from pathlib import Path

from imports import ROOT

# One process for the three ways: TensorFlow takes seconds to import.
WATCH = """
import runpy, sys
from pathlib import Path

SCRIPT = '''
import keras, numpy
inputs = numpy.random.default_rng(0).normal(size=(128, 2)).astype("float32")
labels = (inputs[:, 0] > 0).astype("int32")
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
model.fit(inputs, labels, epochs=5, verbose=0)
'''
Path("script.py").write_text(SCRIPT)
sys.argv = ["pipeline.watch", "script.py"]
runpy.run_module("pipeline.watch", run_name="__main__", alter_sys=True)

import pipeline
pipeline.autolog()
script = runpy.run_path("script.py")
pipeline.autolog(disable=True)

diagnosis = pipeline.Diagnosis(script["inputs"], script["labels"])
script["model"].fit(script["inputs"], script["labels"], verbose=0, callbacks=[diagnosis])
print(diagnosis.verdict)
diagnosis.report("why.html")
"""


def environment(folder: Path) -> Path:
    """The Python of a new environment."""
    venv.create(folder, symlinks=os.name != "nt")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(python: Path, code: str, folder: Path, *options: str) -> str:
    """Return what the code prints, in an environment and a folder of its own; `options` are Python's."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW"))}
    done = subprocess.run(
        [str(python), *options, "-c", code], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def main() -> None:
    """Install, train, and print the verdicts."""
    parser = argparse.ArgumentParser(prog="python3 tests/bare.py", description=__doc__)
    parser.add_argument("packages", nargs="*", default=["tensorflow"], help="what pip installs beside the checkout")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python = environment(folder / "environment")
        pip = [str(python), "-m", "pip"]
        subprocess.run([str(python), "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*pip, "install", "--quiet", str(ROOT), *chosen.packages], check=True)
        versions = "import keras, tensorflow; print(f'Keras {keras.__version__}, TensorFlow {tensorflow.__version__}')"
        print(run(python, versions, folder))
        print(run(python, WATCH, folder))
        assert (folder / "why.html").is_file()


if __name__ == "__main__":
    main()
