"""Test the tutorial's data: points, scaling and split."""

import numpy as np
import pytest

from pipeline.data.sources import load
from pipeline.data.split.samples import Origin, Split
from pipeline.data.splitting import split
from pipeline.foundations.errors import UserError
from pipeline.params.data_params import DataParams
from pipeline.params.split_params import SplitParams

CIRCLES = DataParams(source="make_circles", config={"n_samples": 1000, "noise": 0.1, "random_state": 1})
RAW = load(CIRCLES)
INPUTS, TARGETS = RAW.features.to_numpy(), RAW.targets


def cut(**changes: object) -> tuple[Split, Origin]:
    """Return the tutorial's split, with these changes."""
    usual = {"train": 500, "scale": {"inputs": "minmax", "range": [-1, 1]}, "fit_scaler_on": "all"}
    return split(RAW, CIRCLES, SplitParams.model_validate({**usual, **changes}))


def test_the_circles_are_balanced_and_concentric() -> None:
    assert INPUTS.shape == (1000, 2)
    assert np.bincount(TARGETS).tolist() == [500, 500]
    radius = np.hypot(*INPUTS.T)
    # Radii 1 and 0.8; noise of 0.1 in two directions adds 0.005 to the mean.
    assert np.mean(radius[TARGETS == 0]) == pytest.approx(1.0, abs=0.02)
    assert np.mean(radius[TARGETS == 1]) == pytest.approx(0.8, abs=0.02)


def test_the_tutorial_scales_on_all_points_before_the_split() -> None:
    parts, origin = cut()
    whole = np.concatenate([parts.train.inputs, parts.test.inputs])
    assert (len(parts.train), len(parts.test)) == (500, 500)
    assert whole.min(axis=0) == pytest.approx([-1, -1], abs=1e-12)
    assert whole.max(axis=0) == pytest.approx([1, 1], abs=1e-12)
    offset, factor = (np.array([getattr(each, name) for each in origin.columns]) for name in ("offset", "factor"))
    assert offset + factor * INPUTS == pytest.approx(whole, abs=1e-12)
    assert origin.inputs == ("x1", "x2")
    assert (np.concatenate([parts.train.targets, parts.test.targets]) == TARGETS).all()


def test_scaling_fitted_on_training_rows_does_not_depend_on_test_rows() -> None:
    parts, _ = cut(fit_scaler_on="train")
    assert parts.train.inputs.min(axis=0) == pytest.approx([-1, -1], abs=1e-12)
    assert parts.train.inputs.max(axis=0) == pytest.approx([1, 1], abs=1e-12)
    assert np.abs(parts.test.inputs).max() > 1


def test_at_least_one_test_row_is_required() -> None:
    with pytest.raises(UserError, match=r"^split.train: 1000: must be less than the number of rows of data/raw, 1000$"):
        cut(train=1000)


def test_the_surface_covers_all_points() -> None:
    parts, _ = cut()
    x1, x2 = parts.surface_axes(7)
    assert x1.shape == x2.shape == (7,)
    for axis, inputs in zip((x1, x2), np.concatenate([parts.train.inputs, parts.test.inputs]).T, strict=True):
        assert axis[0] < inputs.min() < inputs.max() < axis[-1]
