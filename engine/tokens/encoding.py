"""A tokenizer, a maximum length and a truncation side → token ids of texts."""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from engine.errors import ModelError
from engine.tokens.backends import FlatIds, offsets_of, with_nanotoken, with_tokenizers
from engine.tokens.frame import frame_of
from engine.tokens.tokens import Tokens

_CHARACTERS_PER_TOKEN = 8


_SLACK_TOKENS = 16


# Not \s: BERT deletes \v, \f, \x1c to \x1f and \x85, which joins the words around them.
_WHITE_SPACE = re.compile(r"[ \t\n\r]")


class Encoding:
    """One way to turn texts into token ids.

    Args:
        tokenizer: the fast tokenizer; its own truncation and padding are not used.
        max_length: tokens a row at most, special ones included.
        side: which end of a long text is cut: ``right`` or ``left``.
        fast: whether nanotoken may make the ids. They are the same either way.

    Attributes:
        made_by: the package that makes the ids: ``nanotoken`` or ``tokenizers``.
        frame: what is put around a text.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, side: str = "right", fast: bool = True) -> None:
        # That special tokens in a text are split like other words is no part of what a tokenizer writes.
        split, tokenizer = tokenizer.encode_special_tokens, Tokenizer.from_str(tokenizer.to_str())
        tokenizer.encode_special_tokens = split
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.max_length = max_length
        self.side = side
        self.vocab_size = tokenizer.get_vocab_size(with_added_tokens=True)
        self.frame = frame_of(tokenizer)
        if max_length <= len(self.frame.before) + len(self.frame.after):
            raise ModelError(f"--max-length is {max_length}; it must leave room beside the special tokens")
        nanotoken = with_nanotoken(tokenizer) if fast and not split else None
        self.made_by = "nanotoken" if nanotoken else "tokenizers"
        self._make_ids = nanotoken or with_tokenizers(tokenizer)

    @cached_property
    def fingerprint(self) -> str:
        """Sha256 of what decides the ids: the tokenizer, the maximum length and the side.

        Not the tokenizer's truncation and padding, which use changes.
        """
        canonical = json.dumps(json.loads(self._tokenizer.to_str()), sort_keys=True)
        split = "\nsplit special tokens" if self._tokenizer.encode_special_tokens else ""
        return hashlib.sha256(f"{canonical}\n{self.max_length}\n{self.side}{split}".encode()).hexdigest()

    @cached_property
    def name(self) -> str:
        """Of the token family that holds such ids: the kind of tokenizer, the maximum length, 8 digits."""
        kind = type(self._tokenizer.model).__name__.lower()
        return f"{kind}-{self.max_length}-{self.fingerprint[:8]}"

    @property
    def dtype(self) -> type[np.uint16] | type[np.uint32]:
        """Of the ids."""
        return np.uint16 if self.vocab_size <= 1 << 16 else np.uint32

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Token ids of ``texts``, in their order."""
        found = self._found(texts)
        excess = np.maximum(np.diff(found.offsets) - self.max_length, 0)
        if self.side == "right":
            first = found.offsets[1:] - len(self.frame.after) - excess
        else:
            first = found.offsets[:-1] + len(self.frame.before)
        ids = np.delete(found.ids, _ranges(first, excess)) if excess.any() else found.ids
        return Tokens(ids=ids.astype(self.dtype), offsets=found.offsets - offsets_of(excess), truncated=excess > 0)

    def _found(self, texts: Sequence[str]) -> FlatIds:
        """All ids of each text; of one that will be cut, enough of them.

        Only a prefix of a long text is tokenised, doubled until it gives `_SLACK_TOKENS` more than are kept. It ends
        before white space, and its last tokens are never used, so that the ids are those of the whole text.
        """
        size = self.max_length * _CHARACTERS_PER_TOKEN
        rows = [row for row, text in enumerate(texts) if len(text) > size] if self.side == "right" else []
        if not rows:
            return self._make_ids(texts)
        prefixes = list(texts)
        for row in rows:
            prefixes[row] = _prefix(texts[row], size)
        found = self._make_ids(prefixes)
        while rows := [row for row in rows if len(prefixes[row]) < len(texts[row]) and not self._enough(found, row)]:
            size *= 2
            for row in rows:
                prefixes[row] = _prefix(texts[row], size)
            found = found.replaced(rows, self._make_ids([prefixes[row] for row in rows]))
        return found

    def _enough(self, found: FlatIds, row: int) -> bool:
        return bool(found.offsets[row + 1] - found.offsets[row] >= self.max_length + _SLACK_TOKENS)


def _ranges(first: npt.NDArray[np.int64], count: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(sum of ``count``,) the numbers from each ``first`` on, as many as its ``count``."""
    return np.arange(count.sum()) + np.repeat(first - offsets_of(count)[:-1], count)


def _prefix(text: str, characters: int) -> str:
    """At least ``characters`` of ``text``, up to white space; all of it if it has none."""
    if len(text) <= characters:
        return text
    space = _WHITE_SPACE.search(text, characters)
    return text[: space.start()] if space else text
