"""Names of several files that tell classes, as ``positive.csv`` and ``negative.csv`` → how they are read as labels."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from engine.inputs.text_files.labels_in_lines import LABEL_WORDS

_MOST_NAMED = 20
_UNLABELLED = re.compile(r"unsup(ervised)?|unlabell?ed|no_?label", re.IGNORECASE)


def way_of_class_files(files: Sequence[str], classes: Sequence[str], *, with_others: bool = False) -> str | None:
    """How ``files`` of one folder, each called as a class, are put into folders that name their labels.

    Args:
        files: all that are read together.
        classes: the class names that are known; ordinary ones are looked for if there are none.
        with_others: whether files without a label are read, too.

    Returns:
        None if the files are not called so.
    """
    if way := _way_of_class_folders(files, classes, with_others=with_others):
        return way
    folders = {str(Path(file).parent) for file in files}
    labels = {file: _label_of(Path(file).name, classes) for file in files}
    if len(files) > _MOST_NAMED or len(folders) > 1 or None in labels.values() or len(set(labels.values())) < 2:
        return None
    folder = Path(folders.pop())
    targets = {str(label): str(folder / f"label={label}") for label in labels.values()}
    moves = [
        " ".join(["mv", *(shlex.quote(file) for file in files if labels[file] == label), f"{shlex.quote(target)}/"])
        for label, target in targets.items()
    ]
    words = " && ".join([" ".join(["mkdir -p", *map(shlex.quote, targets.values())]), *moves])
    return (
        f"the files are called as classes; to make their names the labels, move them: {words}; then read "
        + " ".join(map(shlex.quote, targets.values()))
    )


def _way_of_class_folders(files: Sequence[str], classes: Sequence[str], *, with_others: bool) -> str | None:
    """The same where each file is in a folder that is called as a class, as in ``pos`` and ``neg`` of ``train``.

    Beside them may be one of texts without labels, as IMDb's ``unsup``; ``with_others`` if it is to be read as well.
    """
    every = sorted({Path(file).parent for file in files})
    others = [folder for folder in every if _UNLABELLED.fullmatch(folder.name)]
    folders = [folder for folder in every if folder not in others]
    labels = {folder: _label_of(folder.name, classes) for folder in folders}
    are_named = None not in labels.values() and len({*labels.values()}) == len(folders) > 1
    if not are_named or len({folder.parent for folder in every}) > 1 or any("=" in one.name for one in folders):
        return None
    targets = {folder: folder.parent / f"label={labels[folder]}" for folder in folders}
    words = " && ".join(f"mv {shlex.quote(str(one))} {shlex.quote(str(target))}" for one, target in targets.items())
    read = [folders[0].parent] if not others else [*targets.values(), *(others if with_others else [])]
    return (
        f"the folders are called as classes; to make their names the labels, rename them: {words}; then read "
        + " ".join(shlex.quote(str(path)) for path in read)
    )


def class_files_notes(files: Sequence[str], classes: Sequence[str]) -> list[str]:
    """A note on ``files`` without labels whose names are those of classes; arguments as of `way_of_class_files`."""
    way = way_of_class_files(files, classes, with_others=True)
    return [] if way is None else [f"no labels are read, and {way}"]


def _label_of(name: str, classes: Sequence[str]) -> str | None:
    """The class in the ``name`` of a file, the longest if there are several; None if there is none."""
    plain = _plain(name)
    words = {_plain(word): word for word in (*classes, *LABEL_WORDS)}
    found = [word for word in words if word and re.search(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])", plain)]
    if not found:
        return None
    longest = words[max(found, key=len)]
    meant = [class_ for class_ in classes if _plain(class_).startswith(_plain(longest))]
    return meant[0] if longest not in classes and len(meant) == 1 else longest


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")
