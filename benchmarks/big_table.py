"""Measure `generate` and `split` of a million rows of 20 numbers: `python3 -m benchmarks.big_table`.

The peer is a script in which pandas and scikit-learn read, split and scale the same Parquet file. On a shared machine
compare the ratio, not the seconds. Memory is the peak of the whole process, with the interpreter and all packages, in
sizes of the table as float32 (80 MB).
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
ROWS, COLUMNS, TRAIN = 1_000_000, 20, 800_000
ROUNDS = 5
FLOAT32_TABLE = ROWS * COLUMNS * 4  # bytes
DATA = {"source": "tables/big.parquet", "task": "auto", "target": "label"}
SPLIT = {"train": TRAIN, "scale": {"inputs": "standard"}, "fit_scaler_on": "train"}
# Runs in a process of its own: a child's peak starts at its parent's memory, which so stays small.
MAKING = f"""
import numpy as np, pandas as pd
draw = np.random.default_rng(1)
table = pd.DataFrame(draw.normal(size=({ROWS}, {COLUMNS})), columns=[f"x{{n}}" for n in range(1, {COLUMNS} + 1)])
table["label"] = (table["x1"] + draw.normal(size={ROWS}) > 0).astype(np.int64)
table.to_parquet("tables/big.parquet", index=False)
"""
PEER = f"""
import pandas as pd
from sklearn.preprocessing import StandardScaler
table = pd.read_parquet("tables/big.parquet")
inputs, labels = table.drop(columns="label").to_numpy(), table["label"].to_numpy()
scaler = StandardScaler().fit(inputs[:{TRAIN}])
train, test = (scaler.transform(part) for part in (inputs[:{TRAIN}], inputs[{TRAIN}:]))
"""
READING = """
from pipeline.data.split.files import load_split
load_split()
"""
COMMANDS = {
    "peer": ["-c", PEER],
    "generate": ["-m", "pipeline.stages.generate"],
    "split": ["-m", "pipeline.stages.split"],
    "reading": ["-c", READING],  # what `train` does
}


def lay_out(folder: Path) -> None:
    """Write the table, and the repository's params.yaml with the table as its data."""
    (folder / "tables").mkdir()
    subprocess.run([sys.executable, "-c", MAKING], cwd=folder, check=True)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="safe").dump({**params, "data": DATA, "split": SPLIT}, file)


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds of a process, and its peak memory in tables as float32."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)[:100]} failed with exit code {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024 / FLOAT32_TABLE


def measure() -> dict[str, float]:
    """Run all commands in turn in every round; print and return the medians."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lay_out(folder)
        rounds = [{name: run(command, folder) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    seconds, memory = ({name: median(each[name][part] for each in rounds) for name in COMMANDS} for part in (0, 1))
    for name in COMMANDS:
        print(f"{name:10} {seconds[name]:6.2f} s   peak {memory[name]:5.2f} tables as float32", flush=True)
    return {
        "table_seconds": median(each["generate"][0] + each["split"][0] for each in rounds),
        "table_peer_seconds": seconds["peer"],
        "table_over_peer": median((each["generate"][0] + each["split"][0]) / each["peer"][0] for each in rounds),
        "table_peak_tables": max(memory["generate"], memory["split"]),
        "table_peer_peak_tables": memory["peer"],
    }


def main() -> None:
    """Measure and print."""
    results = measure()
    print(f"generate and split: {results['table_over_peer']:.2f} times the peer's time; at most 3 allowed")
    print(f"peak memory: {results['table_peak_tables']:.2f} tables; at most 6 allowed")


if __name__ == "__main__":
    main()
