"""Stage `split`: raw points -> scaled train and test parts, and the scaler's numbers."""

from pipeline.artifacts.measured.points import load_points
from pipeline.artifacts.measured.splits import save_split
from pipeline.data.split import split
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params import file
from pipeline.params.data import DataParams
from pipeline.params.split import SplitParams


def main() -> None:
    """Read `split` and the points, write both parts, and what they were made with."""
    document = file.read()
    params, data = file.section(document, "split", SplitParams), file.section(document, "data", DataParams)
    parts, scaling = split(load_points(), params)
    save_split(parts, scaling, {"data": data.model_dump(mode="json"), "split": params.model_dump(mode="json")})
    print(f"split: {len(parts.train)} rows train, {len(parts.test)} test; scaled on {params.fit_scaler_on}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
