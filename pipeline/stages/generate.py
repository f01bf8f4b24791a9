"""Stage `generate`: data -> the raw points and their scatter plot."""

from pipeline.data.files import POINTS, SCATTER, save_points
from pipeline.data.sources import generate
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read
from pipeline.report.figures.files import save_figure
from pipeline.report.figures.points import scatter


def main() -> None:
    """Read `data`, write the points."""
    data = generate(read().data)
    save_points(data)
    save_figure(scatter(data), SCATTER)
    print(f"generate: {len(data.samples)} points -> {POINTS}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
