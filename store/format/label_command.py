"""A family that lacks shards → the command that makes them, as it is pasted into a shell.

What a label set was made with is in its card, and the command of a run that reads inputs is in its notes.
"""

import csv
import io
import shlex
from collections.abc import Iterable
from typing import Any

from store.format.json_file import Value, frozen
from store.format.names import CARD, LABELS, TOKENS
from store.format.run_log import read_runs
from store.storage import Storage

MODEL = "MODEL"
"""Stands where nobody knows the teacher."""
_READING = {
    "delimiter": "--delimiter",
    "quote": "--quote",
    "encoding": "--encoding",
    "names": "--columns",
    "label_map": "--label-map",
}
_PLAIN = {"delimiter": ",", "quote": '"', "encoding": "utf-8"}
"""What is found without being said."""
_MOST_FILES = 20


def label_command(storage: Storage, path: str, *, card: Value | None = None) -> str:
    """The command that makes the shards that the family at ``path`` lacks, with `MODEL` for a teacher nobody knows.

    Args:
        storage: of the store.
        path: of the family.
        card: of the family, if it is known and may be gone; else it is read.

    Raises:
        DamageError: a card is damaged.
    """
    kind, _, name = path.partition("/")
    if kind == LABELS:
        return shlex.join(_of_label_set(storage, name, card or _card(storage, path)))
    if kind == TOKENS:
        maker = next((one for one in _made_by_teachers(storage) if one[1].get("encoding") == name), None)
        return shlex.join(_of_label_set(storage, *maker) if maker else new_labels(storage.location))
    noted = [run["again"] for run in read_runs(storage) if "stage" in run and "again" in run]
    if noted:
        return noted[-1]
    model = next((card["model"] for _, card in _made_by_teachers(storage)), MODEL)
    return shlex.join(new_labels(storage.location, model))


def new_labels(location: str, model: str = MODEL) -> list[str]:
    """The command with which ``model`` labels the store at ``location``, in words of a shell."""
    return ["engine", "label", "--store", location, "--teacher", model]


def answers_command(location: str, name: str, card: Value) -> str:
    """The command that makes the label set ``name`` from the answers that ``card``, as of answers, names."""
    files = card["files"]
    words = ["engine", "label", "--store", location, "--name", name]
    paths = [file["path"] for file in files]
    if len(paths) > _MOST_FILES:  # to be put in by who runs it
        paths = [f"EACH OF ITS {len(paths):,} FILES, AS {paths[0]}"]
    words += [word for path in paths for word in ("--from", path)]
    columns, options = _same(file["columns"] for file in files), _same(file.get("options", {}) for file in files)
    for column in ("id", "label", "confidence", "annotator"):
        words += [f"--{column}", columns[column]] if columns.get(column) else []
    words += ["--scores", card["scores"]] if card.get("hard") is None else ["--hard", f"{card['hard']:g}"]
    return shlex.join(words + reading_words(options))


def reading_words(options: dict[str, Any]) -> list[str]:
    r"""How files are read, in words of a shell: ``{"delimiter": ";", "quote": ""}`` → ``--delimiter ; --quote none``.

    Args:
        options: as cards and headers keep them; without those of a plain CSV file, if it is one.
    """
    is_plain = all(options.get(name, value) == value for name, value in _PLAIN.items())
    words = ["--whole-files"] if options.get("whole_files") else []
    for name, flag in _READING.items():
        value = options.get(name)
        if value is None or value == [] or (is_plain and name in _PLAIN):
            continue
        if name == "label_map":
            value = ["=".join([label.replace("=", "\\="), class_]) for label, class_ in value]
        words += [flag, csv_line(value) if isinstance(value, list | tuple) else _character(value)]
    return words


def csv_line(names: Iterable[str]) -> str:
    """``names`` as one line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def _character(value: str) -> str:
    """A delimiter or quotation mark as a user says it."""
    if not value or value == "\t":
        return "tab" if value else "none"
    return value if value.isprintable() else f"\\x{ord(value[0]):02x}"


def _of_label_set(storage: Storage, name: str, card: Value | None) -> list[str]:
    if card is None:
        return [*new_labels(storage.location), "--name", name]
    if card.get("answers"):
        return shlex.split(answers_command(storage.location, name, card["answers"]))
    words = new_labels(storage.location, card.get("model") or MODEL)
    words += ["--revision", card["revision"]] if card.get("revision") else []
    words += ["--name", name]
    words += ["--devices", "cpu"] if card.get("device") == "cpu" else []
    has_data = any(one.endswith(".arrow") for one in storage.list(f"{LABELS}/{name}"))
    keeps_tokens = not has_data or storage.list(f"{TOKENS}/{card.get('encoding')}")
    return words if keeps_tokens else [*words, "--no-keep-tokens"]


def _made_by_teachers(storage: Storage) -> list[tuple[str, Value]]:
    """Names and cards of the label sets of which the teacher is known."""
    cards = ((name, _card(storage, f"{LABELS}/{name}")) for name in storage.list(LABELS))
    return [(name, card) for name, card in cards if card is not None and card.get("model")]


def _card(storage: Storage, path: str) -> Value | None:
    return frozen(storage, f"{path}/{CARD}")


def _same(several: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What all of ``several`` say."""
    first, *others = several
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}
