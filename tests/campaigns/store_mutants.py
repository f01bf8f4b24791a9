"""Mutants of MLflow's store, a SQLite database, and of DVC's lock."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from campaigns import payloads
from campaigns.file_mutants import Luck, damage
from campaigns.run_mutants import TAKEN

Command = tuple[str, ...]
STORE = Path("mlruns/mlflow.db")
TABLES = ("runs", "tags", "params", "metrics", "experiments", "experiment_tags", "logged_models", "alembic_version")
COLUMNS = (
    *(("runs", "artifact_uri"), ("runs", "status"), ("runs", "lifecycle_stage"), ("runs", "name")),
    *(("experiments", "artifact_location"), ("experiments", "name"), ("experiments", "lifecycle_stage")),
    *(("tags", "value"), ("tags", "key"), ("params", "value"), ("metrics", "key"), ("latest_metrics", "value")),
    *(("logged_models", "artifact_location"), ("logged_models", "name"), ("inputs", "source_id")),
    *(("alembic_version", "version_num"), ("experiment_tags", "value"), ("datasets", "dataset_profile")),
    *(("registered_models", "name"), ("model_versions", "source"), ("model_versions", "storage_location")),
)
VALUES = (
    "",
    "x",
    None,
    -1,
    10**12,
    "file:///etc/passwd",
    "bogus://x/y",
    "http://127.0.0.1:9/",
    "FINISHED",
    b"\x80\x04.",
)


def store(luck: Luck, folder: Path, canaries: Path) -> tuple[str, list[Command]]:
    """Change the bytes, the tables or the values of the store."""
    path = folder / STORE
    commands: list[Command] = [("track",), ("ui", "--port", TAKEN)]
    luck.shuffle(commands)
    if luck.random() < 0.35:
        return damage(luck, path, canaries), commands
    (table, column), value = luck.choice(COLUMNS), luck.choice((*VALUES, *payloads.TEXTS))
    one = luck.choice(TABLES)
    claim = json.dumps({"ticket": luck.choice((0, 1, -5, 10**30)), "nonce": "x", "place": "x"})
    follower = json.dumps({"host": luck.choice(payloads.TEXTS), "pid": -1, "started": ""})
    ways: dict[str, Callable[[], None]] = {
        f"without {one}": lambda: _run(path, f"DROP TABLE {one}"),
        f"{one} empty": lambda: _run(path, f"DELETE FROM {one}"),
        f"{table} without {column}": lambda: _run(path, f"ALTER TABLE {table} RENAME COLUMN {column} TO other"),
        f"{table}.{column}: {value!r}"[:80]: lambda: _run(path, f"UPDATE OR IGNORE {table} SET {column} = ?", value),
        "a claim of nobody": lambda: _run(
            path,
            "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) SELECT 'pipeline.publisher.x', ?, "
            "experiment_id FROM experiments",
            luck.choice(("x", "{}", "[" * 5000)) if luck.random() < 0.5 else claim,
        ),
        "a follower of nobody": lambda: _run(
            path,
            "INSERT OR REPLACE INTO tags (key, value, run_uuid) SELECT 'pipeline.follower', ?, run_uuid FROM runs",
            follower,
        ),
        "another program's": lambda: _other_program(path),
        "an earlier version's": lambda: _run(path, "UPDATE alembic_version SET version_num = 'acf3f17fdcc7'"),
        "a later version's": lambda: _run(path, "UPDATE alembic_version SET version_num = 'ffffffffffff'"),
        "a trigger": lambda: _run(
            path, "CREATE TRIGGER t BEFORE INSERT ON tags BEGIN SELECT RAISE(ABORT, 'two\nlines'); END"
        ),
        "views": lambda: _views(path),
        "a table more": lambda: _run(path, 'CREATE TABLE "<script>" (x)'),
    }
    how = luck.choice((*ways, next(key for key in ways if ":" in key)))
    try:
        ways[how]()
    except sqlite3.Error as error:
        return f"{how} ({error}); {damage(luck, path, canaries)}", commands
    return how, commands


def _run(path: Path, command: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        database.execute(command, values)


def _other_program(path: Path) -> None:
    path.unlink()
    _run(path, "CREATE TABLE notes (id INTEGER, text TEXT)")


def _views(path: Path) -> None:
    _run(path, "ALTER TABLE runs RENAME TO runs_of_old")
    _run(path, "CREATE VIEW runs AS SELECT * FROM runs_of_old")


def lock(luck: Luck, folder: Path, canaries: Path) -> str:
    """Change dvc.lock: its bytes, its lines or its values; return what was done."""
    path = folder / "dvc.lock"
    text = path.read_text()
    if luck.random() < 0.4:
        return damage(luck, path, canaries)
    lines = text.splitlines()
    place = luck.randrange(len(lines))
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    key = lines[place].split(":")[0]
    ways: dict[str, Callable[[], str]] = {
        "line out": lambda: "\n".join(lines[:place] + lines[place + 1 :]) + "\n",
        "line twice": lambda: "\n".join(lines[: place + 1] + lines[place:]) + "\n",
        "cut": lambda: "\n".join(lines[:place]) + "\n",
        "tag of Python": lambda: _with(lines, place, f"{key}: {luck.choice(payloads.yaml_tags(canaries))}"),
        "odd value": lambda: _with(
            lines, place, f"{key}: {luck.choice(('null', '[]', '{}', '1', 'x', '*a', '&a [*a]'))}"
        ),
        "payload": lambda: _with(lines, place, f"{key}: {json.dumps(luck.choice(payloads.TEXTS))}"),
        "a path above": lambda: text.replace("path: runs/", "path: ../../runs/"),
        "another hash": lambda: text.replace("md5: ", "md5: 0", 3),
        "another command": lambda: text.replace("cmd: python3 -m", f"cmd: touch {canaries / 'cmd'};", 1),
        "another schema": lambda: text.replace("'2.0'", luck.choice(("'9.0'", "x", "2.0", "null"))),
        "a stage more": lambda: text + f"  <script>:\n    cmd: touch {canaries / 'stage'}\n",
        "deep": lambda: text + "  x: " + "[" * 3000 + "]" * 3000 + "\n",
        "a tab": lambda: _with(lines, place, f"\t{lines[place]}"),
        "many aliases": lambda: "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n" + text,
        "indented": lambda: _with(lines, place, f"{indent} {lines[place].strip()}"),
    }
    how = luck.choice(list(ways))
    path.write_text(ways[how]())
    return f"dvc.lock line {place + 1}: {how}"


def _with(lines: list[str], place: int, line: str) -> str:
    return "\n".join([*lines[:place], line, *lines[place + 1 :]]) + "\n"
