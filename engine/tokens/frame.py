"""What a tokenizer puts around a single text: special tokens before and after it, and the token types of all three."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice, takewhile
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from engine.errors import ModelError
from engine.tokens.batches import places

_TEXTS = ("a", "good", "The food was good.", "1", "я", "中")
_TRIED_PIECES = 200


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What is around a text.

    Attributes:
        before: ids of the special tokens before it.
        after: of those after it.
        types_before: a token type for each of ``before``.
        text_type: the token type of the text.
        types_after: a token type for each of ``after``.
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    types_before: tuple[int, ...] = ()
    text_type: int = 0
    types_after: tuple[int, ...] = ()

    @property
    def has_types(self) -> bool:
        """Whether a token has another type than 0."""
        return any((*self.types_before, self.text_type, *self.types_after))

    def types(self, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(sum of ``lengths``,) token types of rows that lie one after the other, (rows,) tokens each."""
        types = np.full(int(lengths.sum()), self.text_type, np.int64)
        place = places(lengths)
        from_end = np.repeat(lengths, lengths) - place
        for number, kind in enumerate(self.types_before):
            types[place == number] = kind
        for number, kind in enumerate(reversed(self.types_after), start=1):
            types[from_end == number] = kind
        return types


NO_FRAME = Frame()


def frame_of(tokenizer: Tokenizer) -> Frame:
    """What ``tokenizer`` puts around a text.

    Raises:
        ModelError: the tokenizer changes the text itself, fails on one, or gives no token for any.
    """
    for text in _texts(tokenizer):
        try:
            bare = _encoded(tokenizer, text, add_special_tokens=False).ids
        except Exception as error:  # tokenizers raises no other kind
            raise ModelError(f"the tokenizer cannot encode {text!r}: {error}; mend its tokenizer.json") from error
        if not bare:  # a word that the vocabulary lacks gives no token if the tokenizer has none for the unknown
            continue
        full = _encoded(tokenizer, text)
        before = sum(1 for _ in takewhile(bool, full.special))
        stop = before + len(bare)
        if full.ids[before:stop] != bare or len(set(full.types[before:stop])) > 1:
            break
        return Frame(
            before=full.ids[:before],
            after=full.ids[stop:],
            types_before=full.types[:before],
            text_type=full.types[before],
            types_after=full.types[stop:],
        )
    else:
        raise ModelError("the tokenizer gives no token for any text that was tried; is its vocabulary complete?")
    raise ModelError("the tokenizer changes a text when special tokens are added; such tokenizers are not supported")


class _Encoded(NamedTuple):
    """A text's ids, token types, and which of them are special."""

    ids: tuple[int, ...]
    types: tuple[int, ...]
    special: tuple[int, ...]


def _encoded(tokenizer: Tokenizer, text: str, *, add_special_tokens: bool = True) -> _Encoded:
    """``text`` without padding, which many a tokenizer.json asks for, as those of sentence-transformers do."""
    found = tokenizer.encode(text, add_special_tokens=add_special_tokens)
    columns = (found.ids, found.type_ids, found.special_tokens_mask)
    return _Encoded(*(tuple(compress(column, found.attention_mask)) for column in columns))


def _texts(tokenizer: Tokenizer) -> Iterator[str]:
    """Short texts, and then words of the vocabulary."""
    yield from _TEXTS
    yield from islice(tokenizer.get_vocab(with_added_tokens=False), _TRIED_PIECES)
