"""Types of what Keras, TensorFlow and a user's script hand over untyped: recorder and callback have no other `Any`.

Layers, models, variables and tensors are named by their own classes.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.number]  # of any shape
# Inputs, targets, sample weights or outputs, as a model takes and gives them: an array, a tensor, or a list or map of
# these; None where there are none.
Batch: TypeAlias = Any
FitArguments: TypeAlias = dict[str, Any]  # the arguments of `fit`, by name
Logs: TypeAlias = Mapping[str, Any]  # what Keras hands to a callback's hooks: mostly numbers, by name
Attributes: TypeAlias = dict[str, Any]  # of an object, by name
Unchecked: TypeAlias = Any  # an argument as a script passes it, before it is checked
