"""Scaling, and the parts that train and test."""

from sklearn.preprocessing import MinMaxScaler

from pipeline.data.samples import Data, InputScaling, Samples, Scaling, Split
from pipeline.foundations.errors import UserError
from pipeline.params.split import SplitParams


def split(data: Data, params: SplitParams) -> tuple[Split, Scaling]:
    """Scale the inputs, then cut: the first `train_samples` rows train, the rest test.

    Raises:
        UserError: no row would be left to test on.
    """
    samples, cut = data.samples, params.train_samples
    if cut >= len(samples):
        raise UserError(f"split.train_samples: {cut}: must be less than the number of points, {len(samples)}")
    scaler = MinMaxScaler(feature_range=params.scale_to)
    scaler.fit(samples.inputs if params.fit_scaler_on == "all" else samples.inputs[:cut])
    inputs = scaler.transform(samples.inputs)
    train, test = (Samples(inputs[rows], samples.targets[rows]) for rows in (slice(None, cut), slice(cut, None)))
    columns = zip(data.names, scaler.min_.tolist(), scaler.scale_.tolist(), strict=True)
    scaling = tuple(InputScaling(name=name, offset=offset, factor=factor) for name, offset, factor in columns)
    return Split(data.task, train, test), scaling
