"""A file of texts, one a line → the file beside it that has their labels, one a line, and a command that joins both."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from engine.errors import InputError
from engine.inputs.delimited_files.first_rows import is_label

_WORDS = ("label", "target", "polarity", "class", "gold")
_OF_TEXTS, _OF_LABELS = ("", ".txt", ".text"), (".labels", ".label", ".lab", ".cls", ".tgt")
_LOOKED_AT, _MOST_CLASSES, _MOST_BESIDE = 1000, 200, 100
_PIECE = 1 << 20


def labels_beside(file: str) -> str | None:
    """The file of labels for the lines of ``file``, in the same folder: its name says so, and it has as many lines."""
    return _labels_among(Path(file).parent.glob("*"), Path(file))


def joined(file: str, labels: str) -> str:
    """A command that writes the lines of ``file``, each behind its label."""
    returns = r" | tr -d '\r'" if _has(b"\r", file) or _has(b"\r", labels) else ""
    ours, theirs = shlex.quote(file), shlex.quote(labels)
    if _has(b"\t", file):
        return rf"tr '\t' ' ' < {ours} | paste {theirs} -{returns} > labelled.txt"
    return f"paste {theirs} {ours}{returns} > labelled.txt"


def refuse_label_lines(files: Sequence[str]) -> None:
    """Refuse files that a folder or a glob gave, of which one has the labels of another's lines.

    Raises:
        InputError: one has.
    """
    called = [path for path in map(Path, files) if _is_called_labels(path)][:_MOST_BESIDE]
    for file in files if called else ():
        if labels := _labels_among((path for path in called if path.parent == Path(file).parent), Path(file)):
            raise InputError(
                f"{labels} has a label for each line of {file}: put both together: {joined(file, labels)}; or give "
                f"{shlex.quote(file)} by itself if the labels are not wanted"
            )


def _labels_among(beside: Iterable[Path], texts: Path) -> str | None:
    if texts.suffix.lower() not in _OF_TEXTS or _is_called_labels(texts):
        return None
    called = [path for path in beside if _is_called_labels(path) and path.is_file()]
    called.sort(key=lambda path: (not _are_alike(texts, path), path.name))
    return next((str(path) for path in called[:_MOST_BESIDE] if _has_label_for_each(path, texts)), None)


def _is_called_labels(path: Path) -> bool:
    suffix, name = path.suffix.lower(), path.name.lower()
    return suffix in _OF_LABELS or (suffix in _OF_TEXTS and any(word in name for word in _WORDS))


def _are_alike(one: Path, other: Path) -> bool:
    """Whether names begin alike, as ``train_text.txt`` and ``train_labels.txt``."""
    return one.name[:3].lower() == other.name[:3].lower()


def _has_label_for_each(labels: Path, texts: Path) -> bool:
    try:
        with labels.open(encoding="utf-8", errors="replace") as lines:
            first = [line.strip() for line in islice(lines, _LOOKED_AT)]
        return is_label(first, most=_MOST_CLASSES) and all(first) and _count(labels) == _count(texts)
    except OSError:
        return False


def _count(path: Path) -> int:
    """Number of lines; the last one may have no end."""
    lines, last = 0, b"\n"
    with path.open("rb") as source:
        while piece := source.read(_PIECE):
            lines, last = lines + piece.count(b"\n"), piece[-1:]
    return lines + (last != b"\n")


def _has(character: bytes, file: str) -> bool:
    with Path(file).open("rb") as source:
        return any(character in piece for piece in iter(lambda: source.read(_PIECE), b""))
