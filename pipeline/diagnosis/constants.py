"""The numbers of the diagnosis that are no thresholds: each belongs to a method, and has its reason here.

Thresholds, which a user may move, are in the section `diagnosis` of params.yaml.
"""

from typing import Final

SIGNIFICANT: Final = 0.01  # p-value below which the slope of a loss is no noise (two-sided t-test): 1 false fall in 100
FEW_EPOCHS: Final = 6  # up to here the loss counts as falling if every epoch lowered it: too few for the test above
FEWEST_EPOCHS: Final = 3  # of a window: a line through two points fits exactly, so nothing is left for the test
# Spread of a layer's units, relative to their weights, below which they are equal. Rounding in float32 leaves some 1e-7
# at the start, and drives equal units further apart in every step.
EQUAL_AT_START: Final = 1e-3
EQUAL_AT_END: Final = 0.1
WIDE_COLUMN: Final = 1  # decades by which a column's spread exceeds a typical one before a logarithm is suggested
SMALL_INPUTS_POWER: Final = 2  # inputs are too small below 1 / unscaled**2: small inputs only slow the first layer
