"""Networks: exact parameter counts, initial weights as Keras draws them, and what is refused."""

import numpy as np
import pytest
from conftest import variant

from pipeline.backend import keras
from pipeline.errors import UserError
from pipeline.model import initial_weights, keras_objects
from pipeline.model.network import build
from pipeline.params.variants import KerasObject
from pipeline.randomness import derived_seed


@pytest.mark.parametrize(
    ("hidden_layers", "parameters"),
    # 2 inputs, 5 units: 15 in the first layer, 30 in every further one, 6 in the output.
    [(1, 15 + 6), (2, 15 + 30 + 6), (20, 15 + 19 * 30 + 6)],
)
def test_exact_parameter_counts(hidden_layers: int, parameters: int) -> None:
    network = build(variant(hidden_layers=hidden_layers, units=5), inputs=2, name="v")
    assert network.model.count_params() == parameters
    assert network.layers == hidden_layers + 1
    assert network.kernels[0] == "hidden_01/kernel"
    assert network.kernels[-1] == "output/kernel"
    assert len(network.taps.outputs) == 2 * network.layers


def test_the_taps_are_the_models_own_signals() -> None:
    network = build(variant(activation="tanh"), inputs=2, name="v")
    inputs = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    taps = [np.asarray(tap) for tap in network.taps(inputs)]
    before, behind = taps[: network.layers], taps[network.layers :]
    assert behind[0] == pytest.approx(np.tanh(before[0]), abs=1e-6)
    assert behind[-1] == pytest.approx(np.asarray(network.model(inputs)), abs=1e-6)


@pytest.mark.parametrize(
    ("spec", "oracle"),
    [
        ("he_uniform", keras.initializers.HeUniform),
        ("orthogonal", keras.initializers.Orthogonal),
        ({"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 1.0}}, None),
        ({"class_name": "TruncatedNormal", "config": {"stddev": 0.3}}, None),
        ({"class_name": "VarianceScaling", "config": {"mode": "fan_avg"}}, None),
    ],
)
def test_initial_weights_are_bit_for_bit_what_keras_draws_from_the_derived_seed(spec: object, oracle: type) -> None:
    network = build(variant(hidden_layers=3, kernel_initializer=spec), inputs=2, name="v")
    drawn = initial_weights.draw(network, seed=3, replicas=[0, 9])
    for path in network.kernels[:-1]:
        for row, replica in enumerate((0, 9)):
            seed = derived_seed(3, replica, "initial weights", path)
            if oracle is not None:
                made = oracle(seed=seed)
            else:
                made = keras.initializers.get({**spec, "config": {**spec["config"], "seed": seed}})
            assert (drawn[path][row] == np.asarray(made(drawn[path].shape[1:]))).all()
    assert not drawn["hidden_02/bias"].any()
    assert set(drawn) == {v.path for v in network.model.variables}


def test_replicas_and_layers_differ_but_depth_and_company_do_not_matter() -> None:
    shallow = initial_weights.draw(build(variant(), 2, "a"), seed=1, replicas=[0, 1])
    deep = initial_weights.draw(build(variant(hidden_layers=6), 2, "b"), seed=1, replicas=[1])
    assert (shallow["hidden_02/kernel"][0] != shallow["hidden_02/kernel"][1]).all()
    assert (deep["hidden_02/kernel"][0] != deep["hidden_03/kernel"][0]).all()
    assert (shallow["hidden_02/kernel"][1] == deep["hidden_02/kernel"][0]).all()
    assert (shallow["output/kernel"][1] == deep["output/kernel"][0]).all()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"activation": "rellu"}, "variants.v.activation: rellu: not a Keras activation or activation layer: must be"),
        ({"kernel_initializer": "he_unifrom"}, "variants.v.kernel_initializer: he_unifrom: not a Keras initializer"),
        (
            {"output_kernel_initializer": {"class_name": "RandomUniform", "config": {"low": 0}}},
            "variants.v.output_kernel_initializer.config: {'low': 0}: must be arguments of Keras's initializer",
        ),
        (
            {"kernel_initializer": {"class_name": "HeUniform", "config": {"seed": 3}}},
            "variants.v.kernel_initializer.config.seed: 3: must be left out",
        ),
        (
            {"activation": {"class_name": "Dropout", "config": {"rate": 0.5}}},
            "variants.v.activation: Dropout: draws random",
        ),
        ({"activation": {"class_name": "Dense", "config": {"units": 3}}}, "variants.v.activation: Dense: must be an"),
        ({"activation": "glu", "units": 4}, "variants.v.activation: Activation: must be an activation"),
        (
            {"activation": {"class_name": "LeakyReLU", "config": {"slope": 1}}},
            "variants.v.activation.config: {'slope': 1}",
        ),
    ],
)
def test_what_keras_does_not_know_or_the_engine_cannot_do_is_refused_in_one_line(changes: dict, line: str) -> None:
    with pytest.raises(UserError) as caught:
        build(variant(**changes), inputs=2, name="v")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def every_optimizer() -> list[str]:
    """The class names of all of Keras's optimizers."""
    classes = [getattr(keras.optimizers, name) for name in dir(keras.optimizers)]
    kinds = [each for each in classes if isinstance(each, type) and issubclass(each, keras.optimizers.Optimizer)]
    return sorted({each.__name__ for each in kinds} - {"Optimizer"})


@pytest.mark.parametrize("name", sorted(set(every_optimizer()) - set(keras_objects.EXACT_OPTIMIZERS)))
def test_an_optimizer_that_is_not_exact_is_refused_in_one_line(name: str) -> None:
    config = {"inner_optimizer": {"class_name": "SGD", "config": {}}} if name == "LossScaleOptimizer" else {}
    with pytest.raises(UserError, match=r"^variants\.v\.optimizer") as caught:
        keras_objects.optimizer(KerasObject(class_name=name, config=config), "variants.v.optimizer")
    assert "\n" not in str(caught.value)


def test_the_exact_optimizers_are_keras_optimizers() -> None:
    assert set(keras_objects.EXACT_OPTIMIZERS) <= set(every_optimizer())


@pytest.mark.parametrize("option", [{"use_ema": True}, {"gradient_accumulation_steps": 2}, {"loss_scale_factor": 2.0}])
def test_options_outside_the_step_are_refused(option: dict) -> None:
    with pytest.raises(UserError, match=r"^o\.config.*must be left out"):
        keras_objects.optimizer(KerasObject(class_name="SGD", config=option), "o")


def test_an_unknown_optimizer_or_argument_is_refused() -> None:
    with pytest.raises(UserError, match=r"^o: Adamm: not a Keras optimizer: must be one, such as Adam"):
        keras_objects.optimizer(KerasObject(class_name="Adamm"), "o")
    with pytest.raises(UserError, match=r"^o.config: {'speed': 3}: must be arguments of Keras's optimizer SGD"):
        keras_objects.optimizer(KerasObject(class_name="SGD", config={"speed": 3}), "o")
