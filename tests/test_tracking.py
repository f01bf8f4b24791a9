"""Tracking on a real SQLite store: what is published, and that publishing again changes nothing."""

import math
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from conftest import variant as small_variant
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from PIL import Image
from workspace import Workspace, free_port, stage, wait_until

from examples import PROFILE, THRESHOLDS, evaluated, history, layer_table
from pipeline.data.profile import save_profile
from pipeline.data.split.samples import InputColumn
from pipeline.data.split.tasks import KindName, Task
from pipeline.diagnosis import palette
from pipeline.diagnosis.causes import outcome_colours
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import summary
from pipeline.evaluation.learned import Rule
from pipeline.foundations.errors import UserError
from pipeline.history import record
from pipeline.history.thinning import log_spaced
from pipeline.history.training_progress import Process, Progress
from pipeline.params.data_params import DataParams
from pipeline.params.tracking_params import TrackingParams
from pipeline.tracking import current, images, live_runs, publish, servers, store, turn
from pipeline.tracking.guide import guide, searches
from pipeline.tracking.packaging import Packages
from pipeline.tracking.payload import Point, VariantFiles, VariantPayload, VariantSource, assemble, not_published
from pipeline.tracking.registered_model import choose, registered_name
from pipeline.tracking.run_parameters import flattened
from pipeline.tracking.tags import COMPLETE, CURRENT, PAIR, PUBLISHER, search_for
from pipeline.tracking.turn import TurnClaim
from pipeline.tracking.ui import serve

TRACKING = TrackingParams(experiment="e", registered_model="m", layer_epochs=3, profile_epochs=2)
RECIPE = {"hidden_layers": 1, "optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}}
PARTS = ("train", "test")
ACCURACIES = [[0.5, 0.8, 0.9], [0.5, 0.6, 0.7], [0.5, 0.5, 0.85]]


def content(
    threshold: float = 0.75, variant: str = "v", trained: bytes = b"1", best: float = 0.9, layers: int = 1
) -> VariantPayload:
    """A variant of hand-made history, evaluated by a threshold; `trained` stands for what training left, and `best` is
    the highest accuracy that its replicas reach. Its figure says the threshold."""
    evaluation = evaluated(history([[0.5, 0.8, best], *ACCURACIES[1:]]), threshold)
    outputs, table, figure = (Path(f"{variant}{end}") for end in (".bin", ".csv", ".png"))
    outputs.write_bytes(trained)
    evaluation.replicas.to_csv(table)
    figure.write_bytes(f"{threshold}".encode())
    files = VariantFiles([outputs], [table], {"tables": [table]}, [figure])
    recipe, judged = {**RECIPE, "hidden_layers": layers}, {"evaluation": {"learned": {"accuracy": threshold}}}
    source = VariantSource(variant, {"variant": recipe, "training": {"seed": 4}}, judged, files, COLUMNS)
    return assemble(source, evaluation, {"best": 0}, TRACKING)


def columns(*names: str) -> tuple[InputColumn, ...]:
    """Numbers of these names."""
    return tuple(InputColumn(name=name) for name in names)


COLUMNS = columns("x1", "x2")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the repository, without a store; of the data only what they are."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    save_profile(PROFILE)
    return tmp_path


@pytest.fixture
def client(repository: Path, empty_store: Path) -> MlflowClient:
    """An empty folder as the repository, with a store as MLflow makes it and nothing in it."""
    (repository / "mlruns").mkdir()
    shutil.copy(empty_store, repository / "mlruns")
    return MlflowClient(tracking_uri=f"sqlite:///{repository / 'mlruns/mlflow.db'}")


class NotPackaged(Packages):
    """Stands in for packages, which need TensorFlow and trained variants: folders with MLflow's mark in them."""

    def begin(self, replicas: Mapping[str, Mapping[str, int]]) -> None:
        for variant, models in replicas.items():
            for name, replica in models.items():
                folder = Path("packaged") / variant / name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "model.keras").write_text(f"replica {replica}")
                (folder / "MLmodel").write_text("flavors: {}")

    def folders(self, variant: str) -> dict[str, Path]:
        return {folder.name: folder for folder in Path("packaged", variant).iterdir()}


def published(*contents: VariantPayload) -> dict[str, str]:
    with NotPackaged() as packages:
        pair = ("v", "w") if {content.variant for content in contents} >= {"v", "w"} else ()
        return publish.publish(contents, TRACKING, pair, {}, packages)


def runs(client: MlflowClient) -> tuple[list[Run], list[Run]]:
    """All active parents and children, by name."""
    found = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    every = sorted(found, key=lambda run: run.info.run_name)
    children = [run for run in every if "mlflow.parentRunId" in run.data.tags]
    return [run for run in every if run not in children], children


def snapshot(client: MlflowClient) -> dict[str, tuple]:
    """Everything that a person sees of every run."""
    parents, children = runs(client)
    return {
        run.info.run_id: (run.info.run_name, run.info.status, dict(run.data.metrics), run.data.params, run.data.tags)
        for run in [*parents, *children]
    }


def lasting(found: dict[str, tuple]) -> dict[str, tuple]:
    """A snapshot without what says which run is current."""
    passing = ("pipeline.current", "pipeline.pair", "mlflow.runName", "mlflow.runColor")
    return {
        run_id: (*rest, {key: value for key, value in tags.items() if key not in passing})
        for run_id, (_, *rest, tags) in found.items()
    }


def publishing_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish, and be interrupted when all runs are there and the artifacts are not."""

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publish.Publisher, "_log_artifacts", crash)
        with pytest.raises(KeyboardInterrupt):
            published(content())


@pytest.mark.slow
def test_a_parent_for_the_variant_and_a_child_for_each_replica(client: MlflowClient) -> None:
    assert published(content()) == {"v": "published"}
    (parent,), children = runs(client)
    made = content()
    assert parent.info.run_name == "v"
    tags = parent.data.tags
    assert (tags["pipeline.variant"], tags["pipeline.fingerprint"]) == ("v", made.fingerprint)
    assert (tags["pipeline.evaluation_hash"], tags["pipeline.complete"]) == (made.evaluation_hash, "true")
    assert "2 of 3 replicas learned" in tags["mlflow.note.content"]
    assert parent.data.metrics["learned_rate"] == pytest.approx(2 / 3, abs=1e-6)
    assert parent.data.metrics["test_accuracy_median"] == 0.85
    assert parent.data.params == {
        "hidden_layers": "1",
        "optimizer": "SGD",
        "optimizer.momentum": "0.9",
        "training.seed": "4",
    }
    series = client.get_metric_history(parent.info.run_id, "learned_share")
    assert {(m.step, round(m.value, 6)) for m in series} == {(0, 0), (1, 0.333333), (2, 0.666667)}
    profile = client.get_metric_history(parent.info.run_id, "gradient_profile/epoch_0002")
    assert [m.step for m in profile] == [1, 2]
    assert [child.info.run_name for child in children] == ["replica 000", "replica 001", "replica 002"]
    assert [child.data.tags["outcome"] for child in children] == ["learned", "not_learned", "learned"]
    assert [child.data.tags["cause"] for child in children] == ["none", "unexplained", "none"]
    assert [child.data.metrics["test_accuracy"] for child in children] == [0.9, 0.7, 0.85]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert children[1].data.params == {
        "variant": "v",
        "hidden_layers": "1",
        "optimizer": "SGD",
        "optimizer.momentum": "0.9",
    } | {
        "seed": "4",
        "replica": "1",
    }
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}


@pytest.mark.slow
def test_publishing_again_changes_nothing(client: MlflowClient) -> None:
    published(content())
    before = snapshot(client)
    assert published(content()) == {"v": "nothing new"}
    assert snapshot(client) == before


@pytest.mark.slow
def test_a_publisher_with_nothing_to_write_removes_the_claims_that_this_folder_left(client: MlflowClient) -> None:
    """A publisher leaves its claim where the last answer is cut. No later one removes it by waiting for its turn."""
    published(content())
    experiment_id = client.get_experiment_by_name("e").experiment_id
    for name, place in (("dead", turn._place()), ("elsewhere", "another folder")):
        claim = TurnClaim(ticket=1, nonce="n", place=place)
        client.set_experiment_tag(experiment_id, f"{PUBLISHER}{name}", claim.model_dump_json())
    assert published(content()) == {"v": "nothing new"}
    tags = client.get_experiment(experiment_id).tags
    assert [key for key in tags if key.startswith(PUBLISHER)] == [f"{PUBLISHER}elsewhere"]


@pytest.mark.slow
def test_another_training_is_another_run_and_the_first_stays(client: MlflowClient) -> None:
    published(content())
    before = snapshot(client)
    assert published(content(trained=b"2")) == {"v": "published"}
    after = snapshot(client)
    assert len(after) == 2 * len(before)
    assert {run_id: what for run_id, what in lasting(after).items() if run_id in before} == lasting(before)


@pytest.mark.slow
def test_a_threshold_moved_there_and_back_ends_as_it_began(client: MlflowClient) -> None:
    """Each evaluation is a run of its own, and nothing of the first one is written over."""
    published(content(0.75))
    before = snapshot(client)
    assert published(content(0.95)) == {"v": "evaluated again"}
    assert sorted(shown(client)) == ["v", "v · evaluation.learned.accuracy=0.75"]
    moved = next(run for run in runs(client)[0] if run.info.run_name == "v")
    assert moved.data.metrics["learned_rate"] == 0
    below = [child for child in runs(client)[1] if child.data.tags["mlflow.parentRunId"] == moved.info.run_id]
    assert [child.data.tags["outcome"] for child in below] == ["not_learned"] * 3
    assert not any("epochs_to_learn" in child.data.metrics for child in below)
    assert published(content(0.75)) == {"v": "nothing new"}
    assert {run_id: what for run_id, what in snapshot(client).items() if run_id in before} == before
    assert published(content(0.95)) == {"v": "nothing new"}
    assert len(runs(client)[0]) == 2


@pytest.mark.slow
def test_another_evaluation_links_to_models_and_history_of_the_first(client: MlflowClient) -> None:
    Path("v.nc").write_text("history")
    first, other = (
        replace(made, artifacts={**made.artifacts, "history": [Path("v.nc")]}) for made in (content(), content(0.95))
    )
    published(first)
    published(other)
    former, latter = sorted(runs(client)[0], key=lambda run: run.info.start_time)
    models = [[output.model_id for output in run.outputs.model_outputs] for run in (former, latter)]
    assert len(models[0]) == 1
    assert models[0] == models[1]
    assert len(client.search_logged_models([former.info.experiment_id])) == 1
    assert latter.data.tags["pipeline.history_of"] == former.info.run_id
    stored = [[each.path for each in client.list_artifacts(run.info.run_id, "history")] for run in (former, latter)]
    assert stored == [["history/v.nc"], []]


@pytest.mark.slow
def test_a_run_that_a_crash_left_is_deleted_and_written_anew(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing_crashes(monkeypatch)
    left = snapshot(client)
    assert len(left) == 4
    assert published(content()) == {"v": "published"}
    after = snapshot(client)
    assert len(after) == 4
    assert not left.keys() & after.keys()


@pytest.mark.slow
def test_a_live_run_is_nobodys_but_its_followers(client: MlflowClient) -> None:
    """Publishing neither adopts, sweeps, names nor marks it, and no search for complete runs finds it."""
    training = Progress(
        name="v", what="variant", process=Process.own(), begun=time.time(), epochs=3, replicas=3, together=3
    )
    following = live_runs.LiveRuns("e")
    following.show(training)
    (live,) = runs(client)[0]
    for made, done in ((content(), "published"), (content(), "nothing new"), (content(0.95), "evaluated again")):
        assert published(made) == {"v": done}
    after = client.get_run(live.info.run_id)
    assert (after.info.run_name, after.info.status, after.info.lifecycle_stage) == ("v (live)", "RUNNING", "active")
    assert after.data.tags == live.data.tags
    assert not {"pipeline.variant", "pipeline.fingerprint", "pipeline.complete"} & set(after.data.tags)
    experiment = live.info.experiment_id
    assert current.runs_of(client, experiment, {"v": content(0.95).parameters})["v"].info.run_id != live.info.run_id
    for search in map(search_for, (COMPLETE, CURRENT, PAIR)):
        assert live.info.run_id not in {run.info.run_id for run in store.search(client, experiment, search)}
    following.settle([])
    assert live.info.run_id not in {run.info.run_id for run in runs(client)[0]}


@pytest.mark.slow
def test_only_what_is_missing_is_published(client: MlflowClient) -> None:
    published(content())
    assert published(content(), content(variant="w")) == {"v": "nothing new", "w": "published"}
    assert [run.data.tags["pipeline.variant"] for run in runs(client)[0]] == ["v", "w"]


def shown(client: MlflowClient) -> dict[str, tuple[bool, str]]:
    """Of every parent by name: whether it is marked as current, and its colour."""
    return {
        run.info.run_name: ("pipeline.current" in run.data.tags, run.data.tags["mlflow.runColor"])
        for run in runs(client)[0]
    }


@pytest.mark.slow
def test_the_run_of_what_params_yaml_says_is_marked_and_has_the_variants_name(client: MlflowClient) -> None:
    """Edited, and set back: the run that params.yaml is of is the current one, whichever is newer."""
    first, second = palette.VARIANTS[:2]
    published(content(), content(variant="w"))
    assert shown(client) == {"v": (True, first), "w": (True, second)}
    published(content(trained=b"2", layers=12), content(variant="w"))
    edited = {"v": (True, first), "v · hidden_layers=1": (False, palette.shade(first, 0)), "w": (True, second)}
    assert shown(client) == edited
    before = snapshot(client)
    published(content(), content(variant="w"))
    back = {"v": (True, first), "v · hidden_layers=12": (False, palette.shade(first, 0)), "w": (True, second)}
    assert shown(client) == back
    assert lasting(snapshot(client)) == lasting(before)
    again = snapshot(client)
    published(content(), content(variant="w"))
    assert snapshot(client) == again


@pytest.mark.slow
def test_an_experiment_is_named_by_what_differs_and_marks_nothing(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(content())
    with monkeypatch.context() as patched:
        patched.setenv("DVC_EXP_NAME", "tall-oak")
        published(content(trained=b"2", layers=12))
        published(content(trained=b"3", layers=7, threshold=0.6))
    first = palette.VARIANTS[0]
    assert shown(client) == {
        "v": (True, first),
        "v · hidden_layers=12": (False, palette.shade(first, 0)),
        "v · evaluation.learned.accuracy=0.6, hidden_layers=7": (False, palette.shade(first, 1)),
    }


@pytest.mark.slow
def test_an_evaluation_of_an_experiment_leaves_that_of_params_yaml(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same training under another threshold: a run of its own, and neither overwrites the other."""
    published(content())
    before = snapshot(client)
    with monkeypatch.context() as patched:
        patched.setenv("DVC_EXP_NAME", "tall-oak")
        assert published(content(threshold=0.6)) == {"v": "evaluated again"}
        assert published(content(threshold=0.6)) == {"v": "nothing new"}
    assert {run_id: what for run_id, what in snapshot(client).items() if run_id in before} == before
    assert sorted(shown(client)) == ["v", "v · evaluation.learned.accuracy=0.6"]
    assert published(content()) == {"v": "nothing new"}
    assert published(content(threshold=0.6)) == {"v": "nothing new"}
    assert shown(client)["v"][0]


@pytest.mark.slow
def test_the_name_of_a_dvc_experiment_is_kept(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "tall-oak")
    published(content())
    assert runs(client)[0][0].data.tags["pipeline.dvc_experiment"] == "tall-oak"


def test_values_that_are_not_finite_are_left_out(client: MlflowClient) -> None:
    made = history(ACCURACIES)
    made.test_loss[0, 2] = np.inf
    files = VariantFiles([], [], {}, [])
    source = VariantSource("v", {"variant": RECIPE, "training": {"seed": 4}}, {}, files, COLUMNS)
    points = assemble(source, evaluated(made), {}, TRACKING)
    tags = {"outcome": "not_learned", "cause": "exploding", "mlflow.runColor": outcome_colours()["exploding"]}
    assert points.replicas[0].tags == tags
    assert "test_loss" not in {point.key for point in points.replicas[0].points}
    assert all(math.isfinite(point.value) for each in [points, *points.replicas] for point in each.points)


def of_task(task: Task, rule: Rule) -> VariantPayload:
    """Two replicas that reach 0.2 and 0.9 of whatever score the task has, with the second as the best model."""
    scores = np.array([[0, 0.2], [0, 0.9]])
    curves = {f"{part}_{what}": 1 - scores if what == "loss" else scores for part in PARTS for what in task.curves}
    layers = layer_table(3, outputs=task.outputs)
    values = {name: np.ones((2, 2, 2)) for name in ("gradient_mean_abs", "probe_gradient_mean_abs", "weight_l1")}
    made = record.assemble(range(2), range(2), curves, values, layers, task, dict.fromkeys(PARTS, 1.0))
    evaluation = summary.evaluate("v", made, small_variant(), Premises(), rule, THRESHOLDS)
    source = VariantSource(
        "v", {"variant": RECIPE, "training": {"seed": 4}}, {}, VariantFiles([], [], {}, []), columns("a", "b")
    )
    return assemble(source, evaluation, {"best": 1}, TRACKING)


@pytest.mark.parametrize(
    ("task", "rule", "final", "score", "gives"),
    [
        (
            Task("multiclass", ("cat", "dog", "owl")),
            Rule("balanced_accuracy", 2 / 3),
            "test_balanced_accuracy",
            "test balanced accuracy",
            "the probabilities of the classes cat, dog, owl, float32 [row, 3]",
        ),
        (
            Task("regression", ("y1", "y2")),
            Rule("r2", 0.5),
            "test_r2",
            "test R²",
            "the predicted y1, y2, float32 [row, 2]",
        ),
        (
            Task("regression", ("y1",)),
            Rule("skill", 0.5),
            "test_skill",
            "test skill",
            "the predicted y1, float32 [row, 1]",
        ),
    ],
)
def test_what_is_said_of_a_variant_follows_from_its_task_and_score(
    task: Task, rule: Rule, final: str, score: str, gives: str
) -> None:
    made = of_task(task, rule)
    assert made.final == final
    assert made.use.startswith("Takes raw rows, a table with the columns `a`, `b`: ")
    assert made.use.endswith(f". Loaded by `mlflow.keras` it is the Keras model, which gives {gives}.")
    answers = [f"`{name}`" for name in task.names]
    if task.is_classification:
        answers = ["`predicted`", *(f"`probability of {name}`" for name in task.names)]
    assert f". Answers with the columns {', '.join(answers)}. " in made.use
    assert f"with a median {score} of 0.550 (quartiles 0.375 to 0.725)" in made.description
    assert [each.score for each in made.replicas] == [0.2, 0.9]
    best = made.replicas[made.models["best"]]
    assert (best.name, best.tags["outcome"]) == ("replica 001", "learned")
    keys = {point.key for point in made.points}
    charts = {f"{rule.score}/test_median", f"{rule.score}/test_q75", f"{rule.score}/train_median", "loss/test_median"}
    assert {f"{final}_median", *charts} <= keys
    chosen = choose([made])
    assert chosen is not None
    assert chosen.description.startswith(f"v, replica 001: {score} 0.900, the highest of 2 replicas of v. ")
    assert f"the replica with the highest final {score} of all variants" in chosen.model_description
    said = guide(["v"], (), "m", made.final)
    assert f"if its final {score} is above the threshold" in said
    assert f"| `{rule.score}/<part>_<quartile>`, `loss/<part>_<quartile>` |" in said


def test_models_are_packaged_for_another_training_and_not_for_another_evaluation(tmp_path: Path) -> None:
    outputs, judged = tmp_path / "v.bin", tmp_path / "v.csv"
    outputs.write_bytes(b"1")
    judged.write_bytes(b"1")

    def source() -> VariantSource:
        files = VariantFiles([outputs], [judged], {}, [])
        return VariantSource("v", {"variant": RECIPE, "training": {"seed": 4}}, {}, files, COLUMNS)

    manifest = {"v": {"fingerprint": source().fingerprint, "evaluation_hash": "1"}}
    judged.write_bytes(b"2")
    assert not_published([source()], manifest) == set()
    outputs.write_bytes(b"2")
    assert not_published([source()], manifest) == {"v"}
    assert not_published([source()], {}) == {"v"}


@pytest.mark.slow
def test_the_fingerprint_is_of_recipe_and_training_and_the_evaluation_hash_of_the_evaluation(
    client: MlflowClient,
) -> None:
    first, again = content(), content()
    assert (first.fingerprint, first.evaluation_hash) == (again.fingerprint, again.evaluation_hash)
    assert content(trained=b"2").fingerprint != first.fingerprint
    assert content(trained=b"2").evaluation_hash == first.evaluation_hash
    assert content(0.95).evaluation_hash != first.evaluation_hash
    assert content(0.95).fingerprint == first.fingerprint


@pytest.mark.slow
def test_many_points_go_in_batches(client: MlflowClient) -> None:
    many = [Point("m", float(step), step) for step in range(2500)]
    published(replace(content(), points=many))
    parent = runs(client)[0][0]
    assert len(client.get_metric_history(parent.info.run_id, "m")) == 2500


@pytest.mark.slow
def test_our_own_store_is_made_under_the_root_with_a_write_ahead_log(repository: Path) -> None:
    published(content())
    with sqlite3.connect(repository / "mlruns/mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    client = MlflowClient(tracking_uri=f"sqlite:///{repository / 'mlruns/mlflow.db'}")
    location = client.get_experiment_by_name("e").artifact_location
    assert location == (repository / "mlruns/artifacts").as_uri()
    assert next((repository / "mlruns/artifacts").rglob("v.csv")).is_file()


@pytest.mark.slow
def test_a_store_that_mlflow_made_gets_a_write_ahead_log_too(client: MlflowClient, tmp_path: Path) -> None:
    published(content())
    with sqlite3.connect(tmp_path / "mlruns/mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_dvc_root_names_the_parent_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "parent"))
    assert store.tracking_uri() == f"sqlite:///{tmp_path}/parent/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert store.tracking_uri() == "http://somewhere"


@pytest.mark.parametrize("variable", [servers.AUTHORITY, servers.OWN_CERTIFICATE])
def test_a_file_of_certificates_that_cannot_be_read_is_named(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / "missing.pem", tmp_path / "no_certificate.pem"):
        monkeypatch.setenv(variable, str(path))
        with pytest.raises(OSError, match=f"^{variable}: {path}: "):
            servers.expect_answer("https://127.0.0.1:9", 1)
        path.with_name("no_certificate.pem").write_text("text")


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("http://127.0.0.1:9", "MLFLOW_TRACKING_URI: http://127.0.0.1:9: no answer"),
        ("sqlite:////dev/null/x.db", "MLflow store /dev/null/x.db: "),
        ("sqlite:///{place}/text.txt", "MLflow store {place}/text.txt: file is not a database"),
        ("ftp://nowhere", "MLflow store ftp://nowhere: "),
    ],
)
def test_a_store_that_cannot_be_used_is_said_in_one_line(
    uri: str, line: str, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("no database, but a text that is long enough to be read as a header of one" * 3)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(place=tmp_path))
    with pytest.raises(UserError) as caught:
        published(content())
    assert str(caught.value).startswith(line.format(place=tmp_path))
    assert "\n" not in str(caught.value)


def test_parameters_are_flattened_to_names_a_person_reads() -> None:
    flat = flattened(
        {"optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}, "split": {"scale": {"range": (-1.0, 1.0)}}}
    )
    assert flat == {"optimizer": "SGD", "optimizer.momentum": "0.9", "split.scale.range": "[-1.0, 1.0]"}


@pytest.mark.parametrize(("count", "most"), [(100, 100), (5, 5), (2, 2), (1000, 501)])
def test_log_spaced_epochs_hold_both_ends_and_no_more_than_asked(count: int, most: int) -> None:
    epochs = np.arange(0, 501)
    chosen = log_spaced(epochs, count)
    assert (chosen[0], chosen[-1]) == (0, 500)
    assert len(chosen) <= most
    assert (np.diff(chosen) > 0).all()


@pytest.mark.slow
def test_a_run_of_which_a_replica_was_deleted_is_written_anew(client: MlflowClient) -> None:
    published(content())
    (parent,), children = runs(client)
    client.delete_run(children[0].info.run_id)
    assert published(content()) == {"v": "published"}
    (again,), children = runs(client)
    assert again.info.run_id != parent.info.run_id
    assert len(children) == 3


@pytest.mark.slow
def test_what_a_crash_left_goes_also_when_the_recipe_has_changed_since(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing_crashes(monkeypatch)
    left = snapshot(client)
    published(content(trained=b"2"))
    after = snapshot(client)
    assert len(after) == 4
    assert not left.keys() & after.keys()


# Replicas in numbers


@pytest.mark.slow
def test_a_replicas_evidence_is_in_metrics_and_its_recipe_in_parameters(client: MlflowClient) -> None:
    published(content())
    for child in runs(client)[1]:
        metrics = child.data.metrics
        assert metrics["learned"] == (child.data.tags["outcome"] == "learned")
        assert {"living_at_start", "living_at_end", "gradient_ratio", "gradient_scale", "loss_growth"} <= set(metrics)
        assert all(math.isfinite(value) for value in metrics.values())
        assert {"variant", "hidden_layers", "optimizer", "seed", "replica"} <= set(child.data.params)


# Images


def stored_images(client: MlflowClient) -> list[str]:
    """What the images of all parents say."""
    places = [Path(client.download_artifacts(run.info.run_id, images.FOLDER)) for run in runs(client)[0]]
    return sorted(path.read_text() for place in places for path in place.iterdir())


@pytest.mark.slow
def test_figures_are_named_as_mlflows_own_log_image_names_them(client: MlflowClient) -> None:
    """But for the clock, the random number and the format of the thumbnail."""
    published(content())
    run_id = runs(client)[0][0].info.run_id
    ours = {each.path for each in client.list_artifacts(run_id, images.FOLDER)}
    assert ours == {f"images/{name}" for name in images.names("v")}
    assert client.get_run(run_id).data.tags.items() >= images.TAGS.items()

    other = client.create_run("0").info.run_id
    client.log_image(other, Image.new("RGB", (2, 2)), key="figures/v", step=images.STEP)
    theirs = {each.path for each in client.list_artifacts(other, images.FOLDER)}
    assert {fixed(name) for name in ours} == {fixed(name).replace(".webp", ".png") for name in theirs}
    assert client.get_run(other).data.tags.items() >= images.TAGS.items()


def fixed(name: str) -> str:
    """A name without the two parts that vary."""
    return re.sub(r"timestamp\+\d+\+[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "timestamp+T+U", name)


@pytest.mark.slow
def test_each_evaluation_has_figures_of_its_own(client: MlflowClient) -> None:
    published(content(0.75))
    assert stored_images(client) == ["0.75", "0.75"]
    published(content(0.95))
    assert stored_images(client) == ["0.75", "0.75", "0.95", "0.95"]


# The experiment itself


def experiment_tags(client: MlflowClient) -> dict[str, str]:
    return client.get_experiment_by_name("e").tags


@pytest.mark.slow
def test_the_experiment_says_what_it_holds_and_is_written_once(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = (content(), content(variant="w"))
    published(*both)
    note = experiment_tags(client)["mlflow.note.content"]
    for said in ("`v`", "`w`", "learned_share", "the step is the layer", "tags.cause", "`m`"):
        assert said in note
    before = experiment_tags(client)

    def refuse(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    published(*both)
    assert experiment_tags(client) == before


@pytest.mark.slow
def test_the_addresses_of_the_ui_find_all_variants_and_the_pair(
    client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    both = (content(), content(variant="w"))
    published(*both)
    parents = {run.info.run_id for run in runs(client)[0]}
    capsys.readouterr()
    params = {each.variant: each.parameters for each in both}
    page = serve._print_addresses(store.tracking_uri(), "http://host", "e", params, ("v", "w"))
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    assert first == f"all variants, charts beside them: {page}"
    assert second.startswith("v over w, chart by chart: http://host/#/experiments/")
    assert third.startswith("v beside w, in numbers: http://host/#/compare-runs?runs=")
    experiment = client.get_experiment_by_name("e").experiment_id
    for line in (first, second):
        search = unquote(line.partition("searchFilter=")[2])
        assert {run.info.run_id for run in store.search(client, experiment, search)} == parents


@pytest.mark.slow
def test_figures_lie_where_the_page_of_comparison_looks_for_them(client: MlflowClient) -> None:
    """It sets only files side by side that lie outside of all folders."""
    published(content())
    found = client.list_artifacts(runs(client)[0][0].info.run_id)
    assert [each.path for each in found if not each.is_dir] == ["v.png"]


@pytest.mark.slow
def test_the_address_of_earlier_recipes_is_printed_where_there_are_any(
    client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    published(content())
    wanted = {"v": content().parameters}
    for count, trained in ((0, b"1"), (1, b"2")):
        published(content(trained=trained))
        capsys.readouterr()
        serve._print_addresses(store.tracking_uri(), "http://host", "e", wanted, ())
        assert capsys.readouterr().out.count("experiments and earlier recipes too: ") == count


@pytest.mark.slow
def test_searches_of_the_description_and_the_reference_work(client: MlflowClient) -> None:
    published(content())
    experiment = client.get_experiment_by_name("e").experiment_id
    reference = (Path(__file__).parent.parent / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = re.findall(r"`((?:tags|params|metrics)\.[^`]*=[^`]*)`", " ".join(reference.split()))
    assert "tags.cause = 'born_dead' and params.hidden_layers = '20'" in shown
    for search in [*shown, *searches("v").values()]:
        client.search_runs([experiment], search)  # raises where it is not understood
    counts = [len(client.search_runs([experiment], search)) for search in searches("v").values()]
    assert counts[:4] == [1, 1, 1, 3]
    assert len(client.search_runs([experiment], "tags.cause = 'unexplained' and params.hidden_layers = '1'")) == 1


# The registered model


def versions(client: MlflowClient) -> dict[str, str]:
    """The variant of every version, by its number."""
    return {str(each.version): each.tags["pipeline.variant"] for each in client.search_model_versions("name = 'm'")}


def best(client: MlflowClient) -> ModelVersion:
    """What the alias points to: its model exists, and belongs to a run that is whole."""
    version = client.get_model_version_by_alias("m", "best")
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    run = client.get_run(version.run_id)
    assert model.source_run_id == version.run_id
    assert (run.info.lifecycle_stage, run.data.tags["pipeline.complete"]) == ("active", "true")
    assert run.data.tags["pipeline.fingerprint"] == version.tags["pipeline.fingerprint"]
    assert (Path(client.get_model_version_download_uri("m", version.version).removeprefix("file://"))).is_dir()
    return version


@pytest.mark.slow
def test_the_best_of_all_variants_is_registered_once(client: MlflowClient) -> None:
    both = (content(), content(variant="w", best=0.95))
    published(*both)
    version = best(client)
    assert version.tags["pipeline.variant"] == "w"
    for said in ("w, replica 000", "0.950", "of 6 replicas", "It was chosen by its test score"):
        assert said in version.description
    model = client.get_registered_model("m")
    assert "highest final test accuracy" in model.description
    before = (model.last_updated_timestamp, version.last_updated_timestamp)
    published(*both)
    again = (client.get_registered_model("m").last_updated_timestamp, best(client).last_updated_timestamp)
    assert again == before
    assert versions(client) == {"1": "w"}


@pytest.mark.slow
def test_of_equals_the_first_variant_is_the_best(client: MlflowClient) -> None:
    published(content(), content(variant="w"))
    assert best(client).tags["pipeline.variant"] == "v"


@pytest.mark.slow
def test_another_best_is_another_version_and_the_first_is_found_again(client: MlflowClient) -> None:
    published(content())
    first = best(client)
    published(content(trained=b"2", best=0.99))
    assert best(client).version != first.version
    assert "0.990" in best(client).description
    published(content())
    assert (best(client).version, best(client).description) == (first.version, first.description)
    assert set(versions(client)) == {"1", "2"}


@pytest.mark.slow
def test_a_moved_threshold_registers_nothing(client: MlflowClient) -> None:
    for threshold in (0.75, 0.95, 0.75):
        published(content(threshold))
    assert versions(client) == {"1": "v"}


def deleted_run(client: MlflowClient) -> None:
    client.delete_run(runs(client)[0][0].info.run_id)


def deleted_child(client: MlflowClient) -> None:
    client.delete_run(runs(client)[1][0].info.run_id)


def deleted_model(client: MlflowClient) -> None:
    client.delete_logged_model(best(client).source.removeprefix("models:/"))


def deleted_version(client: MlflowClient) -> None:
    client.delete_model_version("m", best(client).version)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [deleted_run, deleted_child, deleted_model, deleted_version])
def test_a_version_follows_its_run_when_that_is_written_anew(
    client: MlflowClient, loss: Callable[[MlflowClient], None]
) -> None:
    published(content())
    loss(client)
    published(content())
    assert best(client).tags["pipeline.variant"] == "v"
    assert len(versions(client)) == 1
    before = best(client)
    published(content())
    assert best(client).version == before.version


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("make_circles", "binary", "circles-classifier"),
        ("make_s_curve", "regression", "s_curve-regressor"),
        ("load_diabetes", "regression", "diabetes-regressor"),
        ("load_digits", "multiclass", "digits-classifier"),
        ("tables/customers.csv", "binary", "customers-classifier"),
        ("tables/sub/my data.v2.parquet", "regression", "my data.v2-regressor"),
        ("tables/Umsätze: 2024.npz", "regression", "Ums_tze_ 2024-regressor"),
    ],
)
def test_a_registered_model_is_named_after_the_data_and_the_task(source: str, kind: KindName, name: str) -> None:
    """Where params.yaml states no name; a stated one is used as stated."""
    data, task = DataParams(source=source), Task(kind, ("a", "b"))
    unstated = TrackingParams(experiment="e", layer_epochs=3, profile_epochs=2).registered_model
    assert registered_name(unstated, data, task) == name
    assert registered_name("Mine 1.0", data, task) == "Mine 1.0"
    stated = {"experiment": "e", "registered_model": name, "layer_epochs": 3, "profile_epochs": 2}
    assert TrackingParams.model_validate(stated).registered_model == name


@pytest.mark.slow
@pytest.mark.parametrize("step", ["create_model_version", "set_registered_model_alias", "create_registered_model"])
def test_a_registration_that_was_cut_short_is_finished(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed right after each step."""
    real = getattr(MlflowClient, step)

    def crash(*arguments: object, **named: object) -> None:
        real(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, step, crash)
        with pytest.raises(KeyboardInterrupt):
            published(content())
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert published(content()) == {"v": "nothing new"}
    assert best(client).tags["pipeline.variant"] == "v"
    assert versions(client) == {"1": "v"}


def test_a_registry_that_refuses_is_said_in_one_line(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("no registry here\nbut a long story")

    monkeypatch.setattr(MlflowClient, "search_registered_models", refuse)
    with pytest.raises(UserError, match=r"model registry: no registry here$"):
        published(content())
    assert runs(client)[0][0].data.tags["pipeline.complete"] == "true"


@pytest.mark.slow
def test_an_experiment_of_dvc_leaves_what_stands_above_the_runs_alone(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(content())
    before = experiment_tags(client)
    monkeypatch.setenv("DVC_EXP_NAME", "tall-oak")
    published(content(trained=b"2", best=0.99))
    assert (versions(client), experiment_tags(client)) == ({"1": "v"}, before)


def test_an_error_of_the_database_is_one_line(
    empty_store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(empty_store, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = store.connect(uri)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DROP TABLE experiment_tags")
        database.commit()
    with pytest.raises(UserError, match="no such table: experiment_tags"), store.readable_errors(uri):
        client.set_experiment_tag("0", "key", "value")
    assert "Traceback" not in capfd.readouterr().err


def test_what_packaging_leaves_where_it_is_killed_lies_in_the_folder_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Packages() as packages:
        packages.prepare()
        (place,) = tmp_path.glob("*packaged-*")
        (process,) = packages._idle
        told = Path(f"/proc/{process.pid}/environ")
        if told.exists():
            wait_until(lambda: f"TMPDIR={place}".encode() in told.read_bytes().split(b"\0"))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [None, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGINT, signal.SIGTERM))]
)
def test_publishing_leaves_no_temporary_files(
    published: Workspace, empty_store: Path, tmp_path: Path, number: int | None
) -> None:
    """However it ends, models being packaged: the subprocess for them gets a signal too, as from Ctrl-C, or none."""
    workspace = Workspace(tmp_path / "study")
    shutil.copytree(published.folder, workspace.folder, ignore=shutil.ignore_patterns(".git", ".dvc", "mlruns"))
    workspace.database.parent.mkdir()
    shutil.copy(empty_store, workspace.database)
    place = tmp_path / "temporary"
    place.mkdir()
    running = workspace.running_alone if number == signal.SIGTERM else workspace.running  # `running` signals the group
    with running(*stage("track"), TMPDIR=str(place)) as process:
        if number is not None:
            wait_until(lambda: any(place.glob("*packaged-*/*/*/*")), seconds=300)
            process.send_signal(number)
        assert process.wait(600) == {signal.SIGINT: 130, signal.SIGTERM: 143, None: 0}[number]
    assert not list(place.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("imports_beforehand")
def test_what_fails_in_packaging_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.chdir(tmp_path)
    with Packages() as packages:
        packages.begin({"v": {"best": 0}, "w": {}})
        packages.begin({"v": {"best": 0}})  # is on its way
        assert packages.folders("w") == {}
        with pytest.raises(
            UserError, match=r"^runs/v: not found: `dvc repro` makes it, if params.yaml has a variant v"
        ):
            packages.folders("v")


@pytest.mark.usefixtures("client")
def test_an_interruption_while_the_uis_server_starts_leaves_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes when the process is there and nobody knows it yet."""
    started: list[subprocess.Popen] = []
    start = subprocess.Popen

    def interrupted(command: list[str], **options: Any) -> subprocess.Popen:
        started.append(start(["sleep", "600"], **options))
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]

    monkeypatch.setattr(serve.subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt), serve._served("sqlite:///none.db", "127.0.0.1", free_port()):
        pytest.fail("it serves")
    assert started[0].poll() == -signal.SIGTERM
