"""What MLflow's run, TensorBoard's events and the page see of a watched training; `Diagnosis` is one."""

from typing import Protocol

import keras
import xarray as xr

from pipeline.params.diagnosis_params import DiagnosisParams
from pipeline.watch.verdict import Verdict


class WatchedFit(Protocol):
    """A watched training."""

    @property
    def model(self) -> keras.Model:
        """The model."""

    @property
    def is_recorded(self) -> bool:
        """Whether anything was measured; without it there is no history."""

    @property
    def history(self) -> xr.Dataset:
        """The record so far."""

    @property
    def verdict(self) -> Verdict:
        """What the record tells."""

    @property
    def thresholds(self) -> DiagnosisParams:
        """By which the verdict was found."""
