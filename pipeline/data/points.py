"""What every data set is here: rows of inputs with a binary label, scaled and split for training."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Points:
    """`inputs`: float64 [sample, input]. `labels`: int64 [sample], 0 or 1."""

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def constant_loss(self) -> float:
        """Binary cross-entropy (nat) of the best constant prediction: the entropy of the labels."""
        shares = np.bincount(self.labels, minlength=2) / len(self)
        return float(-sum(share * np.log(share) for share in shares if share > 0))


def input_names(points: Points) -> tuple[str, ...]:
    """x1, x2, ..., the columns of its table."""
    return tuple(f"x{number}" for number in range(1, points.inputs.shape[1] + 1))


@dataclass(frozen=True)
class Scaling:
    """`scaled = offset + factor * raw`, per input; `offset` and `factor` are float64 [input].

    names: of the inputs, as the raw points have them.
    """

    names: tuple[str, ...]
    offset: np.ndarray
    factor: np.ndarray


@dataclass(frozen=True)
class Split:
    """Scaled points: the part that trains, and the part that is watched and tested on."""

    train: Points
    test: Points

    @property
    def inputs(self) -> int:
        """Number of inputs of a network."""
        return self.train.inputs.shape[1]

    def surface_axes(self, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Both axes of a square grid over all points and 5% beyond, float32 [resolution] each; for two inputs."""
        both = np.concatenate([self.train.inputs, self.test.inputs])
        low, high = both.min(axis=0), both.max(axis=0)
        margin = 0.05 * (high - low)
        first, second = np.linspace(low - margin, high + margin, resolution, dtype=np.float32).T
        return first, second
