"""Many runs of a script: their order, how many at once, the budget, and the runs that are kept. Nothing is trained."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.foundations.errors import UserError
from pipeline.foundations.files import save_text
from pipeline.watch.scripts import kept_runs, run_pool, script_files
from pipeline.watch.scripts.kept_runs import KeptRuns
from pipeline.watch.scripts.run_pool import RunPool
from pipeline.watch.scripts.run_request import FILE, RUN_FILE, RunEntry, RunRequest
from pipeline.watch.scripts.script_files import FileUse, named_files, noting_files, state, use

DONE = RunEntry([], False, None, None, seconds=2.0)


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRequest:
    """Return a run of a script."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("", encoding="utf-8")
    return RunRequest(Path("mine.py"), [], None)


class FakeRuns:
    """Stands for the processes; each ends at the second look."""

    def __init__(self, entry: Callable[[RunRequest, int], RunEntry | int]) -> None:
        self.started: list[tuple[tuple[str, ...], int]] = []
        self.at_once = 0
        self.most = 0
        self._entry = entry

    def __call__(self, request: RunRequest, seed: int, folder: Path, place: Path, at_once: int) -> "FakeRun":
        self.started.append((tuple(request.remedies), seed))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        return FakeRun(self, self._entry(request, seed), folder, place)


class FakeRun:
    """Stands for a process."""

    seconds, errors, last_error = 2.0, "Traceback", "ValueError: no"

    def __init__(self, runs: FakeRuns, entry: RunEntry | int, folder: Path, place: Path) -> None:
        self.folder, self.place = folder, place
        self._runs, self._code, self._looks = runs, entry if isinstance(entry, int) else 0, 0
        folder.mkdir()
        if isinstance(entry, RunEntry):
            (folder / FILE).write_bytes(RUN_FILE.dump_json(entry))

    @property
    def returncode(self) -> int | None:
        """End at the second look."""
        self._looks += 1
        if self._looks == 2:
            self._runs.at_once -= 1
        return self._code if self._looks > 1 else None

    def stop(self) -> None:
        """End now."""
        self._runs.at_once -= 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRuns]:
    """Return a function that replaces the processes on a machine with four cores."""

    def install(entry: Callable[[RunRequest, int], RunEntry | int] = lambda request, seed: DONE) -> FakeRuns:
        runs = FakeRuns(entry)
        monkeypatch.setattr(run_pool, "RunProcess", runs)
        return runs

    monkeypatch.setattr(run_pool, "usable_cores", lambda: 4)
    monkeypatch.setattr(run_pool, "PAUSE", 0)
    return install


def pool(folder: Path, minutes: float | None = None, is_fresh: bool = False) -> RunPool:
    """Return a pool whose runs are kept in a folder."""
    return RunPool(KeptRuns(folder / "kept", is_fresh), minutes)


def test_the_first_run_is_alone_and_the_others_share_the_cores(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = fake()
    (results,) = pool(tmp_path).results([request_of], 6)
    assert len(results) == 6
    assert runs.started == [((), seed) for seed in range(6)]
    assert runs.most == 4
    said = capsys.readouterr().err
    assert "one run takes 2 s; 5 more, 4 at a time: about 4 s" in said
    assert "run 6 of 6 is finished" in said


@pytest.mark.parametrize(
    "entry",
    [
        replace(DONE, files=FileUse(shared=["/there/best.keras"])),
        replace(DONE, has_gpu=True),
        replace(DONE, megabytes=1e9),
    ],
)
def test_runs_that_would_disturb_each_other_are_one_at_a_time(
    entry: RunEntry, request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path
) -> None:
    runs = fake(lambda request, seed: entry)
    pool(tmp_path).results([request_of], 4)
    assert runs.most == 1


def test_finished_runs_are_used_again_until_something_changes(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1", encoding="utf-8")
    runs = fake(lambda request, seed: replace(DONE, files=FileUse({str(data): state(str(data))})))
    pool(tmp_path).results([request_of], 2)
    pool(tmp_path).results([request_of], 3)
    assert [seed for _, seed in runs.started] == [0, 1, 2]
    assert "2 of 3 runs kept from" in capsys.readouterr().err
    pool(tmp_path).results([replace(request_of, arguments=["--fast"])], 1)
    assert len(runs.started) == 4
    data.write_text("22", encoding="utf-8")
    pool(tmp_path).results([request_of], 1)
    assert len(runs.started) == 5
    pool(tmp_path, is_fresh=True).results([request_of], 1)
    assert len(runs.started) == 6
    Path("mine.py").write_text("# changed", encoding="utf-8")
    pool(tmp_path).results([request_of], 1)
    assert len(runs.started) == 7
    pool(tmp_path).results([request_of], 1)
    assert len(runs.started) == 7


def test_old_runs_are_removed(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = fake()
    pool(tmp_path).results([request_of], 1)
    monkeypatch.setattr(kept_runs, "LONGEST", -1)
    pool(tmp_path).results([request_of], 1)
    assert len(runs.started) == 2


def test_a_script_that_changes_while_it_runs_is_not_kept_under_its_new_text(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path
) -> None:
    def edit(request: RunRequest, seed: int) -> RunEntry:
        request.script.write_text("# new", encoding="utf-8")
        return DONE

    runs = fake(edit)
    pool(tmp_path).results([request_of], 1)
    pool(tmp_path).results([request_of], 1)
    assert len(runs.started) == 2


def test_a_remedy_that_cannot_be_applied_needs_no_further_run(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path
) -> None:
    runs = fake(lambda request, seed: replace(DONE, not_done="no" if "adam" in request.remedies else None))
    requests = [replace(request_of, remedies=[name]) for name in ("adam", "longer")]
    first, second = pool(tmp_path).results(requests, 3)
    assert [each.not_done for each in first] == ["no"]
    assert len(second) == 3
    assert [name for (name,), _ in runs.started].count("adam") == 1


def test_after_the_budget_no_run_begins(request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path) -> None:
    runs = fake()
    short = pool(tmp_path, minutes=1e-9)
    first, second = short.results([request_of, replace(request_of, fit=1)], 3)
    assert (len(first), len(second)) == (1, 0)
    assert short.is_over_budget
    assert len(runs.started) == 1


def test_a_script_that_fails_is_reported_with_its_errors(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(lambda request, seed: 3)
    with pytest.raises(UserError, match=r"mine\.py: failed from seed 0: exit code 3: see the error above"):
        pool(tmp_path).results([request_of], 2)
    assert "Traceback" in capsys.readouterr().err
    ((failed,),) = pool(tmp_path).results([replace(request_of, remedies=["adam"])], 2)
    assert failed.not_done == "the script fails with this remedy: exit code 3 from seed 0: ValueError: no"


def test_ctrl_c_stops_all_runs_and_says_that_the_command_goes_on(
    request_of: RunRequest, fake: Callable[..., FakeRuns], tmp_path: Path
) -> None:
    def interrupt(request: RunRequest, seed: int) -> RunEntry:
        if seed == 3:
            raise KeyboardInterrupt
        return DONE

    runs = fake(interrupt)
    with pytest.raises(KeyboardInterrupt, match="interrupted: run the same command again to continue"):
        pool(tmp_path).results([request_of], 4)
    fake()
    pool(tmp_path).results([request_of], 1)
    assert runs.started == [((), 0), ((), 1), ((), 2), ((), 3)]


def test_files_that_a_script_names_count_although_python_does_not_open_them(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("rows.h5", "pictures/cat.png", "unnamed.h5", "mine.keras"):
        (tmp_path / name).write_text("", encoding="utf-8")
    script = tmp_path / "mine.py"
    script.write_text('load("rows.h5"), load("./pictures"), load("none.h5"), save("mine.keras")', encoding="utf-8")
    named = named_files(script, [tmp_path])
    assert {Path(each).name for each in named} == {"rows.h5", "cat.png", "mine.keras"}
    with noting_files(tmp_path / "own", named) as log:
        (tmp_path / "mine.keras").write_text("", encoding="utf-8")
    assert {Path(each).name for each in use(log, [], 0.0).read} == {"rows.h5", "cat.png"}


def test_files_that_a_script_uses_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("read.csv", "module.py"):
        (tmp_path / name).write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    start = os.stat(tmp_path / "read.csv").st_mtime
    (tmp_path / "own").mkdir()
    with noting_files(tmp_path / "own") as log:
        save_text("a record", tmp_path / "own" / "0.nc")
        (tmp_path / "read.csv").read_text(encoding="utf-8")
        (tmp_path / "plot.png").write_bytes(b"")
        (tmp_path / "model.keras").write_bytes(b"")
        (tmp_path / "model.keras").read_bytes()
        json.dumps({})
        __import__("module")
    (tmp_path / "later.csv").write_text("", encoding="utf-8")
    (tmp_path / "hidden.h5").write_bytes(b"")  # as C++ would write it
    os.utime(tmp_path / "later.csv", (1, 1))
    files = use(log, [tmp_path], start + 1e-3)
    assert {Path(each).name for each in files.read} == {"read.csv", "module.py"}
    assert {Path(each).name for each in files.shared} - {"module.py", "read.csv"} == {"model.keras", "hidden.h5"}
    assert files.read[str(tmp_path / "read.csv")] == state(str(tmp_path / "read.csv"))
    assert script_files.state(str(tmp_path / "none")) == script_files.NO_FILE
