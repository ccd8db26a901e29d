"""A folder → the files of the data set that it holds, in their order.

Hidden files and what programs leave beside data are passed over. A folder whose files are not one data set is refused
with the paths that are: tables of which only some files hold rows, splits, files of several kinds.
"""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.inputs.paths.beside_data import BESIDE, listed
from engine.inputs.paths.file_kinds import COMPRESSIONS, KINDS, is_marker, kind_of_file
from engine.inputs.paths.unread_folders import no_files, way_of_all

_SPLIT = re.compile(
    r"(?:^|.*[-_. ]|\w*(?:split|set|fold|partition)=)"
    r"(?:(train|test|eval)(?:ing|set|data)?|(validation|valid|val|dev|hold[-_]?out|held[-_]?out|unsupervised|unsup))"
    r"\d*(?=[-_. ]|$)",
    re.IGNORECASE,
)
_JSON_LINES = (".jsonl", ".ndjson")
_SETTINGS = (".json", ".txt")  # a model has its settings and its vocabulary in such files
_OF_MODEL = "config.json"
_NO_ENDING = "without an ending"


def files_of(folder: str) -> list[str]:
    """The files of the data set in ``folder``, by name, those of its own folders too.

    Raises:
        InputError: there is none, or they are not one data set.
    """
    folder = folder.rstrip("/") or "/"
    try:
        files = list(_walk(folder, set()))
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    kinds: dict[str, list[str]] = {}
    for file in files:
        kinds.setdefault(kind_of_file(file) or Path(file).suffix.lower() or _NO_ENDING, []).append(file)
    known = [name for name in kinds if name in KINDS.values()]
    if not known:
        if not files:
            raise InputError(no_files(folder))
        way = way_of_all(files, folder, are_alike=len(kinds) == 1)
        raise InputError(f"{folder} has no file of a known kind; known are {' '.join(KINDS)}{way}")
    if len(kinds) > 1:
        counts = ", ".join(f"{len(some):,} {kind} ({_below(some[0], folder)})" for kind, some in kinds.items())
        likely = _likely([file for name in known for file in kinds[name]], folder)
        raise InputError(
            f"{folder} has files of several kinds: {counts}. Name those that are to be read, for example {likely}"
        )
    _refuse_splits(files, folder)
    return files


def _likely(files: list[str], folder: str) -> str:
    """Which of ``files`` of several kinds may be the data: those nearest to ``folder`` that are no settings."""
    depth = {file: len(Path(file).relative_to(folder).parts) for file in files}
    rank = {file: (depth[file], Path(file).suffix.lower() in _SETTINGS) for file in files}
    first = min(rank.values())
    some = [file for file in files if rank[file] == first]
    suffixes = [Path(file).suffix for file in some]
    likely = max(some, key=lambda file: suffixes.count(Path(file).suffix))
    alike = [file for file in files if Path(file).suffix == Path(likely).suffix]
    models = {Path(file).parent for file in files if Path(file).name == _OF_MODEL}
    data = [file for file in alike if models.isdisjoint(Path(file).parents)]
    if len(data or alike) == 1:
        return shlex.quote(likely)
    glob = _glob(likely, folder)
    return f"'{glob if len(data) == len(alike) else glob.replace('/**/', '/')}'"


def _below(file: str, folder: str) -> str:
    return str(Path(file).relative_to(folder))


def _glob(file: str, folder: str, prefix: str = "") -> str:
    """A glob of the files in ``folder`` that are called as ``file`` is."""
    name = Path(file).name
    return f"{folder}/**/{prefix}*{name[name.index('.') :] if name.count('.') == 1 else Path(name).suffix}"


def _walk(folder: str, seen: set[str]) -> Iterator[str]:
    place = str(Path(folder).resolve())
    if place in seen:  # a link to a folder above
        return
    seen.add(place)
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    _refuse_table_formats(folder, names)
    if {"state.json", "dataset_info.json"} <= names:
        yield from _saved_files(folder)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not entry.name.startswith("_") or "=" in entry.name:
                yield from _walk(entry.path, seen)
        elif not is_marker(entry.name) and not BESIDE.fullmatch(entry.name):
            yield entry.path


def _refuse_table_formats(folder: str, names: set[str]) -> None:
    """Refuse the folder of a table that is more than its files."""
    if "dataset_dict.json" in names:
        splits = [f"{folder}/{name}" for name in _read_object(folder, "dataset_dict.json").get("splits") or []]
        raise InputError(f"{folder} holds splits of a Hugging Face data set: give one of {listed(splits)}")
    is_iceberg = "metadata" in names and any(Path(folder, "metadata").glob("*.metadata.json"))
    is_lance = {"_versions", "data"} <= names
    formats = {
        "Delta Lake": "_delta_log" in names,
        "Hudi": ".hoodie" in names,
        "Iceberg": is_iceberg,
        "Lance": is_lance,
    }
    for name, is_it in formats.items():
        if is_it:
            raise InputError(
                f"{folder} is a {name} table, whose files also hold rows that were deleted or replaced: write what "
                "it holds now as Parquet into another folder"
            )


def _saved_files(folder: str) -> Iterator[str]:
    """The files of a data set that Hugging Face's ``save_to_disk`` wrote."""
    state = _read_object(folder, "state.json")
    files = [one.get("filename") for one in state.get("_data_files") or [] if isinstance(one, dict)]
    if not files or not all(isinstance(file, str) for file in files):
        raise InputError(f"{folder}/state.json names no files of a data set; save it again with save_to_disk")
    if state.get("_indices_data_files"):
        raise InputError(f"{folder} holds rows in an order of their own: call flatten_indices() and save it again")
    yield from (f"{folder}/{file}" for file in files)


def _read_object(folder: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(folder, name).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}/{name} cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}


def _refuse_splits(files: list[str], folder: str) -> None:
    """Refuse splits that are for different uses, such as train and test, whether folders or files are called so."""
    splits: dict[str, str] = {}
    for file in files:
        parts = Path(file).relative_to(folder).parts
        for number, name in enumerate(parts, start=1):
            if split := _SPLIT.match(name):
                place = f"{folder}/{'/'.join(parts[:number])}"
                way = shlex.quote(place) if number < len(parts) else f"'{_glob(file, folder, split[0])}'"
                splits.setdefault((split[1] or split[2]).lower(), way)
                break
    if len(splits) > 1:
        raise InputError(
            f"{folder} holds the splits {listed(list(splits))}: give one, as {next(iter(splits.values()))}, "
            f"or all of them as '{_glob(files[0], folder)}'"
        )


def refuse_packed_twice(files: list[str]) -> None:
    """Refuse files that a folder or a glob gave, of which one seems to be another's rows in another form.

    Raises:
        InputError: two are, as ``rows.csv`` and ``rows.csv.gz``.
    """
    seen: dict[str, str] = {}
    for file in files:
        path = Path(file)
        plain = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
        rows = str(plain.with_suffix(".json") if plain.suffix.lower() in _JSON_LINES else plain)
        if rows in seen:
            raise InputError(f"{seen[rows]} and {file} seem to be the same rows; name the one that is to be read")
        seen[rows] = file
