"""The phases of a command: how the file system, the store and the output show that a phase has begun or ended."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from workspace import Workspace

ROOT_LOCK = Path("dvc.lock")
STUDIES_LOCK = Path("studies/dvc.lock")


class View:
    """A command that runs, as conditions see it.

    printed: its standard output so far.
    writings: how often DVC has begun to write each lock.
    """

    def __init__(self, workspace: Workspace, temporary: Path, output: Path) -> None:
        self.workspace, self.folder, self.temporary = workspace, workspace.folder, temporary
        self.printed = ""
        self.writings = {ROOT_LOCK: 0, STUDIES_LOCK: 0}
        self._output = output
        self._sizes = {lock: self._size(lock) for lock in self.writings}

    def look(self) -> None:
        """Read again what conditions need at every look."""
        self.printed = self._output.read_text(encoding="utf-8", errors="replace")
        for lock, last in self._sizes.items():
            self._sizes[lock] = self._size(lock)
            self.writings[lock] += self._sizes[lock] < last or last < 0 <= self._sizes[lock]  # DVC empties it first

    def has(self, pattern: str, folder: Path | None = None) -> bool:
        """Return whether there is a path of this pattern."""
        with suppress(OSError):  # a folder has just been removed
            return next((folder or self.folder).glob(pattern), None) is not None
        return False

    def count(self, table: str) -> int:
        """Return how many rows a table of the store has; 0 without a store."""
        return sum(count for (count,) in self.workspace.rows(f"SELECT count(*) FROM {table}"))

    def section(self, stage: str) -> str | None:
        """Return what was printed since a stage began and before the next began; None if it has not begun."""
        _, begun, rest = self.printed.partition(f"Running stage '{stage}':\n")
        return rest.partition("Running stage '")[0] if begun else None

    def runs(self, stage: str) -> bool:
        """Return whether a stage has begun."""
        return self.section(stage) is not None

    def writes(self, stage: str, output: str) -> bool:
        """Return whether a stage has begun, and something of its output is there: DVC removes outputs beforehand."""
        return self.runs(stage) and (self.folder / output).exists()

    def has_begun_to_write(self, lock: Path, number: int) -> bool:
        """Return whether DVC has begun to write a lock for the number-th time."""
        return self.writings[lock] >= number

    def is_after(self, stage: str) -> bool:
        """Return whether a stage has ended, and another one or nothing follows."""
        return "Updating lock file" in (self.section(stage) or "") or self.is_followed(stage)

    def is_followed(self, stage: str) -> bool:
        """Return whether another stage has begun after this one."""
        return "Running stage '" in self.printed.partition(f"Running stage '{stage}':\n")[2]

    def has_worked(self, stage: str) -> bool:
        """Return whether the stage itself has printed its result, so that DVC saves the outputs now."""
        word = stage.rpartition(":")[2].partition("@")[0].partition("_network")[0].replace("_", " ")
        lines = (self.section(stage) or "").splitlines()
        return any(line.startswith((f"{word}:", f"{word} ")) for line in lines) or self.is_followed(stage)

    def _size(self, lock: Path) -> int:
        try:
            return (self.folder / lock).stat().st_size
        except OSError:
            return -1


Condition = Callable[[View], bool]
WRITING = 0.02  # seconds that DVC takes to write a lock


@dataclass(frozen=True)
class Phase:
    """A part of a command's time.

    name: the phase, as it is counted.
    moment: which one, if there are several of that name, such as the stage.
    begins, ends: whether it has begun, or ended; a command's end ends every phase.
    every: seconds between two looks.
    """

    name: str
    begins: Condition
    ends: Condition = lambda view: False
    moment: str = ""
    every: float = 0.005

    @property
    def key(self) -> str:
        """The name and the moment."""
        return f"{self.name} {self.moment}".strip()


def stage_phases(outputs: Mapping[str, str], lock: Path) -> Iterator[Phase]:
    """Yield the phases of DVC's stages: the work of each, the writing of its outputs, DVC's copying, and the lock.

    Args:
        outputs: an output of each stage.
        lock: the lock that DVC writes after each stage.
    """
    for number, (stage, output) in enumerate(outputs.items(), start=1):
        has_worked = partial(View.has_worked, stage=stage)
        if "track" not in stage:  # whose work has phases of its own
            yield Phase(stage, partial(View.runs, stage=stage), has_worked)
            yield Phase("outputs", partial(View.writes, stage=stage, output=output), has_worked, stage)
        yield Phase("cache", has_worked, partial(View.is_after, stage=stage), stage)
        yield Phase("lock", partial(View.has_begun_to_write, lock=lock, number=number), moment=str(number), every=5e-4)


def lengths(phases: Sequence[Phase], view: View, has_ended: Callable[[], bool]) -> dict[str, float]:
    """Watch a command that runs undisturbed, and return the length of each phase in seconds, by its key.

    A phase that no look met is left out.
    """
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    is_over = False
    while not is_over:
        is_over = has_ended()
        view.look()
        now = time.monotonic()
        for phase in phases:
            if phase.key not in begun and phase.begins(view):
                begun[phase.key] = now
            elif phase.key in begun and phase.key not in ended and (is_over or phase.ends(view)):
                ended[phase.key] = now
        time.sleep(0.01)
    measured = {key: ended.get(key, now) - moment for key, moment in begun.items()}
    return {key: WRITING if key.startswith("lock ") else length for key, length in measured.items()}
