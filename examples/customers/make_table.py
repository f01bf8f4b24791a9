"""Write customers.csv into a folder: 2,000 invented customers, one in ten of whom bought."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def make_table(rows: int = 2000, seed: int = 1) -> pd.DataFrame:
    """Draw customers; who bought depends on age, city, membership and the number of visits, not on the income."""
    draw = np.random.default_rng(seed)
    age = draw.normal(42, 13, rows).clip(18, 90).round()
    city = draw.choice(["Basel", "Bern", "Genève", "Zürich"], rows, p=[0.2, 0.3, 0.15, 0.35])
    member = draw.random(rows) < 0.35
    income = np.exp(draw.normal(11, 0.4, rows)).round(2)
    visits = draw.poisson(3, rows)
    wish = 0.09 * (50 - age) + 2.2 * (city == "Zürich") + 2.5 * member + 0.9 * visits - 8.6
    bought = np.where(draw.random(rows) < 1 / (1 + np.exp(-2.5 * wish)), "yes", "no")
    table = pd.DataFrame({"customer": np.arange(1, rows + 1), "age": age, "city": city, "member": member})
    table = table.assign(income=income, visits=visits, bought=bought)
    table.loc[draw.choice(rows, rows // 20, replace=False), "age"] = np.nan
    table.loc[draw.choice(rows, rows // 30, replace=False), "city"] = None
    return table


if __name__ == "__main__":
    make_table().to_csv(Path(sys.argv[1]) / "customers.csv", index=False)
