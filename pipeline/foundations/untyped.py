"""Name the untyped values of Keras, TensorFlow and a user's script: recorder and callback use no other `Any`.

Layers, models, variables and tensors are named by their own classes.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.number]  # of any shape
# Inputs, targets, sample weights or outputs, as a model takes or returns them: an array, a tensor, or a list or map of
# arrays or tensors; None if there are none.
Batch: TypeAlias = Any
FitKeywords: TypeAlias = dict[str, Any]  # the arguments of `fit`, by name
Logs: TypeAlias = Mapping[str, Any]  # the `logs` of a callback's hooks: mostly numbers, by name
Attributes: TypeAlias = dict[str, Any]  # the attributes of an object, by name
Unchecked: TypeAlias = Any  # an argument as a script passes it, before it is checked
