"""Points from scikit-learn's generators."""

from sklearn.datasets import make_circles

from pipeline.data.points import Points
from pipeline.params.data import DataParams


def generate(params: DataParams) -> Points:
    """Two noisy concentric circles, shuffled, balanced; label 0 is the outer circle."""
    inputs, labels = make_circles(n_samples=params.samples, noise=params.noise, random_state=params.seed)
    return Points(inputs, labels)
