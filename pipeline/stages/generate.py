"""Stage `generate`: data -> all raw rows, checked."""

from pipeline.data import sources
from pipeline.data.raw_files import POINTS, save_raw
from pipeline.foundations.errors import reported_in_one_line
from pipeline.foundations.formats import rows_path
from pipeline.params.params import read


def main() -> None:
    """Read `data` and its source; write the rows."""
    data = read().data
    raw = sources.load(data)
    save_raw(raw)
    reason = " (from the target, because data.task is auto)" if data.task == "auto" and sources.is_file(data) else ""
    print(f"generate: {len(raw)} rows, {raw.task.in_words}{reason} -> {rows_path(POINTS)}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
