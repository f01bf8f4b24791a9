"""Fixed numbers of the methods that measure evidence; a threshold of the diagnosis is not here.

The value of a threshold is in params.yaml (`diagnosis`), and its limits are in params/diagnosis_params.py.
"""

from typing import Final

SIGNIFICANT: Final = 0.01  # a slope of the loss with a smaller p-value is not noise (two-sided t-test; 1 error in 100)
# Too few for that test, whose window has three of them: with so many epochs the loss counts as falling if every epoch
# lowered it.
FEW_EPOCHS: Final = 12
FEWEST_EPOCHS: Final = 3  # in a window of the test: a line through two points fits exactly and leaves no residual
# The units of a layer count as equal if their spread, relative to their weights, is below these limits. Rounding in
# float32 causes a spread of some 1e-7 at the start, and every step increases it.
EQUAL_AT_START: Final = 1e-3
EQUAL_AT_END: Final = 0.1
WIDE_COLUMN: Final = 1  # suggest a logarithm if a column's spread exceeds a typical spread by more decades than this
SMALL_INPUTS_POWER: Final = 2  # inputs are too small below 1 / unscaled**2; small inputs only slow the first layer
FIRST_RECORDS: Final = 3  # recorded epochs in which the optimizer's gradient is compared with the probe's: the loss is
# still high there, so neither is near 0
DEEP: Final = 3  # hidden layers; a gradient that falls from layer to layer shows only in a deep stack
NEAR_VANISHING: Final = 10  # times `vanishing_ratio`: limit of the gradient if it shrinks in every layer
CLEAR_SIGNAL: Final = 2  # times `shuffled`: above it, targets surely follow from the inputs of the given rows
SHORT_PATIENCE: Final = 1  # epochs; noise in the monitored number soon exceeds so short a patience
FEW_LONG_ROWS: Final = 0.02  # share of the rows above 10 times the median norm; with more, the columns have long tails
NO_SPREAD: Final = 5  # decades; beyond it, a column such as a rare word is constant in validation, not of another scale
