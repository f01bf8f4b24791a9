"""Stage `split`: raw points -> scaled train and test parts, and the scaler's numbers."""

from pipeline.data.raw_files import load_points
from pipeline.data.split import split
from pipeline.data.split_files import save_split
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read


def main() -> None:
    """Read `split` and the points, write both parts, and what they were made with."""
    params = read()
    parts, scaling = split(load_points(), params.split)
    made_with = {"data": params.data.model_dump(mode="json"), "split": params.split.model_dump(mode="json")}
    save_split(parts, scaling, made_with)
    print(f"split: {len(parts.train)} rows train, {len(parts.test)} test; scaled on {params.split.fit_scaler_on}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
