"""Initialisers that Keras does not have: random walk and randomized asymmetric."""

from collections.abc import Mapping
from math import exp, pi, sqrt
from typing import Final

import numpy as np

from pipeline.foundations.errors import UserError
from pipeline.foundations.tensorflow import keras
from pipeline.params.file import Plain, brief

GAINS = {
    "linear": lambda units: exp(1 / (2 * units)),
    "relu": lambda units: sqrt(2) * exp(1.2 / (max(units, 6) - 2.4)),
}


def random_walk(config: Mapping[str, Plain], path: str, units: int) -> keras.initializers.Initializer:
    """Return an initialiser that draws kernels from N(0, g^2 / inputs).

    The gain g makes the log of the gradient's length an unbiased random walk from layer to layer: g = exp(1 / 2N) for
    linear layers and sqrt(2) exp(1.2 / (max(N, 6) - 2.4)) for rectified ones, where N is the layer's number of units.
    There is no formula for tanh: state a number a little above 1, because tanh is linear around 0. Source: Sussillo &
    Abbott 2014 (arXiv 1412.6558), for layers of equal width. The variance is g^2 / inputs, as in He's initialiser,
    where the paper has g^2 / N.

    Args:
        config: its only key is `gain`: linear, relu, or g itself.
        path: the place in params.yaml, for the message.
        units: the number of units of the layer.

    Raises:
        UserError: the gain is missing or invalid.
    """
    gain = config.get("gain")
    if isinstance(gain, str) and gain in GAINS:
        gain = GAINS[gain](units)
    if set(config) != {"gain"} or isinstance(gain, bool) or not isinstance(gain, int | float) or not 0 < gain <= 1000:
        raise UserError(
            f"{path}.config: {brief(dict(config))}: must be gain: {', '.join(GAINS)} or a number above 0, at most 1000"
        )
    return keras.initializers.VarianceScaling(gain**2, mode="fan_in", distribution="untruncated_normal")


class RandomizedAsymmetric:
    """Draws kernel and bias together, so that a rectified unit is seldom dead, and a layer hardly ever.

    Each unit has inputs + 1 weights: its column of the kernel and its bias. One of them, chosen at random, comes from
    Beta(2, 1), which is positive; the others come from N(0, sigma^2 / inputs). From the second layer on, inputs are
    never negative, so the positive weight tends to keep the unit active. sigma solves sigma^2 / 2 + E[u] sqrt(2 / pi)
    sigma + E[u^2] = 1 for u from Beta(2, 1), so that the second moment of the activations does not grow with depth.
    Source: Lu, Shin, Su, Karniadakis 2020 (arXiv 1903.06733), section 4: sigma = 0.6007.
    """

    sigma: Final = sqrt(1 + 8 / (9 * pi)) - sqrt(8 / (9 * pi))

    def draw(self, inputs: int, units: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw a kernel [input, unit] and a bias [unit], float32."""
        generator = np.random.Generator(np.random.PCG64(seed))
        joint = generator.normal(0, self.sigma / sqrt(inputs), (inputs + 1, units))
        joint[generator.integers(inputs + 1, size=units), np.arange(units)] = generator.beta(2, 1, units)
        return joint[:-1].astype(np.float32), joint[-1].astype(np.float32)


def randomized_asymmetric(config: Mapping[str, Plain], path: str) -> RandomizedAsymmetric:
    """Return the initialiser, which has no arguments: the paper derives all numbers.

    Raises:
        UserError: `config` has arguments.
    """
    if config:
        raise UserError(
            f"{path}.config: {brief(dict(config))}: must be left out: randomized_asymmetric has no arguments"
        )
    return RandomizedAsymmetric()
