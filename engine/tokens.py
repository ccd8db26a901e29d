"""Text → flat token ids + offsets, for one encoding: a tokenizer, a maximum length and a truncation side.

Knows tokenizers and numpy. No Python list of rows leaves this module, and no tensor is made here.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from engine.errors import ModelError

_CHARACTERS_PER_TOKEN = 8
_SLACK_TOKENS = 16
_ENCODE_ROWS = 512
_WHITE_SPACE = re.compile(r"\s")


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token ids of many texts, one after the other.

    Attributes:
        ids: (tokens,) uint16 or uint32, special tokens included.
        offsets: (rows + 1,) int64; row i is ``ids[offsets[i]:offsets[i + 1]]``.
        truncated: (rows,) bool, whether the text had more tokens than the maximum length.
    """

    ids: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(rows,) tokens of each row."""
        return np.diff(self.offsets)

    def row(self, row: int) -> npt.NDArray[Any]:
        """Token ids of one row."""
        ids: npt.NDArray[Any] = self.ids[self.offsets[row] : self.offsets[row + 1]]
        return ids


class Encoding:
    """One way to turn texts into token ids.

    Args:
        tokenizer: the fast tokenizer; its own truncation and padding are not used.
        max_length: tokens a row at most, special ones included.
        side: which end of a long text is cut: ``right`` or ``left``.

    Attributes:
        fingerprint: sha256 of what decides the ids: the tokenizer (without its truncation and padding, which use
            changes), the maximum length and the side.
        name: of the token family that holds such ids: the kind of tokenizer, the maximum length, 8 digits.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, side: str = "right") -> None:
        self._tokenizer = Tokenizer.from_str(_without_use(tokenizer.to_str()))
        self.max_length = max_length
        self.side = side
        self.vocab_size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self._prefix, self._suffix = _special_tokens(self._tokenizer)
        if max_length <= len(self._prefix) + len(self._suffix):
            raise ModelError(f"--max-length is {max_length}; it must leave room beside the special tokens")
        canonical = json.dumps(json.loads(self._tokenizer.to_str()), sort_keys=True)
        identity = f"{canonical}\n{max_length}\n{side}"
        self.fingerprint = hashlib.sha256(identity.encode()).hexdigest()
        kind = json.loads(canonical)["model"]["type"].lower()
        self.name = f"{kind}-{max_length}-{self.fingerprint[:8]}"

    @property
    def dtype(self) -> type[np.uint16] | type[np.uint32]:
        """Of the ids."""
        return np.uint16 if self.vocab_size <= 1 << 16 else np.uint32

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Token ids of ``texts``, in their order."""
        parts: list[npt.NDArray[Any]] = []
        lengths: list[int] = []
        truncated: list[bool] = []
        for start in range(0, len(texts), _ENCODE_ROWS):
            rows, cut = self._encode_some(texts[start : start + _ENCODE_ROWS])
            lengths += map(len, rows)
            parts.append(np.fromiter(chain.from_iterable(rows), self.dtype, count=sum(map(len, rows))))
            truncated += cut
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        ids = np.concatenate([np.empty(0, self.dtype), *parts])
        return Tokens(ids=ids, offsets=offsets, truncated=np.array(truncated, np.bool_))

    def _encode_some(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        room = self.max_length - len(self._prefix) - len(self._suffix)
        rows, cut = [], []
        for ids in self._bare_ids(texts, room):
            kept = ids[:room] if self.side == "right" else ids[-room:]
            rows.append([*self._prefix, *kept, *self._suffix])
            cut.append(len(ids) > room)
        return rows, cut

    def _bare_ids(self, texts: Sequence[str], room: int) -> list[list[int]]:
        """Ids without special tokens; of a long text, enough of them to be cut at ``room``.

        Only a prefix of a long text is tokenised, doubled until it gives `_SLACK_TOKENS` more than there is room for.
        It ends before white space, and its last tokens are never used, so that the ids are those of the whole text.
        """
        if self.side != "right":
            return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        characters = room * _CHARACTERS_PER_TOKEN
        prefixes = [_prefix(text, characters) for text in texts]
        found = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(prefixes, add_special_tokens=False)]
        for row, text in enumerate(texts):
            size = characters
            while len(prefixes[row]) < len(text) and len(found[row]) < room + _SLACK_TOKENS:
                size *= 2
                prefixes[row] = _prefix(text, size)
                found[row] = self._tokenizer.encode(prefixes[row], add_special_tokens=False).ids
        return found


def _prefix(text: str, characters: int) -> str:
    """At least ``characters`` of ``text``, up to white space; all of it where there is none."""
    if len(text) <= characters:
        return text
    space = _WHITE_SPACE.search(text, characters)
    return text[: space.start()] if space else text


def _without_use(tokenizer_json: str) -> str:
    """The tokenizer without its truncation and padding."""
    tokenizer = json.loads(tokenizer_json)
    return json.dumps({**tokenizer, "truncation": None, "padding": None})


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and after a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    raise ModelError("the tokenizer changes a text when special tokens are added; such tokenizers are not supported")
