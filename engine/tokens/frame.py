"""What a tokenizer puts around a single text: special tokens before and after it, and the token types of all three."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

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
            bare = tokenizer.encode(text, add_special_tokens=False).ids
        except Exception as error:  # tokenizers raises no other kind
            raise ModelError(f"the tokenizer cannot encode {text!r}: {error}; mend its tokenizer.json") from error
        if not bare:  # a word that the vocabulary lacks gives no token if the tokenizer has none for the unknown
            continue
        full = tokenizer.encode(text)
        before = sum(1 for _ in takewhile(bool, full.special_tokens_mask))
        stop = before + len(bare)
        if full.ids[before:stop] != bare or len(set(full.type_ids[before:stop])) > 1:
            break
        return Frame(
            before=tuple(full.ids[:before]),
            after=tuple(full.ids[stop:]),
            types_before=tuple(full.type_ids[:before]),
            text_type=full.type_ids[before],
            types_after=tuple(full.type_ids[stop:]),
        )
    else:
        raise ModelError("the tokenizer gives no token for any text that was tried; is its vocabulary complete?")
    raise ModelError("the tokenizer changes a text when special tokens are added; such tokenizers are not supported")


def _texts(tokenizer: Tokenizer) -> Iterator[str]:
    """Short texts, and then words of the vocabulary."""
    yield from _TEXTS
    yield from islice(tokenizer.get_vocab(with_added_tokens=False), _TRIED_PIECES)
