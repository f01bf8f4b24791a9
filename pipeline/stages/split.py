"""Stage `split`: raw points -> scaled train and test parts, and the scaler's numbers."""

from pipeline.data.files import load_points, save_split
from pipeline.data.samples import Origin
from pipeline.data.split import split
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read


def main() -> None:
    """Read `split` and the points, write both parts, and what they were made with."""
    params = read()
    parts, scaling = split(load_points(), params.split)
    save_split(parts, Origin(task=parts.task, inputs=scaling, data=params.data, split=params.split))
    print(f"split: {len(parts.train)} rows train, {len(parts.test)} test; scaled on {params.split.fit_scaler_on}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
