"""Stage `split`: raw rows -> scaled parts, the scaling of the columns, and the data's profile."""

from pipeline.data.profile import profile, save_profile
from pipeline.data.raw_files import load_raw
from pipeline.data.split.files import save_split
from pipeline.data.splitting import split
from pipeline.foundations.errors import reported_in_one_line
from pipeline.params.params import read


def main() -> None:
    """Read `split` and the rows; write the parts, the scaling and the profile."""
    params = read()
    raw = load_raw()
    parts, origin = split(raw, params.data, params.split)
    data_profile = profile(raw, parts, origin)
    del raw  # frees memory, which would hold a large table three times
    save_split(parts, origin)
    save_profile(data_profile)
    rows = ", ".join(f"{len(part)} {name}" for name, part in parts.parts.items())
    print(f"split: {rows} rows; scaled on {params.split.fit_scaler_on}")
    for warning in data_profile.warnings:
        print(f"warning: {warning}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()
