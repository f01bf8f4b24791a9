"""Check programs before training, as `python3 -m pipeline.watch --check` does, and count the lines by check.

python3 -m benchmarks.checked
python3 -m benchmarks.checked --sets known_good --names iris churn
python3 -m benchmarks.checked --docs

On programs that train well, every fault or hint is a false line. On faulty programs, a line is right if it names an
accepted cause. Without `--names`, the counts are written to checked.json. `--docs` writes the tables of the last counts
to docs/known_faults.md, and checks nothing.
"""

import argparse
import gc
import importlib
import warnings
from collections import Counter
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
from pipeline.watch.checks.check_line import FAULT, HINT, FitChecks

RESULTS: Final = Path(__file__).with_name("checked.json")
UNSEEN: Final = Path(__file__).parent / "unseen"
FAULTS: Final = "known_faults"
SETS: Final = ("known_good", "unseen_good", FAULTS)
SHARES: Final = (
    "with a fault", "with a hint", "with a fault that names an accepted cause",
    "with a line that names an accepted cause",
)  # fmt: skip
LEVELS: Final = ("faults", "hints")
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
    """Return the faults and hints of one program, by name of the check, with the causes that they name."""
    row: Row = {"name": name}
    keras.utils.set_random_seed(0)
    try:
        model, arguments = prepare()
        report = check_fit(model, arguments)
        row |= {level: _named(report, level) for level in (FAULT, HINT)}
        row["not run"] = [line.name for line in report.of_level("not run")]
        row["says"] = [str(line) for level in (FAULT, HINT) for line in report.of_level(level)]
        if accepted:
            row["accepted"] = list(accepted)
            row["is_right"] = any(cause in accepted for level in (FAULT, HINT) for cause in row[level].values())
    except Exception as error:  # the next program is checked, too
        row["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    finally:
        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session()
        gc.collect()
    return row


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many programs have a fault, a hint, and each check's lines."""
    return {
        "programs": len(rows),
        "errors": sum("error" in row for row in rows),
        "with a fault": sum(bool(row.get(FAULT)) for row in rows),
        "with a hint": sum(bool(row.get(HINT)) for row in rows),
        "with a fault that names an accepted cause": sum(_names_accepted(row, (FAULT,)) for row in rows),
        "with a line that names an accepted cause": sum(_names_accepted(row, (FAULT, HINT)) for row in rows),
        "faults": dict(Counter(name for row in rows for name in row.get(FAULT, ()))),
        "hints": dict(Counter(name for row in rows for name in row.get(HINT, ()))),
        "not run": dict(Counter(name for row in rows for name in row.get("not run", ()))),
    }


def rendered(results: Mapping[str, Any]) -> str:
    """Return the tables in Markdown: one row for each set of programs, then one for each check that had a line."""
    shown = [name for name in SETS if name in results]
    sets = (
        (
            f"`{name}`",
            str(results[name]["programs"]),
            *(share_with_interval(results[name][column], results[name]["programs"]) for column in SHARES[:2]),
            *(
                share_with_interval(results[name][column], results[name]["programs"]) if name == FAULTS else "-"
                for column in SHARES[2:]
            ),
            str(results[name]["errors"]),
        )
        for name in shown
    )
    lines = sorted({check for name in shown for level in LEVELS for check in results[name][level]})
    checks = (
        (check, *(str(results[name][level].get(check, 0)) for name in shown for level in LEVELS)) for check in lines
    )
    columns = ("check", *(f"`{name}`: {level}" for name in shown for level in LEVELS))
    return f"{table(('programs', 'checked', *SHARES, 'crashed'), sets)}\n{table(columns, checks)}"


def _names_accepted(row: Row, levels: Sequence[str]) -> bool:
    return any(cause in row.get("accepted", ()) for level in levels for cause in row.get(level, {}).values())


def _named(report: FitChecks, level: Any) -> dict[str, str | None]:
    return {line.name: line.cause for line in report.of_level(level)}


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
    parser.add_argument("--names", nargs="+", metavar="NAME", help="check these programs only, and write nothing")
    parser.add_argument("--docs", action="store_true", help=f"write the tables to docs/{PAGE.name}, and check nothing")
    arguments = parser.parse_args()
    if arguments.docs:
        renew(PAGE, BEGIN, END, rendered(load_json(RESULTS)))
        return
    warnings.simplefilter("ignore")
    for name in arguments.sets:
        rows = []
        for program, prepare, accepted in programs(name):
            if arguments.names is None or program in arguments.names:
                rows.append(checked(program, prepare, accepted))
                shown = [rows[-1]["error"]] if "error" in rows[-1] else rows[-1]["says"]
                print(f"{program}{'' if not accepted else f' ({accepted})'}", *shown, sep="\n  ", flush=True)
        print(counts(rows), flush=True)
        if arguments.names is None:
            earlier = load_json(RESULTS) if RESULTS.exists() else {}
            save_json({**earlier, name: counts(rows)}, RESULTS)


if __name__ == "__main__":
    main()
