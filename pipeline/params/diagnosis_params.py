"""`diagnosis`: the limits of the rules' thresholds. A changed threshold judges all replicas again and retrains none."""

from typing import Annotated

from pydantic import Field

from pipeline.params.file import StrictSection


class DiagnosisParams(StrictSection):
    """The thresholds and their limits; params.yaml has the value, meaning and source of each."""

    targets_beyond: Annotated[float, Field(ge=0, lt=1)]
    unscaled: Annotated[float, Field(gt=1, le=1e9)]
    unscaled_decades: Annotated[float, Field(gt=0, le=30)]
    imbalance_gap: Annotated[float, Field(gt=0, lt=1)]
    outweighed: Annotated[float, Field(gt=0, lt=1)]
    mode_gap: Annotated[float, Field(gt=0, lt=1)]
    fitted: Annotated[float, Field(gt=0, lt=1)]
    chance_margin: Annotated[float, Field(ge=0, lt=1)]
    shuffled: Annotated[float, Field(ge=0, le=100)]
    tiny_change: Annotated[float, Field(gt=0, lt=1)]
    large_change: Annotated[float, Field(gt=0, le=1e9)]
    large_gradient: Annotated[float, Field(gt=0, le=1e9)]
    explosion_growth: Annotated[float, Field(gt=1, le=1e9)]
    saturated_slope: Annotated[float, Field(ge=0.001, le=0.3)]
    saturated_share: Annotated[float, Field(gt=0, lt=1)]
    vanishing_ratio: Annotated[float, Field(gt=0, lt=1)]
    vanishing_scale: Annotated[float, Field(gt=0, lt=1)]
    harmless_fit: Annotated[float, Field(gt=0, lt=1)]
    plateau_fall: Annotated[float, Field(gt=0, lt=1)]
    steady_fall: Annotated[float, Field(ge=0, le=1)]
    slow_window: Annotated[float, Field(gt=0, le=1)]
    slow_fall: Annotated[float, Field(gt=0, lt=1)]
    time_decades: Annotated[float, Field(gt=0, le=300)]
    vanishing_profile: Annotated[float, Field(gt=0, lt=1)]
    ordered_share: Annotated[float, Field(gt=0, lt=1)]
    lost_share: Annotated[float, Field(gt=0, le=1)]
    lost_scale: Annotated[float, Field(gt=0, lt=1)]
    untracked_share: Annotated[float, Field(ge=0, lt=1)]
    small_batch: Annotated[float, Field(ge=1, le=1000)]
    penalty_share: Annotated[float, Field(gt=0, lt=1)]
    activity_share: Annotated[float, Field(gt=0, lt=1)]
    shrunk: Annotated[float, Field(gt=0, lt=1)]
    dropped: Annotated[float, Field(gt=0, lt=1)]
    ended_rate: Annotated[float, Field(gt=0, lt=1)]
    ended_share: Annotated[float, Field(gt=0, lt=1)]
    wasted_share: Annotated[float, Field(gt=0, lt=1)]
    stopped_share: Annotated[float, Field(gt=0, le=1)]
    new_classes: Annotated[float, Field(gt=0, lt=1)]
    shifted_means: Annotated[float, Field(gt=0, le=1000)]
    shifted_decades: Annotated[float, Field(gt=0, le=30)]
    outlier_norm: Annotated[float, Field(gt=1, le=1e9)]
    padding_share: Annotated[float, Field(gt=0, lt=1)]
    metric_gap: Annotated[float, Field(gt=0, lt=1)]
