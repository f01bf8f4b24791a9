"""Test the rank correlation of a number known before training with the final score, against scipy and by its size."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from pipeline.evaluation.association import FEWEST, association


def test_it_is_spearmans_correlation_with_ties() -> None:
    random = np.random.default_rng(1)
    numbers, scores = random.integers(0, 6, 40).astype(float), random.normal(size=40)
    found = association(numbers, scores)
    assert found.value == pytest.approx(spearmanr(numbers, scores).statistic)
    assert found.low < found.value < found.high
    assert found.replicas == 40


def test_the_interval_covers_the_true_correlation_as_often_as_it_says() -> None:
    """Of 60 samples of independent values, 95% within 4 standard errors cover 0: at least 50."""
    random = np.random.default_rng(2)
    found = [association(*random.normal(size=(2, 20))) for _ in range(60)]
    assert sum(each.low <= 0 <= each.high for each in found) >= 50


def test_a_difference_between_strata_counts_for_nothing() -> None:
    """Long sequences have a smaller number and a lower score, but within a length the two are opposed."""
    lengths = np.repeat([50, 400], 10)
    place = np.tile(np.arange(10.0), 2)
    numbers, scores = place - lengths, -place - lengths
    assert association(numbers, scores).value > 0.4
    assert association(numbers, scores, lengths).value == pytest.approx(-1)


@pytest.mark.parametrize("numbers", [np.ones(20), np.arange(FEWEST - 1.0)])
def test_equal_or_few_values_have_no_correlation(numbers: np.ndarray) -> None:
    found = association(numbers, np.arange(len(numbers), dtype=float))
    assert np.isnan([found.value, found.low, found.high]).all()
