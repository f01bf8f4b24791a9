"""The result in a terminal: a short table of what `compare` found, and where to look further."""

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.foundations.errors import reported_in_one_line
from pipeline.report.content import results
from pipeline.report.files import PAGE, load_variants


def main() -> None:
    """Print the table, and the commands that show more."""
    found = results(load_variants()).drop(columns="quartiles")  # eighty columns hold no more
    table = Table(box=box.SIMPLE, padding=(0, 1))
    for column in found:
        longest = max(len(text) for text in found[column])
        table.add_column(column, min_width=longest)  # a header may wrap, a value may not
    for row in found.itertuples(index=False):
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(f"Open {PAGE}; compare the runs in MLflow: [bold]make ui[/bold]")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
