"""Fixed numbers of the methods that measure evidence; a threshold of the diagnosis is not here.

The value of a threshold is in params.yaml (`diagnosis`), and its limits are in params/diagnosis_params.py.
"""

from typing import Final

SIGNIFICANT: Final = 0.01  # a slope of the loss with a smaller p-value is not noise (two-sided t-test; 1 error in 100)
# With so few epochs the test's window has at most three, too few for a significant slope. The loss then counts as
# falling if every epoch lowered it.
FEW_EPOCHS: Final = 12
FEWEST_EPOCHS: Final = 3  # in a window of the test; a line through two points fits exactly, whatever the noise
# The units of a layer count as equal if their spread, relative to their weights, is below these limits. Rounding in
# float32 causes a spread of some 1e-7 at the start, and every step increases it.
EQUAL_AT_START: Final = 1e-3
EQUAL_AT_END: Final = 0.1
WIDE_COLUMN: Final = 1  # decades; a logarithm is suggested if a column's spread exceeds a typical one by more
# Inputs are too small if their RMS is below 1 / unscaled**SMALL_INPUTS_POWER. A power of 1 would be too strict, because
# small inputs do little harm: they only slow the first layer.
SMALL_INPUTS_POWER: Final = 2
# The optimizer's gradient is compared with the probe's in so many recorded epochs, the first ones: the loss is still
# high there, so neither gradient is near 0.
FIRST_RECORDS: Final = 3
DEEP: Final = 3  # hidden layers; with fewer, it cannot be seen whether the gradient shrinks from layer to layer
NEAR_VANISHING: Final = 10  # times `vanishing_ratio`: the limit of the gradient's ratio if it shrinks in every layer
CLEAR_SIGNAL: Final = 2  # times `shuffled`; above it, the targets surely follow from the inputs
SHORT_PATIENCE: Final = 1  # epochs; noise in the monitored number often lasts longer than so short a patience
FEW_LONG_ROWS: Final = 0.02  # share of the rows above 10 times the median norm; with more, the columns have long tails
# Decades. A column whose spread differs by more, such as the count of a rare word, does not have another scale in the
# validation rows: it is constant there.
NO_SPREAD: Final = 5
