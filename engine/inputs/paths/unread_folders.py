"""A folder without files of a known kind → what is to be done with those that it has, if they may be texts."""

import json
import re
import shlex
from pathlib import Path

from engine.inputs.paths.other_kinds import way_to_read

_README = re.compile(r"README|LICEN[SC]E|NOTICE|CHANGELOG|CITATION", re.IGNORECASE)
_PAGES = (".md", ".rst")
_MOST_FILES = 20
_OF_TEXT = (" rows.txt", " rows.csv")  # a comma or two in each line are no table yet
_FRONT_MATTER = (
    'import json, pathlib, re, yaml; [print(json.dumps({{"id": p.stem, **(yaml.safe_load(h) or {{}}), '
    '"text": t.strip()}}, default=str)) for p in sorted(pathlib.Path({folder}).rglob({pages})) '
    'for s in [p.read_text(encoding="utf-8")] if s.startswith("---") '
    r'for _, h, t in [re.split(r"(?m)^---\s*$", s, maxsplit=2)]]'
)


def no_files(folder: str) -> str:
    """An error: ``folder`` has no files, or none but those that stand beside data, as pages of Markdown."""
    pages = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.suffix.lower() in _PAGES)
    pages = [path for path in pages if not _README.match(path.name)]
    if not pages:
        return (
            f"{folder} is an empty folder, or has only files that are passed over as files beside data; "
            "name the folder or the files that have the rows"
        )
    words = f"{folder} has no file of a known kind, but {len(pages):,} of Markdown ({pages[0].relative_to(folder)})"
    with pages[0].open("rb") as source:
        is_headed = source.read(4) in (b"---\n", b"---\r")
    if not is_headed:
        program = f"find {shlex.quote(folder)} -type f -name '*{pages[0].suffix}' -exec mv {{}} {{}}.txt \\;"
        return f"{words}. To read each as a text, rename them: {program} and pass --whole-files"
    code = _FRONT_MATTER.format(folder=json.dumps(folder), pages=json.dumps(f"*{pages[0].suffix}"))
    return f"{words}. To make each a row, with what stands in its head: python -c {shlex.quote(code)} > rows.jsonl"


def way_of_all(files: list[str], folder: str, *, are_alike: bool) -> str:
    """How the files of ``folder``, of unknown kinds, are made such that are read; the end of a message, or empty.

    Args:
        files: their paths.
        folder: that holds them.
        are_alike: whether all are called alike, and so the first is taken for all.
    """
    if not are_alike:
        return _way_of_classes(files)
    suffix, way = Path(files[0]).suffix, way_to_read(files[0])
    if way is None:
        return ""
    if not (renamed := re.fullmatch(r".*: cp .* rows(\.\w+)", way)):
        return f"; for each of its files, as {Path(files[0]).relative_to(folder)}: {way}"
    names = f"-name {shlex.quote('*' + suffix)}" if suffix else "! -name '*.*' ! -name '_*'"
    program = f"find {shlex.quote(folder)} -type f {names} -exec mv {{}} {{}}{renamed[1]} \\;"
    return f"; give its files names that say what they are: {program}"


def _way_of_classes(files: list[str]) -> str:
    """How ``files`` of texts, whose endings are their classes, become rows, as ``rt-polarity.neg``; empty if not known.

    The endings are few, and each is of text: a line a text.
    """
    endings = {Path(file).suffix for file in files}
    ways = [way_to_read(file) or "" for file in files]
    if "" in endings or len(files) > _MOST_FILES or not all(way.endswith(_OF_TEXT) for way in ways):
        return ""
    row = '{"text": text, "label": file.rpartition(".")[2]}'
    code = (
        f"import json; [print(json.dumps({row})) for file in {json.dumps(files)} "
        'for data in [open(file, "rb").read()] for utf8 in [data.decode("utf-8-sig", "replace")] '
        'for lines in [data.decode("cp1252", "replace") if chr(65533) in utf8 else utf8] '
        'for line in lines.split("\\n") for text in [line.removesuffix("\\r")] if text.strip()]'
    )
    return f"; if their endings are the classes of the texts, one a line: python3 -c {shlex.quote(code)} > rows.jsonl"
