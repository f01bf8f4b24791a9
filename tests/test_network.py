"""Test networks: exact parameter counts, initial weights as Keras draws them, and rejected values."""

import numpy as np
import pytest
from conftest import variant
from scipy.stats import kstest

from examples import BINARY
from pipeline.foundations.errors import UserError
from pipeline.foundations.seeds import derived_seed
from pipeline.foundations.tensorflow import keras
from pipeline.models import initial_weights, keras_objects
from pipeline.models.initializers import RandomizedAsymmetric
from pipeline.models.network import Network, build
from pipeline.params.variant_params import KerasObject


@pytest.mark.parametrize(
    ("hidden_layers", "parameters"),
    # With 2 inputs and 5 units: 15 weights in the first layer, 30 in every further layer, 6 in the output layer.
    [(1, 15 + 6), (2, 15 + 30 + 6), (20, 15 + 19 * 30 + 6)],
)
def test_exact_parameter_counts(hidden_layers: int, parameters: int) -> None:
    network = build(variant(hidden_layers=hidden_layers, units=5), 2, BINARY, "v")
    assert network.model.count_params() == parameters
    assert network.layer_count == hidden_layers + 1
    assert network.kernels[0] == "hidden_01/kernel"
    assert network.kernels[-1] == "output/kernel"
    assert len(network.taps.outputs) == 2 * network.layer_count


def test_batch_normalisation_precedes_each_hidden_activation_and_is_not_a_recorded_layer() -> None:
    network = build(variant(batch_normalization=True, activation="tanh"), 2, BINARY, "v")
    assert network.kernels == ("hidden_01/kernel", "hidden_02/kernel", "output/kernel")
    assert [layer.units for layer in network.table] == [3, 3, 1]
    normalisations = [each for each in network.model.layers if isinstance(each, keras.layers.BatchNormalization)]
    for each, activation, tap in zip(normalisations, network.activations[:2], network.taps.outputs[:2], strict=True):
        assert each.output is activation.input
        assert each.output is tap
    plain = initial_weights.draw(build(variant(activation="tanh"), 2, BINARY, "v"), seed=1, replicas=[0])
    drawn = initial_weights.draw(network, seed=1, replicas=[0])
    assert all((drawn[path] == stack).all() for path, stack in plain.items())


def test_a_skip_connection_leads_around_each_hidden_layer_from_the_second_on() -> None:
    network = build(variant(residual=True, hidden_layers=3, activation="tanh"), 2, BINARY, "v")
    assert tuple(layer.bypassed for layer in network.table) == (False, True, True, False)
    assert network.model.count_params() == build(variant(hidden_layers=3), 2, BINARY, "v").model.count_params()
    weights = {each.path: np.asarray(each) for each in network.model.variables}
    inputs = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    signal = np.tanh(inputs @ weights["hidden_01/kernel"])
    for part in ("hidden_02", "hidden_03"):
        signal = signal + np.tanh(signal @ weights[f"{part}/kernel"])
    logits = signal @ weights["output/kernel"]
    assert np.asarray(network.taps(inputs)[3]) == pytest.approx(logits, abs=1e-5)


def test_the_taps_return_the_signals_of_the_model() -> None:
    network = build(variant(activation="tanh"), 2, BINARY, "v")
    inputs = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    taps = [np.asarray(tap) for tap in network.taps(inputs)]
    before, behind = taps[: network.layer_count], taps[network.layer_count :]
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
    network = build(variant(hidden_layers=3, kernel_initializer=spec), 2, BINARY, "v")
    drawn = initial_weights.draw(network, seed=3, replicas=[0, 9])
    for path in network.kernels[:-1]:
        for row, replica in enumerate((0, 9)):
            seed = derived_seed(3, replica, "initial weights", path)
            if oracle is not None:
                initializer = oracle(seed=seed)
            else:
                initializer = keras.initializers.get({**spec, "config": {**spec["config"], "seed": seed}})
            assert (drawn[path][row] == np.asarray(initializer(drawn[path].shape[1:]))).all()
    assert not drawn["hidden_02/bias"].any()
    assert set(drawn) == {v.path for v in network.model.variables}


def test_weights_differ_by_replica_and_layer_but_not_by_depth_or_other_replicas() -> None:
    shallow = initial_weights.draw(build(variant(), 2, BINARY, "a"), seed=1, replicas=[0, 1])
    deep = initial_weights.draw(build(variant(hidden_layers=6), 2, BINARY, "b"), seed=1, replicas=[1])
    assert (shallow["hidden_02/kernel"][0] != shallow["hidden_02/kernel"][1]).all()
    assert (deep["hidden_02/kernel"][0] != deep["hidden_03/kernel"][0]).all()
    assert (shallow["hidden_02/kernel"][1] == deep["hidden_02/kernel"][0]).all()
    assert (shallow["output/kernel"][1] == deep["output/kernel"][0]).all()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kernel_initializer": "random_wlak"}, "variants.v.kernel_initializer: random_wlak: not a Keras initializer"),
        (
            {"kernel_initializer": "randomized_assymetric"},
            "variants.v.kernel_initializer: randomized_assymetric: not a Keras initializer: must be one, such as "
            "randomized_asymmetric",
        ),
        *(
            (
                {"kernel_initializer": {"class_name": "random_walk", "config": config}},
                f"variants.v.kernel_initializer.{line}",
            )
            for config, line in (
                ({}, "config: {}: must be gain: linear, relu or a number above 0"),
                ({"gain": "tanh"}, "config: {'gain': 'tanh'}: must be gain"),
                ({"gain": -1}, "config: {'gain': -1}: must be gain"),
                ({"gain": True}, "config: {'gain': True}: must be gain"),
                ({"gain": 1.0, "units": 3}, "config: {'gain': 1.0, 'units': 3}: must be gain"),
            )
        ),
        (
            {"kernel_initializer": {"class_name": "randomized_asymmetric", "config": {"sigma": 1}}},
            "variants.v.kernel_initializer.config: {'sigma': 1}: must be left out",
        ),
        (
            {"output_kernel_initializer": "randomized_asymmetric"},
            "variants.v.output_kernel_initializer: randomized_asymmetric: must be another",
        ),
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
def test_unknown_names_and_unsuitable_objects_are_rejected_in_one_line(changes: dict, line: str) -> None:
    with pytest.raises(UserError) as caught:
        build(variant(**changes), 2, BINARY, "v")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    # With the tutorial's 5 units, the formula for rectified layers uses 6 units; the formula for linear layers gives
    # exp(1 / 10).
    ("gain", "units", "expected"),
    [("relu", 5, 1.9737), ("relu", 100, 1.4317), ("linear", 5, 1.1052), (1.3, 5, 1.3)],
)
def test_random_walk_draws_normal_kernels_with_the_stated_deviation(gain: object, units: int, expected: float) -> None:
    spec = {"class_name": "random_walk", "config": {"gain": gain}}
    network = build(variant(kernel_initializer=spec, units=units), 2, BINARY, "v")
    assert isinstance(network.model.get_layer("hidden_02").kernel_initializer, keras.initializers.VarianceScaling)
    drawn = initial_weights.draw(network, seed=0, replicas=range(200))
    for path, inputs in (("hidden_01/kernel", 2), ("hidden_02/kernel", units)):
        scaled = drawn[path].ravel() * np.sqrt(inputs) / expected
        assert kstest(scaled, "norm").pvalue > 0.01
        assert scaled.std() == pytest.approx(1, abs=4 / np.sqrt(2 * scaled.size) + 1e-4)
    assert not drawn["hidden_02/bias"].any()


def randomized_asymmetric(hidden_layers: int = 2, units: int = 5) -> Network:
    recipe = variant(kernel_initializer="randomized_asymmetric", hidden_layers=hidden_layers, units=units)
    return build(recipe, 2, BINARY, "v")


def test_randomized_asymmetric_draws_one_positive_entry_per_unit_and_normal_others() -> None:
    """The moments are those of the mixture: one of the n + 1 entries is from Beta(2, 1), E u = 2 / 3, E u^2 = 1 / 2."""
    drawn = initial_weights.draw(randomized_asymmetric(), seed=0, replicas=range(2000))
    for part, inputs in (("hidden_01", 2), ("hidden_02", 5)):
        joint = np.concatenate([drawn[f"{part}/kernel"], drawn[f"{part}/bias"][:, None]], axis=1)
        assert joint.shape[1:] == (inputs + 1, 5)
        sums, errors = joint.sum(axis=1).ravel(), 4 / np.sqrt(joint.shape[0] * 5)
        variance = RandomizedAsymmetric.sigma**2  # the mean over all normal entries of a unit
        assert sums.mean() == pytest.approx(2 / 3, abs=errors)
        assert sums.var() == pytest.approx(variance + 1 / 18, abs=errors)
        assert (joint**2).sum(axis=1).mean() == pytest.approx(variance + 1 / 2, abs=errors)
        by_position = joint.mean(axis=(0, 2))  # an entry of the kernel or the bias
        assert by_position == pytest.approx(2 / 3 / (inputs + 1), abs=errors)
    assert RandomizedAsymmetric.sigma == pytest.approx(0.6007, abs=5e-5)


@pytest.mark.slow
def test_randomized_asymmetric_keeps_the_second_moment_and_seldom_draws_a_dead_layer() -> None:
    """There are 2,000 networks of twenty rectified layers; with He's kernels, .305 of them are born dead."""
    drawn = initial_weights.draw(randomized_asymmetric(hidden_layers=20), seed=0, replicas=range(2000))
    generator = np.random.default_rng(0)
    signal = np.broadcast_to(generator.uniform(-1, 1, (100, 2)), (2000, 100, 2))
    dead, moments = np.zeros(2000, bool), []
    for number in range(1, 21):
        kernel, bias = drawn[f"hidden_{number:02d}/kernel"], drawn[f"hidden_{number:02d}/bias"]
        signal = np.maximum(signal @ kernel + bias[:, None], 0)
        dead |= ~signal.any(axis=(1, 2))
        moments.append((signal**2).mean())
    assert dead.mean() < 0.05
    assert max(moments) < 1  # sigma is derived from this bound
    assert moments[-1] == pytest.approx(moments[4], rel=0.15)


def test_kernel_and_bias_drawn_together_depend_on_seed_replica_and_layer_alone() -> None:
    shallow = initial_weights.draw(randomized_asymmetric(), seed=1, replicas=[0, 1])
    deep = initial_weights.draw(randomized_asymmetric(hidden_layers=6), seed=1, replicas=[1])
    for path in ("hidden_02/kernel", "hidden_02/bias"):
        assert (shallow[path][1] == deep[path][0]).all()
        assert (shallow[path][0] != shallow[path][1]).all()
    assert (deep["hidden_02/kernel"] != deep["hidden_03/kernel"]).all()
    other = initial_weights.draw(randomized_asymmetric(), seed=2, replicas=[1])
    assert (other["hidden_02/bias"][0] != shallow["hidden_02/bias"][1]).all()


def every_optimizer() -> list[str]:
    """Return the class names of all optimizers of Keras."""
    classes = [getattr(keras.optimizers, name) for name in dir(keras.optimizers)]
    kinds = [each for each in classes if isinstance(each, type) and issubclass(each, keras.optimizers.Optimizer)]
    return sorted({each.__name__ for each in kinds} - {"Optimizer"})


@pytest.mark.parametrize("name", sorted(set(every_optimizer()) - set(keras_objects.EXACT_OPTIMIZERS)))
def test_an_optimizer_that_is_not_exact_is_rejected_in_one_line(name: str) -> None:
    config = {"inner_optimizer": {"class_name": "SGD", "config": {}}} if name == "LossScaleOptimizer" else {}
    with pytest.raises(UserError, match=r"^variants\.v\.optimizer") as caught:
        keras_objects.optimizer(KerasObject(class_name=name, config=config), "variants.v.optimizer")
    assert "\n" not in str(caught.value)


def test_the_exact_optimizers_are_keras_optimizers() -> None:
    assert set(keras_objects.EXACT_OPTIMIZERS) <= set(every_optimizer())


@pytest.mark.parametrize("option", [{"use_ema": True}, {"gradient_accumulation_steps": 2}, {"loss_scale_factor": 2.0}])
def test_options_outside_the_step_are_rejected(option: dict) -> None:
    with pytest.raises(UserError, match=r"^o\.config.*must be left out"):
        keras_objects.optimizer(KerasObject(class_name="SGD", config=option), "o")


def test_an_unknown_optimizer_or_argument_is_rejected() -> None:
    with pytest.raises(UserError, match=r"^o: Adamm: not a Keras optimizer: must be one, such as Adam"):
        keras_objects.optimizer(KerasObject(class_name="Adamm"), "o")
    with pytest.raises(UserError, match=r"^o.config: {'speed': 3}: must be arguments of Keras's optimizer SGD"):
        keras_objects.optimizer(KerasObject(class_name="SGD", config={"speed": 3}), "o")
