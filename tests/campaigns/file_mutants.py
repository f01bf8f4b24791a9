"""Mutants of any file, of JSON and of rows of text."""

import copy
import gzip
import io
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from campaigns import payloads

Luck = random.Random


def damage(luck: Luck, path: Path, canaries: Path) -> str:
    """Change bytes of a file, or put something else in its place; return what was done."""
    content = path.read_bytes()
    size = len(content)
    place = luck.randrange(size or 1)
    ways: dict[str, Callable[[], bytes]] = {
        f"cut to {place} bytes": lambda: content[:place],
        "empty": lambda: b"",
        f"without its first {place} bytes": lambda: content[place:],
        "bits changed": lambda: _flipped(luck, content, luck.choice((1, 1, 3, 20))),
        "bits of its first 200 bytes changed": lambda: _flipped(luck, content, luck.choice((1, 2, 5)), 200),
        "a block of zeros": lambda: content[:place] + bytes(min(512, size - place)) + content[place + 512 :],
        "a block of noise": lambda: content[:place] + luck.randbytes(min(512, size - place)) + content[place + 512 :],
        "noise": lambda: luck.randbytes(size),
        "twice": lambda: content * 2,
        "its halves swapped": lambda: content[size // 2 :] + content[: size // 2],
        "noise behind it": lambda: content + luck.randbytes(100),
        "compressed": lambda: gzip.compress(content),
        "a page": lambda: b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "a picture": lambda: b"\x89PNG\r\n\x1a\n" + luck.randbytes(200),
        "a pickle": lambda: payloads.pickled(canaries),
        "an array of objects": lambda: payloads.array_of_objects(canaries),
        "null": lambda: b"null",
        "UTF-16": lambda: content.decode("latin-1").encode("utf-16"),
        "a pointer of Git LFS": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "a merge conflict": lambda: b"<<<<<<< HEAD\n" + content + b"=======\n" + content + b">>>>>>> other\n",
    }
    special: dict[str, Callable[[], None]] = {
        "missing": path.unlink,
        "a folder": lambda: (path.unlink(), path.mkdir())[1],
        "a link to nowhere": lambda: (path.unlink(), path.symlink_to("nowhere"))[1],
        "a link to itself": lambda: (path.unlink(), path.symlink_to(path.name))[1],
    }
    how = luck.choice((*ways, "bits changed", "bits of its first 200 bytes changed", *special))
    if how in special:
        special[how]()
    else:
        path.write_bytes(ways[how]())
    return f"{path.name}: {how}"


def _flipped(luck: Luck, content: bytes, count: int, within: int | None = None) -> bytes:
    flipped = bytearray(content)
    for _ in range(count if content else 0):
        flipped[luck.randrange(min(within or len(content), len(content)))] ^= 1 << luck.randrange(8)
    return bytes(flipped)


# JSON


def _deep(levels: int) -> str:
    return "[" * levels + "]" * levels


def json_values(canaries: Path) -> list[Any]:
    """Return odd values for JSON."""
    numbers = [0, -1, 1, 2, 0.5, 1e308, -1e-320, float("nan"), float("inf"), 2**63, 10**30, 10**9]
    texts = ["", "x", "a\nb", "\0", "é", "\ud800", "x" * 300, "none", "null", "1", *payloads.TEXTS]
    others = [None, True, False, [], {}, [1], {"a": 1}, [[]], [None], {"": ""}, ["x", "x"], list(range(50))]
    return [*numbers, *texts, *others, *payloads.keras_objects(canaries)]


def _places(value: Any, path: tuple = ()) -> Iterator[tuple[Any, Any, str]]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key, ".".join(map(str, (*path, key)))
        yield from _places(value[key], (*path, key))


def change_json(luck: Luck, path: Path, canaries: Path) -> str:
    """Change one to three values or keys of a JSON file, seldom its bytes; return what was done."""
    if luck.random() < 0.2:
        return damage(luck, path, canaries)
    if luck.random() < 0.05:
        path.write_text(_deep(luck.choice((100, 5_000, 200_000))))
        return f"{path.name}: deep lists"
    document = json.loads(path.read_text(encoding="utf-8"))
    done = []
    for _ in range(luck.choice((1, 1, 2, 3))):
        places = list(_places(document))
        if not places or luck.random() < 0.03:
            document = luck.choice(json_values(canaries))
            done.append("another document")
            continue
        # Short lists of values first: a JSON file of a run is mostly numbers.
        above, key, where = luck.choice([each for each in places if isinstance(each[0], dict)] or places)
        value = above[key]
        way = luck.choice(("replace", "replace", "replace", "remove", "rename", "add", "nest", "twist"))
        if way == "remove":
            del above[key]
        elif way == "rename" and isinstance(above, dict):
            above[luck.choice((*payloads.TEXTS, "x", key + "s", key.upper(), ""))] = above.pop(key)
        elif way == "add" and isinstance(above, dict):
            above[luck.choice((*payloads.TEXTS, "x", "class_name", "__class__"))] = luck.choice(json_values(canaries))
        elif way == "nest":
            above[key] = luck.choice(([value], {"value": value}, str(value)))
        elif way == "twist" and isinstance(value, int | float):
            above[key] = luck.choice((-value, value + 1, value - 1, value * 1000, float(value), not value))
        elif way == "twist" and isinstance(value, list):
            above[key] = luck.choice((value[1:], value + value, value[::-1], value[:1]))
        else:
            above[key] = copy.deepcopy(luck.choice(json_values(canaries)))
        done.append(f"{where} {way}")
    path.write_text(json.dumps(document, indent=2), encoding="utf-8", errors="surrogatepass")
    return f"{path.name}: {'; '.join(done)}"


# Rows of text

CELLS = ("", " ", "nan", "NaN", "inf", "-inf", "1e400", "1e38", "-0", "1,5", '"', "'", "x", "TRUE", "1_000", "0x10")
CELLS += ("1e-320", "9" * 400, "2024-01-01", "12:30", "#N/A", "null", "\0", "é", "\u2028", "x" * 5000, "1 2", "½", "٣")
CELLS += ('"a\nb"', "\t", "1;2", "1.", ".5", "+1", "--1", "5%", "$5", "yes", "1", "0", "2", "-1", *payloads.TEXTS)


def change_rows(luck: Luck, path: Path, canaries: Path) -> str:
    """Change cells, columns or lines of a CSV file, seldom its bytes; return what was done."""
    if luck.random() < 0.15:
        return damage(luck, path, canaries)
    done = [_change_rows(luck, path) for _ in range(luck.choice((1, 1, 1, 2, 3)))]
    return f"{path.name}: {'; '.join(done)}"


WAYS = (
    *("cell", "cell", "cell", "name", "name", "column", "column", "share of a column", "ragged", "short"),
    *("line twice", "line out", "no column", "column twice", "swapped columns", "separator", "no header"),
    *("header twice", "encoding", "mark", "returns", "quotes", "blank lines", "few rows", "many columns", "text"),
    *("constant", "shuffled header", "many rows", "comment", "quote", "trailing commas", "index"),
)


def _change_rows(luck: Luck, path: Path) -> str:
    content = path.read_bytes()
    text = content.decode("utf-8", errors="surrogateescape")
    rows = [line.split(",") for line in text.split("\n")]
    row = luck.randrange(len(rows))
    column = luck.randrange(len(rows[0]))
    value = luck.choice(CELLS)
    how = luck.choice(WAYS)
    rows = _other_rows(how, rows, row, column, value, luck)
    encoded = "\n".join(",".join(each) for each in rows).encode("utf-8", errors="surrogateescape")
    path.write_bytes(_other_bytes(how, encoded, text, luck))
    return how


def _other_rows(how: str, rows: list[list[str]], row: int, column: int, value: str, luck: Luck) -> list[list[str]]:
    """Return the cells after a change; the same ones for a way that changes bytes."""
    in_column = [each for each in rows[1:] if column < len(each)]
    match how:
        case "cell":
            rows[row][min(column, len(rows[row]) - 1)] = value
        case "name":
            rows[0][column] = value
        case "column":
            for each in in_column:
                each[column] = value
        case "share of a column":
            for each in in_column[:: luck.choice((2, 3, 7))]:
                each[column] = value
        case "ragged":
            rows[row].append(value)
        case "short":
            rows[row] = rows[row][:-1]
        case "line twice":
            rows.insert(row, list(rows[row]))
        case "line out":
            del rows[row]
        case "no column":
            rows = [each[:column] + each[column + 1 :] for each in rows]
        case "column twice":
            rows = [[*each, *each[column : column + 1]] for each in rows]
        case "swapped columns":
            rows = [each[::-1] for each in rows]
        case "no header":
            rows = rows[1:]
        case "header twice":
            rows.insert(1, list(rows[0]))
        case "few rows":
            rows = rows[: luck.choice((1, 2, 3))]
        case "many columns":
            rows = [[*each, *(each[:1] * 500)] for each in rows]
            rows[0] = [f"c{number}" for number in range(len(rows[0]))]
        case "constant":
            rows = [rows[0], *([rows[1]] * 30)]
        case "shuffled header":
            luck.shuffle(rows[0])
        case "many rows":
            rows = [rows[0], *rows[1:] * 50]
        case "trailing commas":
            rows = [[*each, ""] for each in rows]
        case "index":
            rows = [[str(number - 1) if number else "", *each] for number, each in enumerate(rows)]
    return rows


def _other_bytes(how: str, encoded: bytes, text: str, luck: Luck) -> bytes:
    """Return the bytes after a change; the same ones for a way that changes cells."""
    match how:
        case "separator":
            encoded = encoded.replace(b",", luck.choice((b";", b"\t", b"|", b" ", b",,")))
        case "encoding":
            encoded = text.encode(luck.choice(("utf-16", "utf-32", "utf-16-le", "utf-7")), errors="replace")
        case "mark":
            encoded = b"\xef\xbb\xbf" + encoded
        case "returns":
            encoded = encoded.replace(b"\n", luck.choice((b"\r\n", b"\r", b"\n\r")))
        case "quotes":
            encoded = b"\n".join(
                b",".join(b'"%s"' % cell for cell in line.split(b",")) for line in encoded.split(b"\n")
            )
        case "blank lines":
            encoded = encoded.replace(b"\n", b"\n\n")
        case "comment":
            encoded = b"# a comment\n" + encoded
        case "quote":
            place = luck.randrange(len(encoded) or 1)
            encoded = encoded[:place] + b'"' + encoded[place:]
        case "text":
            place = luck.randrange(len(encoded) or 1)
            encoded = encoded[:place] + luck.choice((b"\0", b"\xff", b"\n", b",", b"\x1a", b"\r")) + encoded[place:]
    return encoded


# Arrays


def change_arrays(luck: Luck, path: Path, canaries: Path) -> str:
    """Change arrays of an npz file, seldom its bytes; return what was done."""
    if luck.random() < 0.25:
        return damage(luck, path, canaries)
    with np.load(path) as file:
        arrays = dict(file)
    done = []
    for _ in range(luck.choice((1, 1, 2))):
        name = luck.choice(sorted(arrays))
        how, changed = changed_array(luck, arrays[name])
        if how in ("without it", "renamed"):
            array = arrays.pop(name)
            if how == "renamed":
                arrays[luck.choice((name.upper(), "../up", "x" * 300, "", *payloads.TEXTS[:3]))] = array
        else:
            arrays[name] = changed
        done.append(f"{name} {how}")
        if not arrays:
            break
    special = luck.random()
    if special < 0.25:
        how, content = _odd_archive(luck, arrays, canaries)
        path.write_bytes(content)
        return f"{path.name}: {'; '.join(done)}; {how}"
    with suppress(ValueError), path.open("wb") as file:
        (np.savez if luck.random() < 0.7 else np.savez_compressed)(file, **arrays)
    return f"{path.name}: {'; '.join(done)}"


def changed_array(luck: Luck, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Return what was done, and the array with another type, shape or values."""
    types = ("float16", "float64", "int8", "int64", "uint64", "bool", "complex64", "U5", "S3", "datetime64[s]", ">f4")
    ways: dict[str, Callable[[], np.ndarray]] = {
        **{f"as {each}": (lambda each=each: array.astype(each)) for each in types},
        "with NaN": lambda: _with(luck, array, np.nan),
        "with infinity": lambda: _with(luck, array, np.inf),
        "huge": lambda: array.astype(np.float64) * 1e300,
        "all NaN": lambda: np.full(array.shape, np.nan),
        "all zeros": lambda: np.zeros_like(array),
        "a number": lambda: np.array(luck.choice((0, 1.5, 7))),
        "empty": lambda: array[:0],
        "one": lambda: array[:1],
        "shorter": lambda: array[: max(1, len(array) // 2)] if array.ndim else array,
        "twice as long": lambda: np.concatenate([array, array]) if array.ndim else array,
        "one axis more": lambda: array[..., None],
        "one axis in front": lambda: array[None],
        "flat": lambda: array.reshape(-1),
        "turned": lambda: array.T,
        "three axes more": lambda: array[..., None, None, None],
        "columns of Fortran": lambda: np.asfortranarray(array),
        "without columns": lambda: array.reshape(len(array), -1)[:, :0] if array.ndim else array,
        "fields": lambda: np.zeros(max(1, array.size), [("a", "f4"), ("b", "U3")]),
        "texts": lambda: np.array([luck.choice(payloads.TEXTS) for _ in range(max(1, len(np.atleast_1d(array))))]),
        "times": lambda: np.arange(max(1, array.size)).astype("timedelta64[D]"),
    }
    how = luck.choice((*ways, "with NaN", "with infinity", "without it", "renamed"))
    if how not in ways:
        return how, array
    try:
        with np.errstate(all="ignore"):
            return how, ways[how]()
    except (TypeError, ValueError, IndexError, OverflowError):
        return "a number", np.array(1)


def _with(luck: Luck, array: np.ndarray, value: float) -> np.ndarray:
    changed = np.array(array, np.float64)
    changed.reshape(-1)[luck.randrange(changed.size or 1)] = value
    return changed


def _odd_archive(luck: Luck, arrays: dict[str, np.ndarray], canaries: Path) -> tuple[str, bytes]:
    entries = {f"{name}__npy": _npy(array) for name, array in arrays.items()}
    first = next(iter(entries), "x__npy")
    forged = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    code = payloads.statement(canaries, "header")
    ways: dict[str, Callable[[], bytes]] = {
        "objects in an array": lambda: payloads.archive(**{**entries, first: payloads.array_of_objects(canaries)}),
        "a pickle as an array": lambda: payloads.archive(**{**entries, first: payloads.pickled(canaries)}),
        "a pickle beside": lambda: payloads.archive(**entries, data__pkl=payloads.pickled(canaries)),
        "code in a header": lambda: payloads.archive(
            **{**entries, first: forged + f"{{'descr': {code}, 'fortran_order': False, 'shape': (1,)}}".encode()}
        ),
        "a shape without end": lambda: payloads.archive(
            **{
                **entries,
                first: forged
                + "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 1000)}".ljust(117).encode()
                + b"\n",
            }
        ),
        "a negative shape": lambda: payloads.archive(
            **{
                **entries,
                first: forged
                + "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2)}".ljust(117).encode()
                + b"\n",
            }
        ),
        "paths above": lambda: payloads.archive(**{"../../up__npy": entries.get(first, b"")}),
        "a cut entry": lambda: payloads.archive(**{**entries, first: entries.get(first, b"xx")[:-7]}),
        "no arrays": lambda: payloads.archive(),
        "a bare array": lambda: _npy(next(iter(arrays.values()), np.zeros(1))),
        "an archive in it": lambda: payloads.archive(**{first: payloads.archive(**entries)}),
    }
    how = luck.choice(list(ways))
    return how, ways[how]()


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


def replace_file(path: Path, content: bytes | str) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(content.encode("utf-8", errors="surrogateescape") if isinstance(content, str) else content)
    os.utime(path)
