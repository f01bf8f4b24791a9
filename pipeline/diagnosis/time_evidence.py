"""Measure the evidence through time: how the gradient changes from step to step in recurrent layers.

Each column has the shape [replica]. It is about the call of a recurrent layer whose gradient changes most, throughout.
"""

import numpy as np
import xarray as xr

from pipeline.diagnosis.layer_evidence import throughout
from pipeline.history.time_profiles import RECURRENT_PATH, TIME, has_time_profiles, path_of_layer, reach


def time_columns(history: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the evidence through time, [replica] by column; empty if the record has no recurrent layer."""
    if not has_time_profiles(history):
        return {}
    steps, norms = history[TIME].values, history.gradient_norm_by_time.values
    numbers = np.full((4, *norms.shape[:3]), np.nan)  # decades, factor, steps reached, all steps
    for place in np.ndindex(*norms.shape[:3]):
        profile = reach(steps, norms[place])
        if profile is not None:
            reached = profile.last - profile.first + 1
            numbers[(slice(None), *place)] = (profile.decades, profile.factor, reached, profile.last)
    by_call = [throughout(each, history.recorded_epoch.values) for each in numbers]
    call = np.nan_to_num(np.abs(by_call[0]), nan=-1.0).argmax(axis=1)
    rows = np.arange(len(call))
    names = ("time_decades", "time_factor", "time_reach", "time_steps")
    columns = {name: values[rows, call] for name, values in zip(names, by_call, strict=True)}
    numbers_of_layers = dict(zip(history.path.values.tolist(), history.layer.values.tolist(), strict=True))
    layers = [numbers_of_layers.get(path_of_layer(str(path)), np.nan) for path in history[RECURRENT_PATH].values]
    return columns | {"time_layer": np.where(np.isnan(columns["time_decades"]), np.nan, np.array(layers, float)[call])}
