"""Publish and train through a bad network: `python3 tests/campaigns/network.py [--trials 20] [--fits 10] [--seed 0]`.

A proxy before a real MLflow server drops connections, delays answers by 5 s, cuts them, or answers 500 or garbage, at
random. A publisher (`make publish`) must end complete, or in one line; once the faults are over, the same command must
publish what an undisturbed publisher publishes, once. A training under the callback must not be slowed by more than the
limit that docs/callback.md states, raises nothing, and ends with the same weights.
"""

import argparse
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from campaigns.ground import Ended, Ground, import_what_commands_need, variables
from campaigns.params_mutants import tiny, written
from campaigns.proxy import FAULTS, Network, proxy
from preloaded import Preloaded
from workspace import ROOT, free_port

from pipeline.tracking.server_process import serving, wait_until_it_answers

LOG = Path(__file__).with_name("network.jsonl")
VARIANT = "tanh_1"
# The share of answers with a fault, the faults, and the seconds after which there are none any more.
WEATHER: tuple[tuple[float, tuple[str, ...], float], ...] = (
    (0.03, FAULTS, 600),
    (0.1, FAULTS, 60),
    (0.3, FAULTS, 20),
    (1.0, FAULTS, 8),
    (1.0, ("delay",), 40),
    (0.5, ("drop before", "drop after"), 20),
    (0.2, ("500 after", "garbage", "cut"), 30),
    (1.0, FAULTS, 600),
)
SILENT_WITHIN = 30 + 20  # docs/how-to.md: a server that does not answer for 30 s; and as long as a command may compute
EPOCHS, PACE = 30, 0.2  # of the watched training, and seconds of each


def watch_a_fit(mlflow: str) -> None:
    """Train a small model under the callback; print as JSON how it went."""
    import keras
    import numpy as np

    from pipeline import Diagnosis

    inputs = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    labels = (inputs[:, :1] > 0).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    pace = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(PACE))
    diagnosis = Diagnosis(inputs, labels, mlflow=mlflow == "mlflow", max_overhead=1000)
    began, raised = time.monotonic(), ""
    try:
        model.fit(inputs, labels, epochs=EPOCHS, verbose=0, callbacks=[diagnosis, pace])
    except BaseException as error:
        raised = repr(error)
    seconds = time.monotonic() - began
    digest = hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in model.weights)).hexdigest()
    headline = diagnosis.verdict.headline
    print(json.dumps({"seconds": seconds, "raised": raised, "weights": digest, "verdict": headline}))


def published(client: Any, experiment: str, model: str) -> dict[str, Any]:
    """Return what an experiment has, without ids and times."""
    found = client.get_experiment_by_name(experiment)
    runs = [run for run in logged_in(client, found.experiment_id)]
    tags = [key for key in found.tags if key.startswith("pipeline.publisher")]
    models = client.search_logged_models([found.experiment_id])
    versions = client.search_model_versions(f"name = '{model}'")
    return {
        "runs": runs,
        "claims": len(tags),
        "models": sorted((each.name, str(each.status)) for each in models),
        "versions": [sorted(each.aliases) for each in versions],
    }


def logged_in(client: Any, experiment_id: str) -> Iterator[Any]:
    """Yield each parent run with its children, parameters, metrics and artifacts."""
    runs = client.search_runs([experiment_id], max_results=1000)
    for run in sorted(runs, key=lambda run: run.info.run_name):
        yield {
            "name": run.info.run_name,
            "status": run.info.status,
            "has_parent": "mlflow.parentRunId" in run.data.tags,
            "is_complete": "pipeline.complete" in run.data.tags,
            "params": dict(sorted(run.data.params.items())),
            "metrics": {key: value for key, value in sorted(run.data.metrics.items())},
            "points": sum(len(client.get_metric_history(run.info.run_id, key)) for key in sorted(run.data.metrics)[:3]),
            "artifacts": sorted(artifacts(client, run.info.run_id)),
            "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
        }


def artifacts(client: Any, run_id: str, path: str | None = None) -> Iterator[tuple[str, int]]:
    """Yield path and size of each artifact of a run."""
    for each in client.list_artifacts(run_id, path):
        if each.is_dir:
            yield from artifacts(client, run_id, each.path)
        else:
            yield each.path, each.file_size


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what differs from an undisturbed publication."""
    differing = [key for key in expected if key != "runs" and expected[key] != found[key]]
    names = [[run["name"] for run in each["runs"]] for each in (expected, found)]
    if names[0] != names[1]:
        return [*differing, f"runs {names[1]}"]
    for one, other in zip(expected["runs"], found["runs"], strict=True):
        differing += [f"{one['name']}: {key}" for key in one if one[key] != other[key]]
    return differing


class Trials:
    """A folder with a trained variant, and a server behind a proxy."""

    expected: dict[str, Any]  # what an undisturbed publisher publishes

    def __init__(self, place: Path, server_port: int, network: Network) -> None:
        from mlflow import MlflowClient

        self._network = network
        self._direct = MlflowClient(tracking_uri=f"http://127.0.0.1:{server_port}")
        self._ground = Ground(place / "ground", place / "canaries", {"watch_a_fit": watch_a_fit})
        self._ground.folder.mkdir()

    def train(self) -> None:
        """Train and evaluate the variant.

        Raises:
            RuntimeError: a command fails.
        """
        self._write_params("undisturbed")
        for command in ("generate", "split", "reference", f"train {VARIANT}", f"evaluate {VARIANT}"):
            ended = self._ground.command(*command.split(), seconds=600)
            if ended.code != 0:
                raise RuntimeError(f"{command}: exit code {ended.code}\n{ended.output}")

    def _write_params(self, name: str) -> None:
        document = tiny() | {"comparison": {}, "studies": {}}
        document["variants"] = {VARIANT: document["variants"][VARIANT]}
        document["tracking"] |= {"experiment": name, "registered_model": name}
        (self._ground.folder / "params.yaml").write_text(written(document), encoding="utf-8")

    def _publish(self, name: str) -> Ended:
        self._write_params(name)
        with variables(MLFLOW_TRACKING_URI=self._network.address):
            return self._ground.command("track", seconds=600)

    def publish_undisturbed(self) -> dict[str, Any]:
        """Return what a publisher publishes without faults."""
        done = self._publish("undisturbed")
        if done.code != 0:
            raise RuntimeError(done.output)
        return published(self._direct, "undisturbed", "undisturbed")

    def publish(self, name: str, weather: tuple[float, tuple[str, ...], float], after: int) -> dict[str, Any]:
        """Publish while there are faults, then without; return how both ended.

        Args:
            after: the number of requests before the faults.
        """
        network, (share, faults, seconds) = self._network, weather
        network.worsen(share, faults, seconds, after)
        began = network.answered_at = time.monotonic()
        (self._ground.folder / "mlruns" / "manifest.json").unlink(missing_ok=True)
        done = self._publish(name)
        took, silent = time.monotonic() - began, time.monotonic() - network.answered_at
        network.share = 0.0
        met = dict(network.met)
        wrong = []
        lines = [line for line in done.output.splitlines() if line.strip()]
        if "Traceback" in done.output:
            wrong.append("traceback")
        elif done.code == 0:
            wrong += self._differences(name, "first")
        elif (
            len(lines) > 3
            or not lines
            or (not lines[-1].startswith("error: MLFLOW_TRACKING_URI") and ("MLflow store" not in lines[-1]))
        ):
            wrong.append(f"{len(lines)} lines")
        if done.code and silent > SILENT_WITHIN:
            wrong.append(f"ended {silent:.0f} s after the last answer")
        again = self._publish(name) if done.code else done
        if again.code:
            wrong.append(f"the second one fails: {again.output.strip()[-300:]}")
        elif done.code:
            wrong += self._differences(name, "second")
        return {
            "what": "publish",
            "share": share,
            "faults": "all" if faults == FAULTS else ", ".join(faults),
            "after": after,
            "for": seconds,
            "met": sum(met.values()),
            "code": done.code,
            "seconds": round(took),
            "silent": round(silent),
            "said": " | ".join(lines)[-300:].replace(network.address, "http://proxy"),
            "wrong": wrong,
        }

    def _differences(self, name: str, which: str) -> list[str]:
        found = published(self._direct, name, name)
        return [f"{which}: {each}" for each in differences(self.expected, found)]

    def fit(self, with_mlflow: bool) -> dict[str, Any]:
        """Train under the callback; return what the script prints, and what it logs."""
        with variables(MLFLOW_TRACKING_URI=self._network.address):
            done = self._ground.command("watch_a_fit", "mlflow" if with_mlflow else "alone", seconds=600)
        if done.code != 0:
            raise RuntimeError(done.output)
        lines = [line for line in done.output.splitlines() if "pipeline.watch" in line]
        return json.loads(done.printed.splitlines()[-1]) | {"said": " | ".join(lines)}

    def watched(
        self, weather: tuple[float, tuple[str, ...], float], after: int, usual: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Train while there are faults.

        Args:
            after: the number of requests before the faults.
            usual: what a training without MLflow printed.
        """
        from pipeline.watch.mlflow_run import WAITS_WITHIN

        network, (share, faults, seconds) = self._network, weather
        network.worsen(share, faults, seconds, after)
        found = self.fit(with_mlflow=True)
        network.share = 0.0
        slower = found["seconds"] - usual["seconds"]
        wrong = [f"raised {found['raised']}"] if found["raised"] else []
        wrong += [key for key in ("weights", "verdict") if found[key] != usual[key]]
        if slower > WAITS_WITHIN:
            wrong.append(f"slower by {slower:.0f} s")
        return {
            "what": "fit",
            "share": share,
            "faults": "all" if faults == FAULTS else ", ".join(faults),
            "after": after,
            "for": seconds,
            "met": sum(network.met.values()),
            "slower": round(slower, 1),
            "said": found["said"][-400:].replace(network.address, "http://proxy"),
            "wrong": wrong,
        }


def main() -> int:
    """Run the trials; return how many go wrong."""
    parser = argparse.ArgumentParser(prog="python3 tests/campaigns/network.py", description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="of a publisher")
    parser.add_argument("--fits", type=int, default=10, help="trainings under the callback")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        os.environ.pop(name, None)
    luck, lines = random.Random(asked.seed), []
    import_what_commands_need()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="network-", ignore_cleanup_errors=True)))
        stack.enter_context(variables(PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1"))
        server = Preloaded(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="preloaded-"))))
        server.start()
        stack.callback(server.end)
        port, log = free_port(), place / "server.log"
        store = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{place / 'server.db'}"}
        options = ["--workers", "1", "--port", str(port), "--artifacts-destination", str(place / "artifacts")]
        process = stack.enter_context(serving(options, store, log))
        wait_until_it_answers(process, f"http://127.0.0.1:{port}", log)
        network = stack.enter_context(proxy(port, random.Random(f"{asked.seed} faults")))
        trials = Trials(place, port, network)
        if asked.trials:
            trials.train()
            trials.expected = trials.publish_undisturbed()
            requests = network.requests
            print(f"undisturbed: {len(trials.expected['runs'])} runs, {requests} requests", flush=True)
        for number in range(asked.trials):
            line = trials.publish(
                f"trial_{number}", WEATHER[number % len(WEATHER)], luck.choice((0, luck.randrange(requests)))
            )
            lines.append(line)
            print(json.dumps(line), flush=True)
        if asked.fits:
            trials.fit(with_mlflow=False)  # the first one compiles and imports
            usual = trials.fit(with_mlflow=False)
            before = network.requests
            trials.fit(with_mlflow=True)
            requests = network.requests - before
            print(f"alone: {usual['seconds']:.1f} s; undisturbed: {requests} requests", flush=True)
        for number in range(asked.fits):
            line = trials.watched(WEATHER[number % len(WEATHER)], luck.choice((0, luck.randrange(requests))), usual)
            lines.append(line)
            print(json.dumps(line), flush=True)
    LOG.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    wrong = sum(bool(line["wrong"]) for line in lines)
    print(f"{len(lines) - wrong} of {len(lines)} right")
    return wrong


if __name__ == "__main__":
    sys.exit(main() > 0)
