"""Test the whole pipeline: which stages DVC runs, what MLflow then holds, and which errors a user reads."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from workspace import (
    EPOCHS,
    REPLICAS,
    ROOT,
    SMALL,
    VARIANTS,
    WITHOUT_JOBS,
    Done,
    Logged,
    Workspace,
    answers,
    free_port,
    logged,
    stage,
    variants,
    wait_until,
)

pytestmark = pytest.mark.slow

TRACK = stage("track")
SHARES = {"median", "q25", "q75"}


def assert_whole(runs: dict[str, Logged]) -> None:
    """Check that each parent run is finished, is complete with replicas and models, and has a unique fingerprint."""
    for run in runs.values():
        assert run.status == "FINISHED"
        assert run.tags["pipeline.complete"] == "true"
        assert run.tags["pipeline.evaluation_hash"]
        assert set(run.children) == {f"replica {number:03d}" for number in range(REPLICAS)}
        assert len(run.models) == 2
        assert sorted(run.datasets) == ["test", "train"]
        for child in run.children.values():
            assert child.status == "FINISHED"
            assert 0 <= child.metrics["test_accuracy"] <= 1
    assert len({run.fingerprint for run in runs.values()}) == len(runs)


def lasting(runs: dict[str, Logged]) -> dict[str, Logged]:
    """Return the tags without those that mark the current run."""
    passing = ("pipeline.current", "pipeline.pair", "mlflow.runName", "mlflow.runColor")
    return {
        run_id: replace(run, name="", tags={key: value for key, value in run.tags.items() if key not in passing})
        for run_id, run in runs.items()
    }


def current(runs: dict[str, Logged]) -> dict[str, str]:
    """Return for each variant the number of layers of its current run."""
    return {run.variant: run.params["hidden_layers"] for run in runs.values() if "pipeline.current" in run.tags}


def assert_evaluated(runs: dict[str, Logged], threshold: float) -> None:
    """Check that every run has its replicas' outcomes by this threshold."""
    for run in runs.values():
        learned = [child.metrics["test_accuracy"] > threshold for child in run.children.values()]
        outcomes = [child.tags["outcome"] for child in run.children.values()]
        assert outcomes == ["learned" if each else "not_learned" for each in learned]
        assert run.metrics["learned_rate"] == pytest.approx(np.mean(learned), abs=1e-6)
        assert run.metrics["learned_share"] == pytest.approx(np.mean(learned), abs=1e-6)
        assert f"{sum(learned)} of {REPLICAS} replicas learned" in run.tags["mlflow.note.content"]


# From nothing


def test_repro_publishes_a_run_for_each_variant_and_replica(published: Workspace) -> None:
    """Each variant is one complete parent run, with metrics, a curve over all epochs, and a child for each replica."""
    runs = published.runs()
    assert set(variants(runs)) == VARIANTS
    assert len(runs) == len(VARIANTS)
    assert_whole(runs)
    assert_evaluated(runs, 0.75)
    manifest = published.json("mlruns/manifest.json")
    with published.client() as client:
        for run_id, run in runs.items():
            metrics = published.json(f"metrics/{run.variant}.json")
            assert run.metrics["learned_rate"] == metrics["learned"]["rate"]
            assert run.metrics["test_accuracy_median"] == metrics["test_accuracy"]["median"]
            curve = client.get_metric_history(run_id, "learned_share")
            assert sorted(point.step for point in curve) == list(range(EPOCHS + 1))
            assert run.params["training.epochs"] == str(EPOCHS)
            assert manifest[run.variant] == {
                "fingerprint": run.fingerprint,
                "evaluation_hash": run.tags["pipeline.evaluation_hash"],
            }
            for folder, pattern in (("figures", "*.png"), ("tables", "*.csv")):
                kept = {path.name for path in (published.folder / "evaluations" / run.variant).glob(pattern)}
                assert kept
                assert kept <= {Path(each.path).name for each in client.list_artifacts(run_id, folder)}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_metrics_files_keep_their_contract(published: Workspace, variant: str) -> None:
    """The keys of metrics/<variant>.json do not change, because other tools may rely on them."""
    metrics = published.json(f"metrics/{variant}.json")
    learned = metrics["learned"]
    low, high = learned["interval"]
    assert metrics["replicas"] == REPLICAS
    assert learned["rate"] == pytest.approx(learned["count"] / REPLICAS, abs=1e-6)
    assert 0 <= low <= learned["rate"] <= high <= 1
    for name in ("test_accuracy", "train_accuracy", "epochs_to_learn"):
        assert set(metrics[name]) == SHARES
    assert metrics["test_accuracy"]["q25"] <= metrics["test_accuracy"]["median"] <= metrics["test_accuracy"]["q75"]
    assert variant in (published.folder / "reports" / "index.md").read_text(encoding="utf-8")


def test_published_models_predict_what_was_recorded(published: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Keras models in MLflow are the median and the best replica: of raw points, not scaled ones, they predict what
    training wrote down of the test set."""
    from pipeline.data.raw_files import load_raw
    from pipeline.evaluation.ranking import best_replica, median_replica
    from pipeline.foundations.tensorflow import keras  # noqa: F401 -- before MLflow imports Keras, which is set up here
    from pipeline.history.files import load_history, load_predictions

    import mlflow.keras  # isort: skip

    monkeypatch.chdir(published.folder)
    test = load_raw().features.to_numpy(np.float32)[SMALL["split.train"] :]
    with published.client() as client:
        for run in published.runs().values():
            history, predictions = load_history(run.variant), load_predictions(run.variant).test_prediction.values
            places = {model.name: model.artifact_location for model in map(client.get_logged_model, run.models)}
            for name, chosen in (("median", median_replica), ("best", best_replica)):
                replica = chosen(history, "accuracy")
                model = mlflow.keras.load_model(places[f"{run.variant}_{name}"])
                assert np.ptp(predictions[replica]) > 1e-3  # no constant
                np.testing.assert_allclose(model.predict(test, verbose=0), predictions[replica], atol=1e-5)


# What runs again, and what does not


def test_second_repro_does_nothing(workspace: Workspace) -> None:
    """If nothing has changed, no stage runs, `dvc status` and git are clean, and MLflow does not change."""
    before = workspace.runs()
    again = workspace.repro()
    assert again.executed == again.restored == set()
    assert "up to date" in workspace.run("dvc", "status").stdout
    assert workspace.run("git", "status", "--porcelain").stdout == ""
    assert workspace.runs() == before


def test_training_twice_gives_the_same_bytes(workspace: Workspace) -> None:
    """All files of a training depend only on its inputs."""
    before = workspace.content("runs/relu_2")
    assert set(before) == {"history.nc", "predictions.nc", "weights.npz", "recipe.json"}
    workspace.run(*stage("train", "relu_2"))
    after = workspace.content("runs/relu_2")
    assert set(after) == set(before)
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.long
def test_moved_threshold_evaluates_again(workspace: Workspace) -> None:
    """Another threshold trains nothing and gets new runs; after it is moved back, the first runs are current again."""
    before = workspace.runs()
    workspace.edit({"evaluation.learned.accuracy": 0.45})
    assert workspace.repro().executed == {"evaluate@relu_2", "evaluate@tanh_1", "compare", "track"}
    both = workspace.runs()
    moved = {run_id: run for run_id, run in both.items() if run_id not in before}
    assert variants(moved) == variants(before)
    assert current(both) == current(moved) == {"relu_2": "2", "tanh_1": "1"}
    assert_whole(moved)
    assert_evaluated(moved, 0.45)
    assert any(run.metrics["learned_rate"] > 0 for run in moved.values())

    workspace.edit({"evaluation.learned.accuracy": 0.75})
    assert workspace.repro().executed == {"track"}
    after = workspace.runs()
    assert {run_id: run for run_id, run in after.items() if run_id in before} == before
    assert set(after) == set(both)
    assert_evaluated(before, 0.75)


# The one command

REPRO = ["python3", "-m", "pipeline.repro"]
TRACKED = re.compile("^track .*", re.MULTILINE)


def test_only_edited_or_added_variants_run_and_taking_the_edit_back_trains_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    """One workspace on its way: a variant edited and one of two lines added, each at the cost of its own stages; the
    added one taken out, of which nothing is left but runs in MLflow; the edit taken back, which trains nothing. No run
    is doubled or lost. The one command says each thing once on this way: a line of each variant that was published or
    not, verdicts of two lines at most, no advice that leads nowhere."""
    workspace.commit()
    before = workspace.runs()
    edits = {"variants.relu_2.hidden_layers": 3, "variants.wide": {"hidden_layers": 1, "units": 7}}
    workspace.edit(edits)
    done = workspace.run(*REPRO)
    assert done.executed == {"train@relu_2", "evaluate@relu_2", "train@wide", "evaluate@wide", "compare", "track"}
    assert "dvc push" not in done.stdout
    assert TRACKED.findall(done.stdout) == [
        "track relu_2: published",
        "track tanh_1: nothing new",
        "track wide: published",
    ]
    assert all(len(line) <= 160 for line in done.stdout.splitlines())
    more = workspace.runs()
    assert_whole(more)
    assert lasting(before).items() < lasting(more).items()
    assert {run_id: run for run_id, run in before.items() if run.variant == "tanh_1"}.items() < more.items()
    assert current(more) == {"relu_2": "3", "tanh_1": "1", "wide": "1"}
    assert sorted(run.name for run in more.values()) == ["relu_2", "relu_2 · hidden_layers=2", "tanh_1", "wide"]
    assert variants(more) == ["relu_2", "relu_2", "tanh_1", "wide"]
    assert sorted(run.params["hidden_layers"] for run in more.values()) == ["1", "1", "2", "3"]
    assert set(workspace.json("mlruns/manifest.json")) == VARIANTS | {"wide"}
    assert "wide" in (workspace.folder / "reports" / "index.md").read_text(encoding="utf-8")

    again = workspace.run(*REPRO)
    assert again.executed == set()
    assert TRACKED.findall(again.stdout) == [f"track {name}: nothing new" for name in ("relu_2", "tanh_1", "wide")]

    # The added variant is removed. Now there is a remote to push to; `--local` keeps it out of git.
    workspace.run("dvc", "remote", "add", "--local", "--default", "there", str(tmp_path / "remote"))
    workspace.edit({"variants.wide": ...})
    without = workspace.run(*REPRO)
    assert without.executed == {"compare", "track"}
    assert "dvc push" in without.stdout
    for left in ("runs/wide", "evaluations/wide", "metrics/wide.json"):
        assert not (workspace.folder / left).exists()
    assert "wide" not in workspace.run("dvc", "metrics", "show").stdout
    assert set(workspace.json("mlruns/manifest.json")) == VARIANTS
    left = workspace.content("reports")
    page = left.pop("index.html")  # its pictures may contain these letters by chance
    assert b"<code>relu_2</code>" in page
    assert b"<code>wide</code>" not in page
    assert not [name for name, content in left.items() if b"wide" in content]
    assert lasting(workspace.runs()) == lasting(more)
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."

    # The edit is taken back.
    workspace.edit({"variants.relu_2.hidden_layers": 2})
    reverted = workspace.repro()
    assert reverted.executed == {"track"}
    assert reverted.restored == {"train@relu_2", "evaluate@relu_2", "compare"}
    assert lasting(workspace.runs()) == lasting(more)
    assert current(workspace.runs()) == {"relu_2": "2", "tanh_1": "1"}
    assert sorted(run.name for run in workspace.runs().values()) == [
        "relu_2",
        "relu_2 · hidden_layers=3",
        "tanh_1",
        "wide",
    ]
    assert workspace.run("git", "status", "--short").stdout == ""


def test_an_interruption_reports_what_starts_again(workspace: Workspace) -> None:
    workspace.edit({"variants.relu_2.hidden_layers": 3, "training.epochs": 100_000})
    output = workspace.folder / "output"
    with output.open("wb") as out:
        command = subprocess.Popen(
            REPRO,
            cwd=workspace.folder,
            env=workspace.environment(),
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with command:
            wait_until(lambda: "pipeline.stages.train relu_2" in output.read_text() or command.poll() is not None)
            os.killpg(command.pid, signal.SIGINT)
            assert command.stderr is not None
            last = command.stderr.read().splitlines()[-1]
    assert command.returncode == 130
    assert last == "interrupted in train@relu_2: finished stages are kept; run the same command again to finish"


# A file of each package, and the stages that are stale after it has changed.
ALL_OF = {stage: {f"{stage}@relu_2", f"{stage}@tanh_1"} for stage in ("train", "evaluate")}
EVALUATED = {*ALL_OF["evaluate"], "compare", "track"}
STALE: dict[str, set[str]] = {
    "pipeline/data/sources.py": {"generate", "compare", "track"},
    "pipeline/data/splitting.py": {"split", "compare", "track"},
    "pipeline/data/reference/guessing.py": {"reference", *EVALUATED},
    "pipeline/history/record.py": ALL_OF["train"] | EVALUATED,
    "pipeline/data/split/samples.py": {"generate", "split", "reference", *ALL_OF["train"], *EVALUATED},
    "pipeline/models/network.py": ALL_OF["train"] | {"track"},
    "pipeline/training/stacked/engine.py": ALL_OF["train"],
    "pipeline/recorder/recorder.py": set(),
    "pipeline/training/networks/builder.py": {"track"},
    "pipeline/watch/callback.py": set(),
    "pipeline/training/compiled/passes.py": ALL_OF["train"],
    "pipeline/remedies/recipe_changes.py": EVALUATED,
    "pipeline/evaluation/intervals.py": EVALUATED,
    "pipeline/report/figures/score_figures.py": ALL_OF["evaluate"] | {"compare"},
    "pipeline/report/pages/page.html": {"compare"},
    "pipeline/tracking/guide.py": {"track"},
    "pipeline/export.py": set(),
    "pipeline/studies/workers.py": set(),
    "pipeline/params/training_params.py": set(),
    "pipeline/foundations/errors.py": {"compare", "track"},
    "pipeline/foundations/seeds.py": ALL_OF["train"] | {"compare", "track"},
}


def test_a_changed_file_makes_only_its_stages_stale(workspace: Workspace) -> None:
    """By what DVC itself says of each place that changed; at once one file of each package at most, so that it is seen
    which of them it was."""
    waiting = list(STALE)
    while waiting:
        together = {name.split("/")[1]: name for name in reversed(waiting)}.values()
        waiting = [name for name in waiting if name not in together]
        before = {name: (workspace.folder / name).read_bytes() for name in together}
        for name, content in before.items():
            (workspace.folder / name).write_bytes(content + b"\n")
        status = json.loads(workspace.run("dvc", "status", "--json").stdout)
        changed = {stage for stage, changes in status.items() if any("changed deps" in each for each in changes)}
        for name, content in before.items():
            of_code = {stage for stage in changed if name.startswith(tuple(code_of(status[stage])))}
            assert of_code == STALE[name], name
            (workspace.folder / name).write_bytes(content)


def code_of(changes: list[dict]) -> list[str]:
    """Return the files and folders of code that DVC reports as changed."""
    return [place for each in changes for place in each.get("changed deps", {}) if place.startswith("pipeline/")]


# The store


def test_two_publishers_at_once_make_one_store(workspace: Workspace) -> None:
    """Only the database was deleted, so the manifest is wrong: two publishers at once fill it completely, and once."""
    before = workspace.runs()
    workspace.database.unlink()
    with workspace.running(*TRACK) as first, workspace.running(*TRACK) as second:
        assert (first.wait(120), second.wait(120)) == (0, 0)
    assert workspace.rows("PRAGMA integrity_check") == [("ok",)]
    again = workspace.runs()
    assert_whole(again)
    assert sorted(run.fingerprint for run in again.values()) == sorted(run.fingerprint for run in before.values())


@pytest.mark.long
def test_experiments_share_the_one_store(workspace: Workspace) -> None:
    """DVC runs experiments in a temporary folder and in the workspace."""
    of_rate, of_depth = "+variants.relu_2.optimizer.config.learning_rate=0.001", "variants.relu_2.hidden_layers=3"
    before = workspace.runs()
    params = (workspace.folder / "params.yaml").read_bytes()

    # DVC throws the folder away: the run is in the workspace's store, with its files, and tells its experiment.
    workspace.run("dvc", "exp", "run", "--temp", "--name", "slow", "--set-param", of_rate)
    after = workspace.runs()
    assert_whole(after)
    assert before.items() < after.items()
    (added,) = (run for run_id, run in after.items() if run_id not in before)
    assert (added.variant, added.params["optimizer.learning_rate"]) == ("relu_2", "0.001")
    assert added.name == "relu_2 · learning_rate=0.001"
    assert current(after) == {"relu_2": "2", "tanh_1": "1"}
    assert added.tags["pipeline.dvc_experiment"] == "slow"
    assert not any("pipeline.dvc_experiment" in run.tags for run in before.values())
    assert (workspace.folder / "mlruns" / "artifacts" / added.run_id / "artifacts" / "figures").is_dir()
    assert (workspace.folder / "params.yaml").read_bytes() == params
    assert workspace.run("git", "status", "--porcelain").stdout == ""

    # In the workspace, and thrown away: its run is the newest of the name, and not what the UI compares.
    workspace.run("dvc", "exp", "run", "--set-param", of_depth)
    workspace.run("git", "checkout", "--quiet", ".")
    with workspace.ui() as (base, lines):
        assert f"all variants, charts beside them: {base}/#/experiments/1/runs?" in lines[0]
        compared = re.findall(r"\b[0-9a-f]{32}\b", unquote(lines[2]))
        assert [workspace.runs()[run_id].params["hidden_layers"] for run_id in compared] == ["2", "1"]
        assert set(compared) == set(before)
    names = ["relu_2", "relu_2 · hidden_layers=3", "relu_2 · learning_rate=0.001", "tanh_1"]
    assert sorted(run.name for run in workspace.runs().values()) == names

    workspace.edit({"variants.relu_2.units": 4})  # and not reproduced
    with workspace.ui() as (_, lines):
        assert lines[-1] == "not published as in params.yaml now: relu_2; run `make repro`\n"
        assert not any("compare-runs" in line for line in lines)
    workspace.run("git", "checkout", "--quiet", ".")


@pytest.mark.campaign
def test_two_experiments_of_the_queue_publish_at_once_into_a_store_that_does_not_exist(workspace: Workspace) -> None:
    """Publishers that are no experiments of DVC do so in tests/test_publishers.py."""
    of_rate, of_depth = "+variants.relu_2.optimizer.config.learning_rate=0.001", "variants.relu_2.hidden_layers=3"
    workspace.delete_store()
    for setting in (of_rate, of_depth):
        workspace.run("dvc", "exp", "run", "--queue", "--set-param", setting)

    def states() -> list[str]:
        listed = workspace.run("dvc", "queue", "status").stdout.splitlines()
        return [line.split()[-1] for line in listed if line.endswith(("Queued", "Running", "Success", "Failed"))]

    try:
        workspace.start_queue(jobs=2)
        complete = "SELECT 1 FROM tags WHERE key = 'pipeline.complete'"
        wait_until(lambda: len(workspace.rows(complete)) >= 3, seconds=240)
        wait_until(lambda: not {"Queued", "Running"} & set(states()), every=4)
        assert states() == ["Success", "Success"]
    finally:
        workspace.end_queue()
    assert workspace.rows("PRAGMA integrity_check") == [("ok",)]
    runs = workspace.runs()
    assert_whole(runs)
    assert variants(runs) == ["relu_2", "relu_2", "tanh_1"]
    recipes = {
        (run.params["optimizer.learning_rate"], run.params["hidden_layers"])
        for run in runs.values()
        if run.variant == "relu_2"
    }
    assert recipes == {("0.001", "2"), ("0.01", "3")}


def test_server_is_published_to_once(workspace: Workspace, tmp_path: Path) -> None:
    """MLFLOW_TRACKING_URI names a server: it gets runs and artifacts, and nothing more at a second publishing."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    own = workspace.rows("SELECT run_uuid FROM runs")
    store = ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    files = ["--artifacts-destination", str(tmp_path / "server-artifacts")]
    command = ["mlflow", "server", *store, *files, "--port", str(port), "--workers", "1"]
    with workspace.running(*command, **WITHOUT_JOBS):
        wait_until(lambda: answers(f"{address}/health"), every=0.5)
        workspace.track(MLFLOW_TRACKING_URI=address)
        from mlflow import MlflowClient

        client = MlflowClient(address)
        first = logged(client)
        registered = client.search_model_versions()
        assert len(registered) == 1
        assert client.get_registered_model("circles-classifier").aliases == {"best": registered[0].version}
        assert set(variants(first)) == VARIANTS
        assert_whole(first)
        for run_id in first:
            figures = {
                "accuracy.png",
                "gradients.png",
                "surfaces.png",
            }  # MLflow compares files at the top of the artifacts
            folders = {"figures", "history", "images", "tables"}
            assert {each.path for each in client.list_artifacts(run_id)} == {*folders, *figures}
        assert list((tmp_path / "server-artifacts").rglob("*.keras"))

        workspace.track(MLFLOW_TRACKING_URI=address)
        assert logged(client) == first
        assert client.search_model_versions() == registered
    assert workspace.rows("SELECT run_uuid FROM runs") == own


# Killed


@pytest.mark.long
def test_a_deleted_store_is_filled_again_even_after_a_kill(workspace: Workspace) -> None:
    """Files are the truth: `dvc repro` notices that the store is gone, and publishes all without training. What a kill
    left half-written is deleted: every variant ends with one run, and that is complete."""
    before = workspace.runs()
    workspace.delete_store()
    workspace.kill_when(lambda: len(workspace.rows("SELECT 1 FROM runs")) >= 2, *TRACK)
    parents = set(workspace.rows("SELECT run_uuid FROM tags WHERE key = 'pipeline.fingerprint'"))
    complete = set(workspace.rows("SELECT run_uuid FROM tags WHERE key = 'pipeline.complete'"))
    assert complete < parents

    assert workspace.repro().executed == {"track"}
    runs = workspace.runs()
    assert_whole(runs)
    assert variants(runs) == sorted(VARIANTS)
    assert sorted(run.fingerprint for run in runs.values()) == sorted(run.fingerprint for run in before.values())
    assert not set(runs) & set(before)
    deleted = set(workspace.rows("SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted'"))
    assert parents - complete <= deleted
    assert {(run_id,) for run_id in runs} >= complete


@pytest.mark.long
def test_killed_publishing_of_another_evaluation_leaves_no_mixture(workspace: Workspace) -> None:
    """Publishing is killed, then the threshold is moved back: no run mixes the two evaluations."""
    before = workspace.runs()
    workspace.edit({"evaluation.learned.accuracy": 0.0})
    workspace.run(*stage("evaluate", "relu_2"))
    workspace.kill_when(lambda: bool(workspace.rows("SELECT 1 FROM tags WHERE value = 'learned'")), *TRACK)
    assert workspace.runs() != before

    workspace.edit({"evaluation.learned.accuracy": 0.75})
    workspace.repro()
    assert workspace.runs() == before


@pytest.mark.long
def test_killed_training_runs_again(workspace: Workspace) -> None:
    """Killed while it wrote its results, training leaves nothing that the next `dvc repro` would take for whole."""
    names = set(workspace.content("runs/relu_2"))
    workspace.edit({"variants.relu_2.hidden_layers": 4})
    first = workspace.folder / "runs" / "relu_2" / "recipe.json"  # the file that is written first
    old = first.stat().st_mtime_ns
    workspace.kill_when(lambda: first.exists() and first.stat().st_mtime_ns != old, "dvc", "repro")
    assert set(workspace.content("runs/relu_2")) != names

    again = workspace.run("dvc", "repro", "evaluate@relu_2")
    assert again.executed == {"train@relu_2", "evaluate@relu_2"}
    assert set(workspace.content("runs/relu_2")) == names
    assert "up to date" in workspace.run("dvc", "status", "evaluate@relu_2").stdout


# Mistakes


def without_layer_table(workspace: Workspace) -> None:
    """Write the history of `relu_2` as earlier versions wrote it."""
    from pipeline.foundations.formats import save_arrays  # here, as all that is the pipeline's
    from pipeline.history.files import load_history
    from pipeline.history.record import LAYER_TABLE

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(workspace.folder)
        save_arrays(load_history("relu_2").drop_vars(LAYER_TABLE), Path("runs/relu_2/history.nc"))


def without_task(workspace: Workspace) -> None:
    """Write the recipe of `relu_2` as earlier versions wrote it."""
    recipe = workspace.json("runs/relu_2/recipe.json")
    del recipe["task"]
    (workspace.folder / "runs/relu_2/recipe.json").write_text(json.dumps(recipe))


MISTAKES: dict[str, tuple[Callable[[Workspace], None], list[str], str]] = {
    "unknown section": (lambda it: it.edit({"trainings": {}}), stage("evaluate", "relu_2"), "trainings: "),
    "unknown key": (lambda it: it.edit({"training.epoch": 3}), TRACK, "training.epoch: "),
    "bad value": (
        lambda it: it.edit({"variants.relu_2.hidden_layers": -3}),
        TRACK,
        "variants.relu_2.hidden_layers: -3: must be at least 1",
    ),
    "unknown activation": (
        lambda it: it.edit({"variants.relu_2.activation": "rellu"}),
        stage("train", "relu_2"),
        "variants.relu_2.activation: rellu: ",
    ),
    "unknown variant": (lambda it: None, stage("train", "large"), "variants.large: not found"),
    "variant that was never trained": (
        lambda it: None,
        stage("evaluate", "large"),
        "runs/large: not found: `dvc repro` makes it, if params.yaml has a variant large",
    ),
    "not YAML": (
        lambda it: (it.folder / "params.yaml").write_text("data: [1"),
        stage("generate"),
        "params.yaml: line ",
    ),
    "no parameters": (lambda it: (it.folder / "params.yaml").unlink(), stage("split"), "params.yaml: not found"),
    "truncated split": (
        lambda it: it.truncate("data/split/train.csv"),
        stage("train", "relu_2"),
        "data/split/train.csv: ",
    ),
    "truncated history": (
        lambda it: it.truncate("runs/relu_2/history.nc"),
        stage("evaluate", "relu_2"),
        "runs/relu_2/history.nc: ",
    ),
    "history of an earlier version": (
        without_layer_table,
        stage("evaluate", "relu_2"),
        "runs/relu_2/history.nc: no variable path: must have this variable; `dvc repro` makes it again",
    ),
    "recipe of an earlier version": (
        without_task,
        stage("evaluate", "relu_2"),
        "runs/relu_2/recipe.json: damaged (task: Field required): must be a recipe as `train` writes it; "
        "`dvc repro` makes it again",
    ),
    "truncated table": (
        lambda it: it.truncate("evaluations/relu_2/replicas.csv"),
        stage("compare"),
        "evaluations/relu_2/replicas.csv: ",
    ),
    "truncated metrics": (lambda it: it.truncate("metrics/relu_2.json"), stage("compare"), "metrics/relu_2.json: "),
    "truncated store": (lambda it: it.truncate("mlruns/mlflow.db"), TRACK, "MLflow store "),
}


NOWHERE = {
    "http://127.0.0.1:9": "MLFLOW_TRACKING_URI: http://127.0.0.1:9: no answer",
    "sqlite:////dev/null/x.db": "MLflow store /dev/null/x.db: ",
}
HERE = {"PYTHONPATH": str(ROOT)}  # because the workspace has no sources
EXPORT = ["python3", "-m", "pipeline.export"]
NOT_EXPORTED: dict[str, tuple[dict, str, str]] = {
    "another recipe": (
        {"variants.relu_2.hidden_layers": 3},
        "relu_2",
        "runs/relu_2: trained with other parameters (variant) than params.y",
    ),
    "other data": (
        {"data.config.noise": 0.2},
        "relu_2",
        "runs/relu_2: trained with other parameters (data) than params.yaml says now",
    ),
    "no such variant": ({}, "relu2", "relu2: not found: must be one of relu_2, tanh_1: did you mean relu_2?"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_ends_in_one_line(published: Workspace, tmp_path: Path, mistake: str) -> None:
    """The command ends with exit code 1 and one line, which names the place of the mistake."""
    make, command, message = MISTAKES[mistake]
    workspace = published.bare(tmp_path / "study")
    make(workspace)
    assert_one_line(workspace.attempt(*command, **HERE), message)


@pytest.mark.parametrize("mistake", NOT_EXPORTED)
def test_a_stale_variant_is_not_exported(published: Workspace, tmp_path: Path, mistake: str) -> None:
    edit, variant, message = NOT_EXPORTED[mistake]
    workspace = published.bare(tmp_path / "study")
    workspace.edit(edit)
    done = workspace.attempt(*EXPORT, variant, "best", "best.keras", **HERE)
    assert_one_line(done, message)
    assert done.stdout == ""
    assert not (workspace.folder / "best.keras").exists()


def test_a_command_with_preloaded_imports_ends_like_one_without(published: Workspace, tmp_path: Path) -> None:
    make, command, _ = MISTAKES["truncated metrics"]
    workspace = published.copy(tmp_path / "study")
    make(workspace)
    assert workspace.attempt_alone(*command) == workspace.attempt(*command)


@pytest.mark.parametrize("uri", NOWHERE)
def test_unreachable_store_is_reported_in_one_line(workspace: Workspace, uri: str) -> None:
    """The store is a server that does not answer, or a database that cannot be written."""
    assert_one_line(workspace.attempt(*TRACK, MLFLOW_TRACKING_URI=uri), NOWHERE[uri])


def assert_one_line(done: Done, place: str) -> None:
    """Check that the command failed with one line that a user can understand."""
    assert done.code == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(f"error: {place}")
