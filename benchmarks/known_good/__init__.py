"""Small Keras programs that train well, by a yardstick of their own: a fault that the callback names there is false."""

import pipeline.foundations.tensorflow  # noqa: F401  # sets what must be set before Keras is imported
