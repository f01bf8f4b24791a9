"""Data from scikit-learn's generators."""

from sklearn.datasets import make_circles

from pipeline.data.samples import Data, Samples
from pipeline.data.tasks import Task
from pipeline.params.data import DataParams

TASK = Task("binary", ("0", "1"))  # to tell the circles apart


def generate(params: DataParams) -> Data:
    """Two noisy concentric circles, shuffled, balanced; label 0 is the outer circle."""
    inputs, labels = make_circles(n_samples=params.samples, noise=params.noise, random_state=params.seed)
    names = tuple(f"x{number}" for number in range(1, inputs.shape[1] + 1))
    return Data(Samples(inputs, labels), TASK, names)
