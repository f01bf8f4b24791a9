"""Scaling, and the parts that train and test."""

from sklearn.preprocessing import MinMaxScaler

from pipeline.data.points import Points, Scaling, Split, input_names
from pipeline.foundations.errors import UserError
from pipeline.params.split import SplitParams


def split(points: Points, params: SplitParams) -> tuple[Split, Scaling]:
    """Scale the inputs, then cut: the first `train_samples` rows train, the rest test.

    Raises:
        UserError: no row would be left to test on.
    """
    cut = params.train_samples
    if cut >= len(points):
        raise UserError(f"split.train_samples: {cut}: must be less than the number of points, {len(points)}")
    scaler = MinMaxScaler(feature_range=params.scale_to)
    scaler.fit(points.inputs if params.fit_scaler_on == "all" else points.inputs[:cut])
    inputs = scaler.transform(points.inputs)
    parts = Split(Points(inputs[:cut], points.labels[:cut]), Points(inputs[cut:], points.labels[cut:]))
    return parts, Scaling(input_names(points), offset=scaler.min_, factor=scaler.scale_)
