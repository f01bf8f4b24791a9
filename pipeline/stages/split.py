"""Stage `split`: raw rows -> scaled parts, how they were made, and the data's profile."""

from pipeline.data.profile import profile, save_profile
from pipeline.data.raw_files import load_raw
from pipeline.data.split.files import save_split
from pipeline.data.splitting import split
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read


def main() -> None:
    """Read `split` and the rows; write all parts, how they were made, and their profile."""
    params = read()
    raw = load_raw()
    parts, origin = split(raw, params.data, params.split)
    described = profile(raw, parts, origin)
    del raw  # frees memory: a large table would be there three times
    save_split(parts, origin)
    save_profile(described)
    rows = ", ".join(f"{len(part)} {name}" for name, part in parts.parts.items())
    print(f"split: {rows} rows; scaled on {params.split.fit_scaler_on}")
    for warning in described.warnings:
        print(f"warning: {warning}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
