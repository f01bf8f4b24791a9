"""A small part of `python3 tests/campaigns/inputs.py`: what reads each kind of input, in this process."""

import os
from pathlib import Path

import pytest
from campaigns.params_mutants import mutants, tiny, written

from pipeline.data.sources import load
from pipeline.data.splitting import split
from pipeline.foundations.errors import UserError
from pipeline.params.params import parse, read

NUMBER, LARGEST = 60, 100_000


def test_the_tiny_file_is_right(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(written(tiny()))
    assert read(tmp_path / "params.yaml") == parse(tiny())


@pytest.mark.slow
def test_a_mutant_is_read_and_gives_data_or_is_refused_in_a_short_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lengths: list[int] = []
    for done, text in mutants(NUMBER, seed=1):
        Path("params.yaml").write_text(text)
        try:
            params = read()
            count = params.data.config.get("n_samples", 100)
            if not isinstance(count, int) or count <= LARGEST:
                split(load(params.data), params.data, params.split)
        except UserError as error:
            lengths.append(len(str(error)))
        except Exception as error:
            pytest.fail(f"{done}: {error!r}")
        assert os.listdir() == ["params.yaml"]
    assert NUMBER / 4 < len(lengths) < NUMBER
    assert max(lengths) < 1000


def test_the_same_seed_gives_the_same_mutants() -> None:
    assert list(mutants(5, seed=3)) == list(mutants(5, seed=3)) != list(mutants(5, seed=4))
