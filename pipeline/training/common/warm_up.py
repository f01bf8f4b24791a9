"""Compile the training loops before the first training, as part of `make setup`."""

import numpy as np

from pipeline.data.split.samples import Samples, Split
from pipeline.data.split.tasks import Task
from pipeline.params.training_params import TrainingParams
from pipeline.params.variant_params import VariantParams
from pipeline.training.common.train_replicas import train

VARIANT = {
    "hidden_layers": 1,
    "units": 1,
    "activation": "relu",
    "batch_normalization": False,
    "residual": False,
    "kernel_initializer": "he_uniform",
    "output_kernel_initializer": "he_uniform",
    "kernel_regularizer": "none",
    "optimizer": "SGD",
    "pretraining": "none",
    "pretraining_epochs": 1,
}
TRAINING = {
    "device": "cpu",
    "epochs": 1,
    "batch_size": 1,
    "replicas": 1,
    "seed": 0,
    "chunk": 1,
    "record_first": 1,
    "record_every": 1,
    "histograms": True,
    "surface_resolution": 2,
}


def warm_up() -> None:
    """Train the smallest network on two points; the compiled loops are the same for every variant."""
    points = Samples(np.eye(2), np.array([0, 1]))
    variant, training = VariantParams.model_validate(VARIANT), TrainingParams.model_validate(TRAINING)
    train(variant, "smallest", Split(Task("binary", ("0", "1")), points, points), training)


if __name__ == "__main__":
    warm_up()
