"""Test that a dvc.lock is recognised and replaced if a kill or Ctrl-C truncated it while DVC wrote it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace import Workspace

from pipeline.evaluation import prune
from pipeline.repro.dvc_lock import FOLDER, LOCKS, MARK, kept_whole

LOCK = LOCKS[0]


def lock_of(*stages: str, content: str = "0f3a") -> str:
    """Return a lock as DVC writes it."""
    entries = [
        f"  {name}:\n    cmd: python3 -m {name}\n"
        f"    deps:\n    - path: data/{name}\n      hash: md5\n      md5: {content}\n      size: 120\n"
        f"    params:\n      params.yaml:\n        {name}.units: 5\n"
        f"    outs:\n    - path: runs/{name}\n      hash: md5\n      md5: {content}.dir\n      nfiles: 3\n"
        for name in stages
    ]
    return "".join(["schema: '2.0'\nstages:\n", *entries])


WHOLE = lock_of("generate", "split", "train@a")


class Killed(BaseException):
    """Ends a run as a kill does: nothing runs after it."""


def run(*written: str, ends: BaseException | None = None) -> None:
    """Run stages; after each stage DVC leaves one of these locks."""
    try:
        with kept_whole() as keep:
            for text in written:
                keep()
                LOCK.write_text(text)
            if ends:
                raise ends
    except (Killed, SystemExit):
        pass


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder whose last run succeeded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    LOCK.write_text(WHOLE)
    run()
    return tmp_path


def places() -> list[int]:
    """Return the positions to cut at: the ends of lines before the last stage, and the middles of lines."""
    ends = [place + 1 for place, letter in enumerate(WHOLE) if letter == "\n" and place < WHOLE.index("  train@a")]
    return [0, *ends[::3], *range(7, len(WHOLE), 53)]


@pytest.mark.parametrize("ends", [Killed(), SystemExit(130)], ids=["killed", "interrupted"])
def test_a_lock_that_was_cut_anywhere_is_restored_and_reported_in_one_line(
    ends: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in places():
        run(WHOLE[:place], ends=ends)
        run()
        assert LOCK.read_text() == WHOLE, place
        printed = capsys.readouterr().err
        assert printed.startswith("dvc.lock: truncated by an interruption: restored"), place
        assert printed.count("\n") == 1
        assert (FOLDER / "dvc.cut").read_text() == WHOLE[:place]
        assert not MARK.exists()


def test_entries_of_stages_that_finished_before_the_interruption_are_kept() -> None:
    first = lock_of("generate", "split", "train@a", content="11aa")
    second = lock_of("generate", "split", "train@a", "train@b")
    run(first, second, second[:200], ends=Killed())
    run(ends=Killed())  # interrupted again, before DVC wrote anything
    assert LOCK.read_text() == second
    run()
    assert LOCK.read_text() == second


def test_a_first_run_that_was_cut_leaves_no_lock(capsys: pytest.CaptureFixture[str]) -> None:
    LOCK.unlink()
    run()
    run(WHOLE[:70], ends=Killed())
    run()
    assert not LOCK.exists()
    assert "removed, because there was none before" in capsys.readouterr().err


def test_an_invalid_lock_of_a_killed_dvc_repro_is_restored() -> None:
    for place in places():
        if place and WHOLE[place - 1] != "\n":
            LOCK.write_text(WHOLE[:place])
            run()
            assert LOCK.read_text() == WHOLE, place


@pytest.mark.parametrize("text", ["!!int x", "2020-99-99", "!!python/name:os.system", "[" * 9999 + "]" * 9999])
def test_a_lock_whose_values_cannot_be_read_is_restored(text: str) -> None:
    LOCK.write_text(WHOLE.replace("'2.0'", text))
    run()
    assert LOCK.read_text() == WHOLE


def without(*stages: str) -> str:
    return lock_of(*(each for each in ("generate", "split", "train@a") if each not in stages))


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        pytest.param(without("train@a"), None, id="last variant taken out"),
        pytest.param(without("split"), Killed(), id="another taken out, then killed"),
        pytest.param(lock_of("generate", "split", "train@a", content="77"), Killed(), id="all stages ran, then killed"),
        pytest.param(lock_of("split", "generate"), Killed(), id="in another order"),
    ],
)
def test_a_variant_that_the_user_removed_stays_removed(text: str, ends: BaseException | None) -> None:
    run(text, ends=ends)
    run()
    assert LOCK.read_text() == text


def test_a_lock_that_the_user_edited_or_removed_between_runs_is_left_alone() -> None:
    edited = lock_of("generate", content="ed17")
    LOCK.write_text(edited)
    run()
    assert LOCK.read_text() == edited
    run(edited[:70], ends=Killed())
    LOCK.unlink()
    run()
    assert not LOCK.exists()
    run()
    assert not LOCK.exists()


def git(*arguments: str) -> None:
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    subprocess.run(["git", *who, *arguments], check=False, capture_output=True)


def checkout() -> None:
    """Check out an earlier state, whose stages are the first of today's stages."""
    git("checkout", "--quiet", "HEAD~1", "--", "dvc.lock")


def reset() -> None:
    git("reset", "--quiet", "--hard", "HEAD~1")


def conflict() -> None:
    git("checkout", "--quiet", "--", "dvc.lock")
    git("checkout", "--quiet", "-b", "other", "HEAD~1")
    LOCK.write_text(without("train@a", "split"))
    git("commit", "--quiet", "--all", "--message", "Other")
    git("merge", "--quiet", "-")
    assert "<<<<<<<" in LOCK.read_text()


@pytest.mark.parametrize("brought", [checkout, reset, conflict])
def test_a_lock_that_git_wrote_after_an_interruption_is_left_alone(brought: Callable[[], None]) -> None:
    git("init", "--quiet")
    for text in (without("train@a"), WHOLE):
        LOCK.write_text(text)
        git("add", "dvc.lock")
        git("commit", "--quiet", "--message", "Lock")
    run()
    run(WHOLE[:100], ends=Killed())
    brought()
    text = LOCK.read_text()
    run()
    assert LOCK.read_text() == text
    run(text[:100], ends=Killed())
    run()
    assert LOCK.read_text() == (WHOLE[:100] if "<" in text else text)


def test_if_two_runs_overlap_only_the_first_copies_and_restores_locks() -> None:
    with kept_whole() as keep:
        LOCK.write_text(WHOLE[:50])  # the DVC of this run is writing
        run(ends=SystemExit(1))
        assert LOCK.read_text() == WHOLE[:50]
        assert MARK.exists()
        LOCK.write_text(WHOLE)
        keep()
    assert not MARK.exists()


def test_the_lock_of_the_studies_is_copied_too() -> None:
    studies = LOCKS[1]
    studies.write_text(WHOLE)
    run()
    studies.write_text(WHOLE[:30])
    run()
    assert studies.read_text() == WHOLE


def test_removing_a_variant_never_leaves_a_truncated_lock() -> None:
    """The complete lock is moved into place, so the file itself is never open for writing."""
    kept = LOCK.open()  # the file that would be left by a kill in the middle
    prune._remove_stages({"train@a"})
    assert kept.read() == WHOLE
    assert LOCK.read_text() == without("train@a")


@pytest.mark.parametrize("damaged", ["stages: [", "[]", "schema: 1\n", "stages: !!python/name:os.system\n", "[" * 9999])
def test_removing_a_variant_leaves_a_damaged_lock_to_dvc(damaged: str, folder: Path) -> None:
    LOCK.write_text(damaged)
    before = set(folder.iterdir())
    prune._remove_stages({"train@a"})
    assert LOCK.read_text() == damaged
    assert set(folder.iterdir()) == before


@pytest.mark.slow
@pytest.mark.long
def test_repro_continues_after_the_lock_was_cut_and_skips_no_stage_wrongly(workspace: Workspace) -> None:
    """The real DVC runs, and nothing else is stale."""
    repro = ["python3", "-m", "pipeline.repro"]
    assert workspace.run(*repro).executed == set()
    lock = workspace.folder / "dvc.lock"
    whole = lock.read_bytes()

    lock.write_bytes(whole[: whole.index(b"\n", whole.index(b"  track:")) + 1])
    assert "dvc.lock' validation failed" in workspace.attempt("dvc", "status").stderr
    done = workspace.run(*repro)
    assert done.executed | done.restored == set()
    assert "dvc.lock: truncated by an interruption: restored" in done.stderr
    assert lock.read_bytes() == whole

    lock.write_bytes(whole[: whole.index(b"  compare:")])  # which DVC accepts as complete
    (workspace.folder / MARK).touch()
    workspace.edit({"variants.relu_2.units": 4})  # so that the restored entry is older than the recipe
    done = workspace.run(*repro)
    assert "dvc.lock: truncated by an interruption: restored" in done.stderr
    assert done.executed == {"train@relu_2", "evaluate@relu_2", "compare", "track"}
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
