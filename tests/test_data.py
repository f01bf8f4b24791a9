"""Points, scaling and split, as science has them."""

import numpy as np
import pytest

from pipeline.data.sources import generate
from pipeline.data.split import split
from pipeline.foundations.errors import UserError
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams

DATA = generate(DataParams(generator="make_circles", samples=1000, noise=0.1, seed=1))
SAMPLES = DATA.samples


def params(**changes: object) -> SplitParams:
    return SplitParams.model_validate({"train_samples": 500, "scale_to": [-1, 1], "fit_scaler_on": "all", **changes})


def test_the_circles_are_balanced_and_concentric() -> None:
    assert SAMPLES.inputs.shape == (1000, 2)
    assert np.bincount(SAMPLES.targets).tolist() == [500, 500]
    radius = np.hypot(*SAMPLES.inputs.T)
    # Radii 1 and 0.8; noise of 0.1 in two directions adds 0.005 to the mean.
    assert np.mean(radius[SAMPLES.targets == 0]) == pytest.approx(1.0, abs=0.02)
    assert np.mean(radius[SAMPLES.targets == 1]) == pytest.approx(0.8, abs=0.02)


def test_the_tutorial_scales_on_all_points_before_the_split() -> None:
    parts, scaling = split(DATA, params())
    whole = np.concatenate([parts.train.inputs, parts.test.inputs])
    assert (len(parts.train), len(parts.test)) == (500, 500)
    assert whole.min(axis=0) == pytest.approx([-1, -1], abs=1e-12)
    assert whole.max(axis=0) == pytest.approx([1, 1], abs=1e-12)
    offset, factor = (np.array([getattr(each, name) for each in scaling]) for name in ("offset", "factor"))
    assert offset + factor * SAMPLES.inputs == pytest.approx(whole, abs=1e-12)
    assert tuple(each.name for each in scaling) == DATA.names == ("x1", "x2")
    assert (np.concatenate([parts.train.targets, parts.test.targets]) == SAMPLES.targets).all()


def test_scaling_on_the_training_part_leaves_the_test_part_out() -> None:
    parts, _ = split(DATA, params(fit_scaler_on="train"))
    assert parts.train.inputs.min(axis=0) == pytest.approx([-1, -1], abs=1e-12)
    assert parts.train.inputs.max(axis=0) == pytest.approx([1, 1], abs=1e-12)
    assert np.abs(parts.test.inputs).max() > 1


def test_something_must_be_left_to_test_on() -> None:
    with pytest.raises(UserError, match=r"^split.train_samples: 1000: must be less than the number of points, 1000$"):
        split(DATA, params(train_samples=1000))


def test_the_surface_covers_all_points() -> None:
    parts, _ = split(DATA, params())
    x1, x2 = parts.surface_axes(7)
    assert x1.shape == x2.shape == (7,)
    for axis, inputs in zip((x1, x2), np.concatenate([parts.train.inputs, parts.test.inputs]).T, strict=True):
        assert axis[0] < inputs.min() < inputs.max() < axis[-1]
