"""Tracking on a real SQLite store: what is published, and that publishing again changes nothing."""

import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from test_evaluation import evaluated, history

from pipeline.errors import UserError
from pipeline.params.tracking import TrackingParams
from pipeline.tracking import publish, store
from pipeline.tracking.content import Point, VariantContent, VariantFiles, assemble, flattened, log_spaced

TRACKING = TrackingParams(experiment="e", layer_epochs=3, profile_epochs=2)
RECIPE = {"hidden_layers": 1, "optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}}
ACCURACIES = [[0.5, 0.8, 0.9], [0.5, 0.6, 0.7], [0.5, 0.5, 0.85]]


def content(threshold: float = 0.75, variant: str = "v", trained: bytes = b"1") -> VariantContent:
    """A variant of hand-made history, judged by a threshold; `trained` stands for what training left."""
    evaluation = evaluated(history(ACCURACIES), threshold)
    outputs, judged = Path(f"{variant}.bin"), Path(f"{variant}.csv")
    outputs.write_bytes(trained)
    evaluation.replicas.to_csv(judged)
    files = VariantFiles([outputs], [judged], {"tables": [judged]}, {})
    return assemble(variant, RECIPE, {"training": {"seed": 4}}, evaluation, files, TRACKING)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """An empty folder as the repository, its store not created yet."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    return MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlruns/mlflow.db'}")


def published(*contents: VariantContent) -> dict[str, str]:
    return publish.publish(contents, "e", {})


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


def publishing_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish, and be interrupted when all runs are there and the artifacts are not."""

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publish.Publisher, "_log_artifacts", crash)
        with pytest.raises(KeyboardInterrupt):
            published(content())


def test_a_parent_for_the_variant_and_a_child_for_each_replica(client: MlflowClient) -> None:
    assert published(content()) == {"v": "published"}
    (parent,), children = runs(client)
    made = content()
    assert parent.info.run_name == f"v ({made.fingerprint[:7]})"
    tags = parent.data.tags
    assert (tags["pipeline.variant"], tags["pipeline.fingerprint"]) == ("v", made.fingerprint)
    assert (tags["pipeline.judgement"], tags["pipeline.complete"]) == (made.judgement, "true")
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
    assert [child.data.tags["cause"] for child in children] == ["none", "stuck", "none"]
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


def test_publishing_again_changes_nothing(client: MlflowClient) -> None:
    published(content())
    before = snapshot(client)
    assert published(content()) == {"v": "already there"}
    assert snapshot(client) == before


def test_another_training_is_another_run_and_the_first_stays(client: MlflowClient) -> None:
    published(content())
    before = snapshot(client)
    assert published(content(trained=b"2")) == {"v": "published"}
    after = snapshot(client)
    assert len(after) == 2 * len(before)
    assert before.items() <= after.items()


def test_a_threshold_moved_there_and_back_ends_as_it_began(client: MlflowClient) -> None:
    published(content(0.75))
    before = snapshot(client)
    assert published(content(0.95)) == {"v": "overwritten in place"}
    (parent,), children = runs(client)
    assert parent.data.metrics["learned_rate"] == 0
    assert {child.data.tags["outcome"] for child in children} == {"not_learned"}
    assert all(math.isnan(child.data.metrics.get("epochs_to_learn", math.nan)) for child in children)
    assert published(content(0.75)) == {"v": "overwritten in place"}
    assert snapshot(client) == before


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


def test_only_what_is_missing_is_published(client: MlflowClient) -> None:
    published(content())
    assert published(content(), content(variant="w")) == {"v": "already there", "w": "published"}
    assert [run.data.tags["pipeline.variant"] for run in runs(client)[0]] == ["v", "w"]


def test_the_name_of_a_dvc_experiment_is_kept(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "tall-oak")
    published(content())
    assert runs(client)[0][0].data.tags["pipeline.dvc_experiment"] == "tall-oak"


def test_values_that_are_not_finite_are_left_out(client: MlflowClient) -> None:
    made = history(ACCURACIES)
    made.test_loss[0, 2] = np.inf
    points = assemble("v", RECIPE, {"training": {"seed": 4}}, evaluated(made), VariantFiles([], [], {}, {}), TRACKING)
    assert points.replicas[0].tags == {"outcome": "not_learned", "cause": "exploding"}
    assert "test_loss" not in {point.key for point in points.replicas[0].points}
    assert all(math.isfinite(point.value) for each in [points, *points.replicas] for point in each.points)


def test_the_fingerprint_is_of_recipe_and_training_and_the_judgement_of_the_evaluation(
    client: MlflowClient,
) -> None:
    first, again = content(), content()
    assert (first.fingerprint, first.judgement) == (again.fingerprint, again.judgement)
    assert content(trained=b"2").fingerprint != first.fingerprint
    assert content(trained=b"2").judgement == first.judgement
    assert content(0.95).judgement != first.judgement
    assert content(0.95).fingerprint == first.fingerprint


def test_many_points_go_in_batches(client: MlflowClient) -> None:
    many = [Point("m", float(step), step) for step in range(2500)]
    published(replace(content(), points=many))
    parent = runs(client)[0][0]
    assert len(client.get_metric_history(parent.info.run_id, "m")) == 2500


def test_our_own_store_lies_under_the_root_with_a_write_ahead_log(client: MlflowClient, tmp_path: Path) -> None:
    published(content())
    with sqlite3.connect(tmp_path / "mlruns/mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    location = client.get_experiment_by_name("e").artifact_location
    assert location == (tmp_path / "mlruns/artifacts").as_uri()
    assert next((tmp_path / "mlruns/artifacts").rglob("v.csv")).is_file()


def test_dvc_root_names_the_parent_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "parent"))
    assert store.tracking_uri() == f"sqlite:///{tmp_path}/parent/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert store.tracking_uri() == "http://somewhere"


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
        {"optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}, "split": {"scale_to": (-1.0, 1.0)}}
    )
    assert flat == {"optimizer": "SGD", "optimizer.momentum": "0.9", "split.scale_to": "[-1.0, 1.0]"}


@pytest.mark.parametrize(("count", "most"), [(100, 100), (5, 5), (2, 2), (1000, 501)])
def test_log_spaced_epochs_hold_both_ends_and_no_more_than_asked(count: int, most: int) -> None:
    epochs = np.arange(0, 501)
    chosen = log_spaced(epochs, count)
    assert (chosen[0], chosen[-1]) == (0, 500)
    assert len(chosen) <= most
    assert (np.diff(chosen) > 0).all()


def test_a_run_of_which_a_replica_was_deleted_is_written_anew(client: MlflowClient) -> None:
    published(content())
    (parent,), children = runs(client)
    client.delete_run(children[0].info.run_id)
    assert published(content(0.95)) == {"v": "published"}
    (again,), children = runs(client)
    assert again.info.run_id != parent.info.run_id
    assert len(children) == 3


def test_what_a_crash_left_goes_also_when_the_recipe_has_changed_since(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing_crashes(monkeypatch)
    left = snapshot(client)
    published(content(trained=b"2"))
    after = snapshot(client)
    assert len(after) == 4
    assert not left.keys() & after.keys()


def test_a_point_that_is_no_more_becomes_not_a_number(client: MlflowClient) -> None:
    whole = content()
    published(replace(whole, points=[*whole.points, Point("gone", 1.0, 5), Point("gone", 2.0, 9)]))
    published(replace(whole, points=[*whole.points, Point("gone", 1.0, 5)], judgement="another"))
    parent = runs(client)[0][0].info.run_id
    latest = {m.step: m.value for m in client.get_metric_history(parent, "gone")}
    assert latest[5] == 1.0
    assert math.isnan(latest[9])
    count = len(client.get_metric_history(parent, "gone"))
    published(replace(whole, points=[*whole.points, Point("gone", 1.0, 5)], judgement="a third"))
    assert len(client.get_metric_history(parent, "gone")) == count
