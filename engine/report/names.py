"""Texts of users → what a page can show of them: cut, and with what cannot be seen made visible."""

import unicodedata
from collections import Counter

_LONGEST_NAME = 60
_SPACES = "\t\n\r"


def visible(text: str) -> str:
    """``text`` with a sign for each character that has no look of its own: ␀ for NUL, ⍰ for a change of direction."""
    return "".join(_sign(char) if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in text)


def _sign(char: str) -> str:
    """Control pictures of Unicode; joiners stay, which emoji and some scripts need."""
    if char in _SPACES or char in "\u200c\u200d":
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\u2370"


def short(name: str) -> str:
    """``name``, of which at most 60 characters are shown."""
    seen = " ".join(visible(name).split()) or "(blank)"
    return seen if len(seen) <= _LONGEST_NAME else f"{seen[: _LONGEST_NAME - 1]}…"


def different(names: list[str]) -> list[str]:
    """Each name as it is shown; a number stands behind those that would look the same."""
    shown = [short(name) for name in names]
    times = Counter(shown)
    return [name if times[name] == 1 else f"{name} #{number}" for number, name in enumerate(shown, start=1)]
