"""Stage `generate`: data -> the raw points and their scatter plot."""

from pipeline.data.raw_files import POINTS, SCATTER, save_points
from pipeline.data.sources import generate
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read
from pipeline.report.figures.files import save_figure
from pipeline.report.figures.points import scatter


def main() -> None:
    """Read `data`, write the points."""
    points = generate(read().data)
    save_points(points)
    save_figure(scatter(points), SCATTER)
    print(f"generate: {len(points)} points -> {POINTS}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
