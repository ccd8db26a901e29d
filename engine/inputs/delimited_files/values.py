r"""Values of a column as they are written → as they are meant: ``="…"`` of a spreadsheet, and words for no text.

What a file does is judged by its first rows, since a text may be any of these.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.inputs.delimited_files.dialect import Dialect

NULL = "\\N"
_R_NULL = "NA"
_SEEN, _CHECKED = 3, 100
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_ESCAPES = ("\\n", "\\t", "\\'")

Values = Sequence[str | None]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How values are written.

    Attributes:
        texts: the places of the columns of texts.
        formulas: places of the columns whose values stand in ``="…"``, which keeps a spreadsheet from changing them.
        nulls: what stands for no text.
        escapes: backslashes may stand for line ends, tabs and apostrophes, which are read as they are.
    """

    texts: tuple[int, ...]
    formulas: tuple[int, ...]
    nulls: tuple[str, ...]
    escapes: bool

    @classmethod
    def of(
        cls, rows: Sequence[Sequence[str]], lines: Sequence[str], places: tuple[int, ...], dialect: Dialect
    ) -> "Writing":
        """That of a file.

        Args:
            rows: its first ones, without the header.
            lines: the same, as they are.
            places: of the columns of texts.
            dialect: of the file.
        """
        rows = [row for row in rows if row]
        first = [row for row in rows[:_CHECKED] if len(row) == len(rows[0])]
        formulas = (place for place, values in enumerate(zip(*first, strict=True)) if _are_formulas(values))
        texts = [row[place] for place in places for row in rows if len(row) > place]
        r_null = _R_NULL in texts and _is_bare(texts, "".join(lines), dialect)
        escapes = dialect.delimiter == "\t" and not dialect.quote and _has_escape("\n".join(texts))
        nulls = (NULL, _R_NULL) if r_null else (NULL,)
        return cls(texts=places, formulas=tuple(formulas), nulls=nulls, escapes=escapes)

    def meant(self, columns: list[Values]) -> list[Values]:
        """All ``columns`` of some rows: what stands inside of ``="…"``, and None for no text."""
        for place in self.formulas:
            columns[place] = [value and _inside(value) for value in columns[place]]
        for place in self.texts:
            if any(null in columns[place] for null in self.nulls):
                columns[place] = [None if value in self.nulls else value for value in columns[place]]
        return columns


def _are_formulas(values: Sequence[str]) -> bool:
    return any(values) and all(_FORMULA.fullmatch(value) for value in values if value)


def _inside(value: str) -> str:
    found = _FORMULA.fullmatch(value)
    return found[1].replace('""', '"') if found else value


def _has_escape(text: str) -> bool:
    return any(escape in text for escape in _ESCAPES)


def _is_bare(texts: Sequence[str], content: str, dialect: Dialect) -> bool:
    """Whether `_R_NULL` has no quotation marks around it and all other texts have, as where R writes them."""
    mark = dialect.quote
    others = [text for text in texts if text and text != _R_NULL]
    if not mark or len(others) < _SEEN or f"{mark}{_R_NULL}{mark}" in content:
        return False
    return all(f"{mark}{text.replace(mark, mark * 2)}{mark}" in content for text in others[:_CHECKED])
