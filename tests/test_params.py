"""Test params.yaml: unknown keys are rejected, maps are inherited deeply, a fault is one line that names its place."""

from pathlib import Path

import pytest
from conftest import RECIPE, training, variant
from dvc.utils.hydra import apply_overrides
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from examples import BINARY
from pipeline.data.split.samples import Split
from pipeline.foundations.errors import UserError, reported_in_one_line
from pipeline.params.evaluation_params import SCORES, EvaluationParams
from pipeline.params.file import check
from pipeline.params.params import parse, read
from pipeline.params.variant_params import VariantParams, merge, resolve
from pipeline.training.common.train_replicas import train
from pipeline.training.common.trainable import expect_trainable

REAL = Path(__file__).parent.parent / "params.yaml"
scalars = st.one_of(st.integers(), st.text(max_size=5), st.booleans())
keys = st.sampled_from(["a", "b", "c"])
maps = st.recursive(
    st.dictionaries(keys, scalars, max_size=3), lambda below: st.dictionaries(keys, below, max_size=3), max_leaves=6
)


def test_the_shipped_file_holds_the_tutorials_values() -> None:
    params = read(REAL)
    training, variants = params.training, params.variants
    assert (training.epochs, training.batch_size, training.replicas) == (500, 32, 30)
    assert list(variants) == ["tanh_1", "tanh_5", "tanh_5_glorot", "tanh_5_adam", "relu_5", "relu_15", "relu_20"]
    relu_20, tanh_5, adam = (variants[name] for name in ("relu_20", "tanh_5", "tanh_5_adam"))
    assert (relu_20.hidden_layers, relu_20.units, relu_20.activation.class_name) == (20, 5, "relu")
    assert relu_20.optimizer.config == {"learning_rate": 0.01, "momentum": 0.9}
    assert tanh_5.kernel_initializer == tanh_5.output_kernel_initializer
    assert tanh_5.kernel_initializer.config == {"minval": 0.0, "maxval": 1.0}
    assert (adam.optimizer.class_name, adam.optimizer.config) == ("Adam", {"learning_rate": 0.001})


def test_every_value_of_the_shipped_file_has_a_comment() -> None:
    sections = REAL.read_text().split("\nvariants:")[0].splitlines()
    values = [line for line in sections if ":" in line and not line.startswith("#") and line.split(":")[1].strip()]
    assert values
    assert [line for line in values if "#" not in line and "class_name" not in line] == []


@given(maps)
def test_merging_nothing_changes_nothing(inherited: dict) -> None:
    assert merge(inherited, {}) == inherited
    assert merge({}, inherited) == inherited


@given(maps, maps)
def test_own_values_win_and_others_stay(inherited: dict, own: dict) -> None:
    merged = merge(inherited, own)
    assert set(merged) == set(inherited) | set(own)
    assert merge(merged, own) == merged
    for key in set(inherited) - set(own):
        assert merged[key] == inherited[key]
    for key, value in own.items():
        if not isinstance(value, dict) and not isinstance(inherited.get(key), dict):
            assert merged[key] == value


def test_merging_touches_neither_side() -> None:
    inherited = {"optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}}
    merge(inherited, {"optimizer": {"config": {"learning_rate": 1.0}}})
    assert inherited == {"optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"config": {"learning_rate": 0.5}}, ("SGD", {"learning_rate": 0.5, "momentum": 0.9})),
        ({"class_name": "SGD", "config": {"momentum": 0.1}}, ("SGD", {"learning_rate": 0.1, "momentum": 0.1})),
        ({"class_name": "Adam"}, ("Adam", {})),
        ({"class_name": "Adam", "config": {"beta_1": 0.5}}, ("Adam", {"beta_1": 0.5})),
        ("Adam", ("Adam", {})),
        ("SGD", ("SGD", {"learning_rate": 0.1, "momentum": 0.9})),
    ],
)
def test_another_class_name_drops_the_inherited_config(own: object, expected: tuple) -> None:
    optimizer = resolve(RECIPE, {"v": {"optimizer": own}})["v"].optimizer
    assert (optimizer.class_name, optimizer.config) == expected


def test_a_name_and_a_map_inherit_from_each_other() -> None:
    own = {"v": {"activation": {"class_name": "relu", "config": {"max_value": 6}}}}
    activation = resolve(RECIPE, own)["v"].activation
    assert (activation.class_name, activation.config) == ("relu", {"max_value": 6})


VALID = REAL.read_text()
MISTAKES = {
    "hidden_layers: 20": ("hidden_layers: -3", "variants.relu_20.hidden_layers: -3: must be at least 1"),
    "hidden_layers: 15": ("hidden_layers: 1.5", "variants.relu_15.hidden_layers: 1.5: must be a whole number"),
    "    hidden_layers: 20": (
        "    hiden_layers: 20",
        "variants.relu_20.hiden_layers: unknown key: did you mean hidden_layers?",
    ),
    "  - relu_15\n  - relu_20": (
        "  - relu_15\n  - relu_99",
        "comparison.pair.1: relu_99: must be one of the variants tanh_1, tanh_5, tanh_5_glorot, tanh_5_adam, relu_5, "
        "relu_15, relu_20: did you mean relu_",
    ),
    "  - tanh_5\n  - relu_5": ("  - tanh_5\n  - tanh_5", "comparison.weights: ['tanh_5', 'tanh_5']: must be two"),
    "    relu_15: {learns: true}": ("    gone: {learns: true}", "comparison.claims: gone: must be one of the variants"),
    "    relu_20: {learns: false}": (
        "    relu_20: {lerns: false}",
        "comparison.claims.relu_20.lerns: unknown key: did you mean learns?",
    ),
    "{more: relu_5, ": ("{more: 5, ", "comparison.gradient_claim.more: 5: must be a text"),
    "train: 500": ("train: 1.5", "split.train: 1.5: must be a number of rows, or a share of the rows below 1"),
    "validation: 0 ": (
        "validation: -1 ",
        "split.validation: -1: must be a number of rows, or a share of the rows below 1",
    ),
    "inputs: minmax": ("inputs: max", "split.scale.inputs: max: must be 'minmax', 'standard' or 'none'"),
    "task: auto": ("task: ranking", "data.task: ranking: must be 'auto', 'binary', 'multiclass' or 'regression'"),
    "  - median\n  - each_cause": (
        "  - 30",
        "tensorboard.replicas.0: 30: must be median, best, each_cause",
    ),
    "units: [25], ": ("units: [100000], ", "studies.breadth.grid.units: 100000: must be at most 10,000"),
    "    hidden_layers: 15": (
        "    hidden_layers: 1000\n    units: 10000",
        "variants.relu_15: 1000 hidden layers of 10000 units have 99,909,990,000 weights: must be at most "
        "100,000,000 in a replica",
    ),
    "  seed: 1                      # determines all": (
        "  seed: 2020-01-01\n#",
        "training.seed: 2020-01-01: must be a number",
    ),
    "experiment: why": ('experiment: "a\\0" #', "tracking.experiment: 'a\\x00': must be printable text"),
    "batch_size: 32": ("batch_size: many", "training.batch_size: many: must be a whole number"),
    "epochs: 500": ("epochs: -1", "training.epochs: -1: must be at least 0"),
    "replicas: 30": ("replicas: true", "training.replicas: True: must be a whole number"),
    "noise: 0.1": ("noise: .nan", "data.config.noise: nan: must be a finite number"),
    "  source: make": ("  sourse: make", "data.sourse: unknown key: did you mean source? (and 1 more)"),
    "fit_scaler_on: all": ("fit_scaler_on: test", "split.fit_scaler_on: test: must be 'all' or 'train'"),
    "    - -1\n    - 1": ("    - 1\n    - -1", "split.scale.range: [1, -1]: must be [lower, upper] with lower < upper"),
    "    accuracy: 0.75": ("    accuracy: 75", "evaluation.learned.accuracy: 75.0: must be less than 1"),
    "  relu_20:": ("  relu.20:", "variants.relu.20: a variant's name must be a text of A-Z a-z 0-9 _ -"),
    "\nevaluation:": ("\nevalution:", "evalution: unknown section: did you mean evaluation?"),
    "units: 5 ": ("unit: 5 ", "defaults.unit: unknown key: did you mean units?"),
    "vanishing_ratio: 1.0e-3": ("vanishing_ratio: 1", "diagnosis.vanishing_ratio: 1: must be less than 1"),
    "    base: relu_5": ("    base: gone", "studies.relu_depth.base: gone: must be one of the variants"),
    "grid: {units: [25]": ("grid: {units: [0]", "studies.breadth.grid.units: 0: must be at least 1"),
    "pretraining: layer_wise}": ("pretraining: 3}", "studies.remedies.cells.layer_wise_pretraining.pretraining: 3"),
    "batch_normalization: false": ("batch_normalization: 1", "defaults.batch_normalization: 1: must be true or"),
    "residual: false": ("residual: yes", "defaults.residual: yes: must be true or false"),
    "pretraining: none": (
        "pretraining: layerwise",
        "defaults.pretraining: layerwise: must be 'none', 'layer_wise' or 'autoencoder'",
    ),
    "pretraining_epochs: 50": ("pretraining_epochs: 0", "defaults.pretraining_epochs: 0: must be at least 1"),
    "split:": ("split: [", "params.yaml: line"),
    "  seed: 1  ": ("  seed: 1\n  seed: 2  ", "params.yaml: line"),
    "activation: relu ": (
        "activation: [relu] ",
        "defaults.activation: ['relu']: must be a name, or a class_name and its config",
    ),
}


@pytest.mark.parametrize(("right", "wrong", "line"), [(right, *rest) for right, rest in MISTAKES.items()])
def test_a_mistake_is_named_in_one_line(
    right: str, wrong: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert right in VALID
    (tmp_path / "params.yaml").write_text(VALID.replace(right, wrong, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        read()
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("learned", "line"),
    [
        (
            {"acuracy": 0.5},
            "evaluation.learned: acuracy: must be one of accuracy, balanced_accuracy, r2, skill: did you",
        ),
        *(
            (value, f"evaluation.learned: {shown}must be a number, or one score and the number that it must pass")
            for value, shown in (
                ({"accuracy": 0.5, "r2": 0.5}, ""),
                ({"accuracy": "much"}, ""),
                ({"accuracy": True}, ""),
                ({}, ""),
                ("accuracy", "accuracy: "),
                (True, "True: "),
            )
        ),
        ({"r2": 1}, "evaluation.learned.r2: 1.0: must be less than 1"),
        (1.5, "evaluation.learned.score: 1.5: must be less than 1"),
        ({"skill": float("nan")}, "evaluation.learned.skill: nan: must be"),
    ],
    ids=str,
)
def test_an_invalid_rule_of_learning_is_reported_in_one_line(learned: object, line: str) -> None:
    with pytest.raises(UserError) as caught:
        check({"learned": learned}, "evaluation", EvaluationParams)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("stated", "learned"),
    [
        ({}, None),
        ({"learned": None}, None),
        ({"learned": 0.8}, {"score": 0.8}),
        ({"learned": 0}, {"score": 0.0}),
        ({"learned": {"score": 0.8}}, {"score": 0.8}),
        *(({"learned": {score: -1}}, {score: -1.0}) for score in SCORES),
    ],
    ids=str,
)
def test_a_rule_of_learning_may_be_a_number_or_a_score_with_a_number_or_left_out(
    stated: dict, learned: dict | None
) -> None:
    assert check(stated, "evaluation", EvaluationParams).learned == learned


def test_the_message_about_an_unknown_key_lists_the_known_keys() -> None:
    with pytest.raises(UserError, match=r"^variants.v.speed: unknown key: must be one of hidden_layers, units"):
        resolve(RECIPE, {"v": {"speed": 3}})


@given(st.text(min_size=1, max_size=8), scalars)
def test_unknown_keys_are_rejected(key: str, value: object) -> None:
    if key not in VariantParams.model_fields:
        with pytest.raises(UserError):
            resolve(RECIPE, {"v": {key: value}})


def test_parameters_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        resolve(RECIPE, {"v": None})["v"].units = 3


def test_a_missing_file_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params.yaml: not found in "):
        read(tmp_path / "params.yaml")


def test_every_section_is_required() -> None:
    with pytest.raises(UserError, match=r"^data: missing from params.yaml: must have this section"):
        parse({})


def test_each_key_of_the_comparison_may_be_left_out() -> None:
    document = YAML(typ="safe").load(REAL)
    for key in document["comparison"]:
        rest = {other: value for other, value in document["comparison"].items() if other != key}
        assert not getattr(parse({**document, "comparison": rest}).comparison, key)


@pytest.mark.parametrize("endless", ["data: &a {samples: *a}", "studies: &a [*a]", "x: !!int y", "data: !!set {a}"])
def test_a_file_without_a_map_of_sections_is_reported_in_one_line(endless: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(endless)
    with pytest.raises(UserError):
        read(tmp_path / "params.yaml")


def test_the_file_has_the_format_in_which_dvc_writes_it(tmp_path: Path) -> None:
    """Otherwise `dvc exp run -S` would change more than one line."""
    copied = tmp_path / "params.yaml"
    copied.write_text(VALID)
    apply_overrides(copied, ["variants.relu_15.hidden_layers=15"])
    assert copied.read_text() == VALID
    apply_overrides(copied, ["variants.relu_15.hidden_layers=12"])
    before, after = VALID.splitlines(), copied.read_text().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert changed == [("    hidden_layers: 15", "    hidden_layers: 12")]


WRONG = {
    "kernel_initializer": [
        {"class_name": "RandomUniform", "config": {"minval": value, "maxval": 1.0}} for value in ("a", [1, 2], {"a": 1})
    ],
    "optimizer": [
        {"class_name": "SGD", "config": {"learning_rate": {}}},
        {"class_name": "SGD", "config": {"momentum": "x"}},
        {"class_name": "Adam", "config": {"beta_1": [1]}},
    ],
    "activation": [
        "get",
        "glu",
        {"class_name": "LeakyReLU", "config": {"negative_slope": "a"}},
        "Lambda",
        "LSTM",
        "Flatten",
        "Normalization",
        "BatchNormalization",
    ],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_wrong_argument_of_keras_is_reported_in_one_line(key: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"^studies.s.cells.c.{key}") as caught:
        expect_trainable(variant(**{key: value}), 2, BINARY, "studies.s.cells.c")
    assert "\n" not in str(caught.value)


def test_too_little_memory_is_reported_in_one_line(circles: Split) -> None:
    with pytest.raises(UserError, match=r"^100000 replicas: the record needs [0-9,]+ GiB of memory"):
        train(variant(), "v", circles, training(replicas=100_000, epochs=1_000_000))
    with pytest.raises(SystemExit, match=r"^error: out of memory \(9 GiB\): lower samples"), reported_in_one_line():
        raise MemoryError("9 GiB")
