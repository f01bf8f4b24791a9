"""Define what MLflow's run, TensorBoard's events and the page need of a watched training."""

from typing import Protocol

import keras
import xarray as xr

from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.watch.fit_verdict import Verdict


class WatchedFit(Protocol):
    """A watched training, such as `Diagnosis`."""

    @property
    def model(self) -> keras.Model:
        """The model."""

    @property
    def is_recorded(self) -> bool:
        """Whether anything was measured; if not, there is no history."""

    @property
    def history(self) -> xr.Dataset:
        """The record so far."""

    @property
    def verdict(self) -> Verdict:
        """The verdict on the record."""

    @property
    def thresholds(self) -> DiagnosisParams:
        """The thresholds of the verdict."""
