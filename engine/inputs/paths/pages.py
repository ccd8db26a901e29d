"""A folder without data → what is to be done, if it holds pages of Markdown that may be texts."""

import json
import re
import shlex
from pathlib import Path

_README = re.compile(r"README|LICEN[SC]E|NOTICE|CHANGELOG|CITATION", re.IGNORECASE)
_PAGES = (".md", ".rst")
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
        return f"{folder} is an empty folder, or has only files that are passed over as files beside data"
    words = f"{folder} has no file of a known kind, but {len(pages):,} of Markdown ({pages[0].relative_to(folder)})"
    with pages[0].open("rb") as source:
        is_headed = source.read(4) in (b"---\n", b"---\r")
    if not is_headed:
        program = f"find {shlex.quote(folder)} -type f -name '*{pages[0].suffix}' -exec mv {{}} {{}}.txt \\;"
        return f"{words}. To read each as a text, rename them: {program} and pass --whole-files"
    code = _FRONT_MATTER.format(folder=json.dumps(folder), pages=json.dumps(f"*{pages[0].suffix}"))
    return f"{words}. To make each a row, with what stands in its head: python -c {shlex.quote(code)} > rows.jsonl"
