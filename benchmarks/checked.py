"""Check programs before training, as `python3 -m pipeline.watch --check` does, and count the lines by check.

python3 -m benchmarks.checked
python3 -m benchmarks.checked --sets known_good --names iris churn
python3 -m benchmarks.checked --docs

On programs that train well, every fault or hint is a false line. On faulty programs, a line is right if it names an
accepted cause. Each program's lines are written to checked.json. `--docs` writes the tables of the last results to
docs/known_faults.md, and checks nothing.
"""

import argparse
import gc
import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import tensorflow as tf

from benchmarks.joined import share_with_interval
from benchmarks.markdown import renew, table
from benchmarks.unseen.unseen_program import load
from pipeline.foundations.files import load_json, save_json
from pipeline.watch.checks.check_fit import check_fit
from pipeline.watch.checks.check_line import FAULT, HINT, Level

RESULTS: Final = Path(__file__).with_name("checked.json")
UNSEEN: Final = Path(__file__).parent / "unseen"
FAULTS: Final = "known_faults"
SETS: Final = ("known_good", "unseen_good", FAULTS)
COLUMNS: Final = (
    "programs", "checked", "with a fault", "with a hint", "with a fault that names an accepted cause",
    "with a fault or hint that names one", "crashed",
)  # fmt: skip
LEVELS: Final[tuple[Level, ...]] = (FAULT, HINT)
PAGE: Final = Path(__file__).parents[1] / "docs" / "known_faults.md"
BEGIN: Final = "<!-- checked: made by `python3 -m benchmarks.checked --docs` -->\n"
END: Final = "<!-- /checked -->\n"
Prepare = Callable[[], tuple[keras.Model, Mapping[str, Any]]]  # returns a model and the arguments of its `fit`
Row = dict[str, Any]


def programs(name: str) -> Iterator[tuple[str, Prepare, Sequence[str]]]:
    """Yield name, preparation and accepted causes of each program of a set."""
    if name == "known_good":
        for each in importlib.import_module("benchmarks.known_good.programs").PROGRAMS.values():
            yield each.name, lambda each=each: _known_good(each), ()
    elif name == "unseen_good":
        for path in sorted(UNSEEN.glob("*/good/*.py")):
            yield path.stem, lambda path=path: _unseen(path), ()
    else:
        for each in importlib.import_module("benchmarks.known_faults.programs").ALL.values():
            yield each.name, lambda each=each: _known_fault(each), sorted(each.right)


def checked(name: str, prepare: Prepare, accepted: Sequence[str]) -> Row:
    """Return the faults and hints of one program: the cause that each names, by name of the check."""
    row: Row = {"accepted": list(accepted)} if accepted else {}
    keras.utils.set_random_seed(0)
    try:
        model, arguments = prepare()
        report = check_fit(model, arguments)
        row |= {level: {line.name: line.cause for line in report.of_level(level)} for level in LEVELS}
        print(name, *(line for level in LEVELS for line in report.of_level(level)), sep="\n  ", flush=True)
    except Exception as error:  # the next program is checked, too
        row["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        print(name, row["error"], sep="\n  ", flush=True)
    finally:
        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session()
        gc.collect()
    return row


def rendered(results: Mapping[str, Mapping[str, Row]]) -> str:
    """Return the tables in Markdown: a row for each set of programs, then one for each check with a fault or hint."""
    sets = {name: list(results[name].values()) for name in SETS if name in results}
    checks = sorted(
        {check for rows in sets.values() for row in rows for level in LEVELS for check in row.get(level, ())}
    )
    counts = (
        (
            check,
            *(str(sum(check in row.get(level, ()) for row in rows)) for rows in sets.values() for level in LEVELS),
        )
        for check in checks
    )
    columns = ("check", *(f"`{name}`: {level}" for name in sets for level in LEVELS))
    return f"{table(COLUMNS, (_shares(name, rows) for name, rows in sets.items()))}\n{table(columns, counts)}"


def _shares(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the row of a set of programs; columns as COLUMNS."""
    has_lines = [sum(bool(row.get(level)) for row in rows) for level in LEVELS]
    is_right = [sum(_is_right(row, levels) for row in rows) for levels in (LEVELS[:1], LEVELS)]
    return (
        f"`{name}`",
        str(len(rows)),
        *(share_with_interval(count, len(rows)) for count in has_lines),
        *(share_with_interval(count, len(rows)) if name == FAULTS else "-" for count in is_right),
        str(sum("error" in row for row in rows)),
    )


def _is_right(row: Row, levels: Sequence[str]) -> bool:
    return any(cause in row.get("accepted", ()) for level in levels for cause in row.get(level, {}).values())


def _known_good(program: Any) -> tuple[keras.Model, Mapping[str, Any]]:
    prepared = program.build(0)
    prepared.before()
    return prepared.model, prepared.fit


def _unseen(path: Path) -> tuple[keras.Model, Mapping[str, Any]]:
    program = load(path)
    x, y, x_held_out, y_held_out = program.data(fixed=False)
    arguments = {"x": x, "y": None if isinstance(x, tf.data.Dataset) else y}
    arguments |= {"epochs": program.EPOCHS, "batch_size": program.BATCH}
    further = dict(program.fit_args(fixed=False)) if hasattr(program, "fit_args") else {}
    if "validation_split" not in further and not getattr(program, "NO_VALIDATION", False):
        arguments["validation_data"] = (x_held_out, y_held_out)
    return program.model(fixed=False), arguments | further


def _known_fault(program: Any) -> tuple[keras.Model, Mapping[str, Any]]:
    data = program.data(False)
    arguments: dict[str, Any] = {"x": data.x, "y": data.y, "epochs": program.epochs, "batch_size": program.batch_size}
    further = dict(program.fit(False))
    if data.x_validation is not None and "validation_split" not in further:
        arguments["validation_data"] = (data.x_validation, data.y_validation)
    return program.model(False), arguments | further


def main() -> None:
    """Check, print and write."""
    what, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.checked",
        description=what,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="check these sets of programs only")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="check these programs only")
    parser.add_argument("--docs", action="store_true", help=f"write the tables to docs/{PAGE.name}, and check nothing")
    arguments = parser.parse_args()
    if arguments.docs:
        renew(PAGE, BEGIN, END, rendered(load_json(RESULTS)))
        return
    warnings.simplefilter("ignore")
    for name in arguments.sets:
        for program, prepare, accepted in programs(name):
            if arguments.names is None or program in arguments.names:
                row = checked(program, prepare, accepted)
                results = load_json(RESULTS) if RESULTS.exists() else {}
                results.setdefault(name, {})[program] = row
                save_json(results, RESULTS)


if __name__ == "__main__":
    main()
