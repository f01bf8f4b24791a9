"""TensorBoard's events: what its own reader finds is the history, under names that a person finds."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import training, variant
from imports import ROOT
from ruamel.yaml import YAML
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from examples import BINARY, THRESHOLDS, accuracy_above, tutorials_origin
from pipeline.data.split.samples import Split
from pipeline.diagnosis.theory import Premises
from pipeline.evaluation import files as evaluations
from pipeline.evaluation import summary
from pipeline.foundations.errors import UserError
from pipeline.foundations.files import replacing_folder
from pipeline.history import files as runs
from pipeline.history.recipe import Recipe
from pipeline.history.record import GRADIENT_EDGES, WEIGHT_EDGES
from pipeline.models.network import build
from pipeline.params import params as parameters
from pipeline.params.variant_params import VariantParams
from pipeline.tracking.tensorboard import bins
from pipeline.tracking.tensorboard import files as events
from pipeline.tracking.tensorboard import open_tensorboard as tensorboard
from pipeline.tracking.tensorboard.chosen_replicas import chosen
from pipeline.tracking.tensorboard.summaries import events as events_of
from pipeline.training.common.train_replicas import Trained, train
from pipeline.training.compiled.eligible import dense_stack


@pytest.fixture(scope="module")
def result(circles: Split) -> Trained:
    return train(variant(), "v", circles, training(record_every=2))


@pytest.fixture
def workspace(result: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `v` is trained and evaluated, replicas 1 and 2 judged by hand."""
    monkeypatch.chdir(tmp_path)
    put(result.history, result)
    return tmp_path


def put(history: xr.Dataset, result: Trained, histograms: bool = True, replicas: object = ("median", 2)) -> None:
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    recipe, params = variant().model_dump(mode="json"), training(record_every=2, histograms=histograms)
    document |= {"defaults": recipe, "variants": {"v": {}}, "training": params.model_dump(mode="json")}
    document |= {"tensorboard": {"replicas": list(replicas)}, "comparison": {}, "studies": {}}
    YAML().dump(document, Path("params.yaml"))
    runs.save_run("v", history, result.predictions, result.weights)
    runs.save_recipe("v", recipe_of(parameters.read().variant("v")))
    evaluated = summary.evaluate("v", history, variant(), Premises(), accuracy_above(), THRESHOLDS)
    evaluated.replicas.loc[[1, 2], ["outcome", "cause"]] = ["not_learned", "saturated"]
    evaluations.save_evaluation("v", evaluated)


def recipe_of(trained: VariantParams) -> Recipe:
    """What this variant was trained with, by params.yaml as it is now."""
    params = parameters.read()
    origin = tutorials_origin().model_copy(update={"data": params.data, "split": params.split})
    return Recipe(variant=trained, training=params.training, versions={}, **dict(origin))


def choose(*choices: object) -> None:
    document = YAML(typ="safe").load(Path("params.yaml"))
    document["tensorboard"] = {"replicas": list(choices)}
    YAML().dump(document, Path("params.yaml"))


def written() -> list[str]:
    return sorted(str(path.parent.relative_to(events.EVENTS)) for path in events.EVENTS.rglob("*") if path.is_file())


def read(run: str) -> EventAccumulator:
    """By TensorBoard's own reader, without its sampling."""
    accumulator = EventAccumulator(str(events.EVENTS / run), size_guidance={"tensors": 0})
    return accumulator.Reload()


def values(accumulator: EventAccumulator, tag: str) -> dict[int, np.ndarray]:
    return {event.step: make_ndarray(event.tensor_proto) for event in accumulator.Tensors(tag)}


def spread(buckets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts on `edges` [bin + 1] from TensorBoard's buckets, of which an empty one may span many bins."""
    counts = np.zeros(len(edges) - 1, int)
    for left, right, count in buckets:
        first, last = (int(np.abs(edges - end).argmin()) for end in (left, right))
        np.testing.assert_allclose([left, right], [edges[first], edges[last]], rtol=1e-6)
        assert last == first + 1 or count == 0
        counts[first:last] += int(count)
    return counts


def test_the_curves_are_the_historys(workspace: Path, result: Trained) -> None:
    tensorboard.write()
    replica, found = result.history.isel(replica=2), read("v/replica_002")
    for tag, name in {"accuracy/test": "test_accuracy", "loss/train": "train_loss"}.items():
        curve = values(found, tag)
        assert list(curve) == [0, 1, 2, 3]
        np.testing.assert_array_equal(list(curve.values()), replica[name])
    for layer, name in enumerate(("hidden_01", "hidden_02", "output")):
        probe_text = values(found, f"{name}/kernel/probe_gradient_mean_abs")
        np.testing.assert_array_equal(list(probe_text.values()), replica.probe_gradient_mean_abs[:, layer])
        batches = values(found, f"{name}/kernel/gradient_mean_abs")
        assert list(batches) == [2, 3]  # there is none before the first step
        np.testing.assert_array_equal(list(batches.values()), replica.gradient_mean_abs[1:, layer])


def test_the_histograms_are_the_historys(workspace: Path, result: Trained) -> None:
    tensorboard.write()
    replica, found = result.history.isel(replica=2), read("v/replica_002")
    raw = np.array([-(10**2.5), *GRADIENT_EDGES, 10**2.5])
    linear = np.array([-6.25, *WEIGHT_EDGES, 6.25])
    decades = np.arange(-12.5, 2.6, 0.5)
    for layer, name in enumerate(("hidden_01", "hidden_02", "output")):
        tag = f"{name}/kernel"
        drawn = {each: values(found, each) for each in (tag, f"{tag}/gradient", f"{tag}/gradient_log10")}
        for position, epoch in enumerate((0, 2, 3)):
            gradient, weight = (
                replica[each][position, layer].values for each in ("gradient_histogram", "weight_histogram")
            )
            np.testing.assert_array_equal(spread(drawn[tag][epoch], linear), weight)
            np.testing.assert_array_equal(spread(drawn[f"{tag}/gradient"][epoch], raw), gradient)
            sizes = [gradient[29], *(gradient[30:] + gradient[28::-1])]
            np.testing.assert_array_equal(spread(drawn[f"{tag}/gradient_log10"][epoch], decades), sizes)
        assert all(list(each) == [0, 2, 3] for each in drawn.values())


def test_one_axis_for_what_is_compared(workspace: Path) -> None:
    tensorboard.write()
    found = read("v/replica_002")

    def axes(ending: str) -> set[tuple[float, float]]:
        tags = [tag for tag in found.Tags()["tensors"] if tag.endswith(ending)]
        assert len(tags) == 3
        return {(float(each[0, 0]), float(each[-1, 1])) for tag in tags for each in values(found, tag).values()}

    assert axes("/gradient_log10") == {(-12.5, 2.5)}
    (((low, high)),) = axes("/gradient")
    assert low == -high >= -1e3


def test_a_gradient_of_zero_is_a_spike_and_not_a_plain() -> None:
    counts = np.zeros((3, 2, len(GRADIENT_EDGES) + 1), np.int8)
    counts[..., 29] = 25
    edges = np.array(GRADIENT_EDGES)
    shown, closed = bins.symmetric_range(counts, edges), bins.close_logarithmic_bins(edges)
    buckets = bins.to_buckets(closed[:-1][shown], closed[1:][shown], counts[0, 0, shown])
    np.testing.assert_allclose(buckets, [[-1e-3, -1e-12, 0], [-1e-12, 1e-12, 25], [1e-12, 1e-3, 0]], rtol=1e-6)
    counts[2, 1, -1] = 1  # an infinite one widens the axis of all layers
    assert bins.symmetric_range(counts, edges) == slice(0, 59)


def test_a_tag_says_how_to_read_it(workspace: Path) -> None:
    tensorboard.write()
    found = read("v/replica_002")
    for tag in found.Tags()["tensors"]:
        metadata = found.SummaryMetadata(tag)
        histogram = tag.endswith(("/kernel", "/gradient", "/gradient_log10"))
        assert metadata.plugin_data.plugin_name == ("histograms" if histogram else "scalars")
        assert metadata.summary_description.endswith("The step is the epoch: 0 is before training.")
    assert "log10 |g|" in found.SummaryMetadata("output/kernel/gradient_log10").summary_description


def test_layers_are_named_as_in_the_network(workspace: Path) -> None:
    tensorboard.write()
    tags = read("v/replica_002").Tags()["tensors"]
    assert [tag for tag in tags if tag.endswith("/kernel")] == list(build(variant(), 2, BINARY, "v").kernels)
    for depth in (1, 12):
        deep = variant(hidden_layers=depth)
        paths = [f"{layer.path}/kernel" for layer in dense_stack(deep, 2, BINARY).layers]
        assert paths == list(build(deep, 2, BINARY, "v").kernels)


def test_runs_are_named_by_how_they_were_chosen(result: Trained) -> None:
    history = result.history.copy(deep=True)
    history["test_accuracy"][:, -1] = np.array([0.9, 0.4, 0.6, 0.5])
    causes = pd.DataFrame({"cause": ["none", "vanishing", "born_dead", "vanishing"]})
    assert chosen(["median", "each_cause"], history, causes, "accuracy") == {
        "median_replica_003": 3,
        "born_dead_replica_002": 2,
        "vanishing_replica_001": 1,
    }
    assert chosen(["best", 3, "best", 3], history, causes, "accuracy") == {"best_replica_000": 0, "replica_003": 3}
    learned = pd.DataFrame({"cause": ["none"] * 4})
    assert chosen(["each_cause"], history, learned, "accuracy") == {}


def test_it_writes_what_is_chosen_and_leaves_nothing_else(workspace: Path) -> None:
    choose("each_cause", 0)
    tensorboard.write()
    assert "v/saturated_replica_001" in written()
    assert "v/replica_000" in written()
    stray = events.EVENTS / "gone" / "replica_000"
    stray.mkdir(parents=True)
    (stray / events.FILE).touch()
    choose(3)
    tensorboard.write()
    assert written() == ["v/replica_003"]
    assert not list(Path.cwd().glob(".writing-*"))


def test_a_failure_leaves_what_was_there(workspace: Path) -> None:
    tensorboard.write()
    before = written()

    def fail_half_way() -> None:
        with replacing_folder(events.EVENTS) as folder:
            (folder / "half").mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert written() == before
    assert not list(Path.cwd().glob(".writing-*"))


def test_the_same_history_gives_the_same_bytes(workspace: Path) -> None:
    contents = []
    for _ in range(2):
        tensorboard.write()
        contents.append({path.name: path.read_bytes() for path in events.EVENTS.rglob("*") if path.is_file()})
    assert contents[0] == contents[1]
    times = [event.wall_time for event in EventFileLoader(str(events.EVENTS / "v/replica_002" / events.FILE)).Load()]
    assert times == [0, 0, 1, 2, 3]


def test_without_histograms_there_are_curves(workspace: Path, result: Trained, capsys: pytest.CaptureFixture) -> None:
    names = [name for name in result.history if str(name).endswith("_histogram")]
    put(result.history.drop_vars([*names, "gradient_bin", "weight_bin"]), result, histograms=False)
    assert tensorboard.write() == "timeseries"
    assert "curves only, because training.histograms is false" in capsys.readouterr().out
    tags = read("v/replica_002").Tags()["tensors"]
    assert {"accuracy/test", "output/kernel/gradient_mean_abs"} <= set(tags)
    assert not [tag for tag in tags if tag.endswith(("/kernel", "/gradient", "/gradient_log10"))]


def test_what_is_not_a_number_is_shown_as_that_or_left_out(result: Trained) -> None:
    history = result.history.copy(deep=True)
    history["train_loss"][2, 1:] = np.nan
    history["weight_histogram"][2, 1:] = 0
    history["gradient_histogram"][2] = 0
    by_step = {event.step: {each.tag: each for each in event.summary.value} for event in events_of(history, 2)}
    assert np.isnan(make_ndarray(by_step[2]["loss/train"].tensor))
    assert "hidden_01/kernel" in by_step[0]
    assert "hidden_01/kernel" not in by_step[2]
    assert not any("gradient_log10" in tag for tags in by_step.values() for tag in tags)


@pytest.mark.parametrize(
    ("choices", "line"),
    [
        (["median", 4], "tensorboard.replicas.1: 4: must be median, best, each_cause or 0 to 3"),
        (["worst"], "tensorboard.replicas.0: worst: must be median, best, each_cause or a replica's number, from 0"),
        ([-1], "tensorboard.replicas.0: -1: must be median, best"),
        ([True], "tensorboard.replicas.0: True: must be median, best"),
        ([1.0], "tensorboard.replicas.0: 1.0: must be median, best"),
        ([], "tensorboard.replicas: []: must name at least one of median, best"),
    ],
)
def test_a_mistake_is_named_in_one_line(choices: list, line: str, workspace: Path) -> None:
    choose(*choices)
    with pytest.raises(UserError) as caught:
        tensorboard.write()
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    assert not events.EVENTS.exists()


def test_results_of_other_parameters_are_refused(workspace: Path) -> None:
    shutil.rmtree("evaluations/v")
    with pytest.raises(UserError, match=r"^evaluations/v/replicas.csv: not found: `dvc repro` makes it"):
        tensorboard.write()
    runs.save_recipe("v", recipe_of(variant(units=99)))
    with pytest.raises(
        UserError, match=r"^runs/v: trained with other parameters \(variant\) than params.yaml says now"
    ):
        tensorboard.write()
    shutil.rmtree("runs/v")
    with pytest.raises(UserError, match=r"^runs/v: not found: `dvc repro` makes it, if params.yaml has a variant v"):
        tensorboard.write()


def test_an_evaluation_of_other_replicas_is_refused(workspace: Path, result: Trained) -> None:
    runs.save_run("v", result.history.isel(replica=slice(3)), result.predictions, result.weights)
    with pytest.raises(
        UserError, match=r"^v: its evaluation and its history have different replicas: run `dvc repro` first"
    ):
        tensorboard.write()


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match=r"^--port: 65536: must be 0 to 65535"):
        tensorboard.serve("127.0.0.1", 65536, "histograms")


@pytest.mark.slow
def test_it_writes_and_serves_without_tensorflow(workspace: Path) -> None:
    """For real: in a process of its own, asked over HTTP as the page asks, by what lies in sys.modules."""
    code = """
import json, sys, time, urllib.request
from pipeline.tracking.tensorboard import open_tensorboard as tensorboard
address = tensorboard.serve("127.0.0.1", None, tensorboard.write())
base, page = address.split("#")
tags = {}
for _ in range(600):
    tags = json.load(urllib.request.urlopen(base + "data/plugin/histograms/tags"))
    if "v/replica_002" in tags:
        break
    time.sleep(0.1)
query = "data/plugin/histograms/histograms?run=v%2Freplica_002&tag=output%2Fkernel%2Fgradient"
drawn = json.load(urllib.request.urlopen(base + query))
taken = int(base.rstrip("/").rsplit(":", 1)[1])
try:
    tensorboard.serve("127.0.0.1", taken, page)
except tensorboard.UserError as error:
    line = str(error)
print(json.dumps([page, sorted(tags["v/replica_002"]), [step for _, step, _ in drawn], line]))
sys.exit(any(name in sys.modules for name in ("tensorflow", "keras")))
"""
    environment = {"PYTHONPATH": str(ROOT), "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page, tags, steps, line = json.loads(done.stdout.splitlines()[-1])
    assert page == tensorboard.HISTOGRAMS
    assert tags[:3] == ["hidden_01/kernel", "hidden_01/kernel/gradient", "hidden_01/kernel/gradient_log10"]
    assert steps == [0, 2, 3]
    assert line.endswith("already in use: must be a free port of this machine; choose another with PORT=")
    assert "\n" not in line
