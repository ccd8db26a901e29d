"""Texts on which two tokenizers that ought to be equal tend to differ, or two ways to compute a model.

What can be seen stands as it is.
"""

from collections.abc import Iterator
from typing import Any

NASTY_TEXTS = [
    # White space, control characters and what cannot be seen.
    "",
    " ",
    " \t\r\n\v\f\u00a0\u2003\u3000\u2028\u0085",
    "nul\0in\0side \0 control\x01\x1b[0m\x7f\x80\x9f vertical\vtab form\ffeed file\x1cseparator next\u0085line",
    "no\u00a0break thin\u2009space em\u2003space ideographic\u3000space line\u2028separator narrow\u202fspace",
    "soft\u00adhyphen zero\u200bwidth joiner\u200d\u200cnon byte\ufeffmark word\u2060joiner \ufffd replaced \ufffe",
    # Latin letters: punctuation, accents composed and decomposed, letters whose case is odd.
    "It's a so-so place...we'd go again!!! ($12.50, 5/5) <br /> http://a.example/?q=1&r=%20 @me #tag ^`~$+=|",
    "¹½①Ⅳ €£¥₿ «»“”‘’…—– −×÷≠ §¶† ・。，！ ｗｉｄｅ １２３",
    "café naïve Ångström Łódź cafe\u0301 nai\u0308ve A\u030angstro\u0308m \u2126 \u212b \u0301leading",
    "z\u0351\u036b\u0343a\u0321\u0327\u0316\u0301\u0308l\u0334go e\u0301\u0323 e\u0323\u0301 ṩ s\u0323\u0307",
    "İstanbul I\u0307 dış straße ẞ ΣΥΣΟΣ ΟΔΥΣΣΕΎΣ. Σ σς ǅ ŉ ᾂ \ufb01\ufb02 \ufb03",
    # Other scripts, known and unknown, from left and from right.
    "中文字符 mixed中文words 漢字かなカナ ｶﾞ 々〇 𠀀 \U0002f800 \uf900 한국어 \u1112\u1161\u11ab\u1100\u116e\u11a8",
    "Привет Ёлка ЙОД и\u0306 ґ ქართული Հայերեն Ⴀ Ა",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0650\u0633\u0652\u0645\u0650 \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "\u202eleft\u202c \u200fmark \ufefb \u0661\u0662\u0663",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937 \u09ac\u09be\u0982\u09b2\u09be",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0f56\u0f7c\u0f51 \u1019\u103c\u1014\u103a \u12a0\u121b\u122d\u129b",
    "𐐀𐐨 𝐀𝟘 𐌰 𞤀 Ꙋ \u0378 \ue000 \U000f0000 \U0010ffff \U000e0041",
    # Emoji: skin, families, flags, keycaps.
    "😀👍🏽 👨\u200d👩\u200d👧 🇫🇷 ❤\ufe0f 1\ufe0f\u20e3 word🍕word",
    # What looks like the tokenizer's own.
    "[CLS] [SEP] [MASK] [PAD] [UNK] [sep] [ SEP ] [SEP [[SEP]] a[SEP]b <s></s><unk><mask> <|endoftext|> ##ing ## #",
    # Words around the greatest length, 100 characters, before and after normalisation; long texts.
    *("a" * length for length in (99, 100, 101, 255, 20_000)),
    *("é中e\u0301" * length for length in (24, 25, 33, 34, 50)),
    "e\u0301" * 50 + " " + "e\u0301" * 51 + " " + "\u00ad" * 101 + "x",
    "unaffable " * 1000 + "antidisestablishmentarianism," * 200,
    "a" + " " * 5000 + "b" + "\n" * 300 + "c" + "-" * 300,
]

_WORDS = "good food was not very fine the room and bad staff never again".split()
_SPECIAL = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_MARKS = "#▁Ġ_</w>"  # what tokenizers put before or after a piece of a word
_VERY_LONG = 120
_TRIED_PIECES = 3000


def ordinary_texts(tokenizer: Any) -> list[str]:
    """Texts of several lengths, some twice; equal words; one letter; texts that are cut. Few: each takes time."""
    words = _words(tokenizer)
    parts = [words[:1], words[1:3], words[2:0:-1], words[3:8], words[7:2:-1], words[:1] * 12, words * 4]
    return [" ".join(part) for part in (*parts, words * _VERY_LONG)] + ["a"]


def special_texts(tokenizer: Any) -> list[str]:
    """Texts that contain the text of a special token and end with it."""
    words = _words(tokenizer)
    tokens = [token for name in _SPECIAL if (token := getattr(tokenizer, f"{name}_token", None))]
    return [f"{words[0]} {token} {words[1]} {words[2]} {token}" for token in dict.fromkeys(tokens)]


def _words(tokenizer: Any) -> list[str]:
    """Words of the vocabulary, far from one another in it, and English ones if it has too few."""
    known, wanted = list(_known_words(tokenizer)), len(_WORDS)
    return [*known[:: max(1, len(known) // wanted)][:wanted], *_WORDS][:wanted]


def _known_words(tokenizer: Any) -> Iterator[str]:
    size = len(tokenizer)
    for piece in tokenizer.convert_ids_to_tokens(range(0, size, max(1, size // _TRIED_PIECES))):
        word = (piece or "").strip(_MARKS)
        if 2 < len(word) < 10 and word.isalpha() and word.isascii():
            yield word
