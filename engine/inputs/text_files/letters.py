"""Bytes that are not UTF-8 → the encodings under which they have the letters of a language, the likeliest first.

Only for what a message says: no file is read by it.
"""

import re

_LOOKED_AT = 1 << 16
_ENOUGH, _PLAIN = 0.8, 0.9
_ALONE, _END = r"(?<![^\W\d_])", r"(?![^\W\d_])"
_WORDS_OF_CHINESE = (
    "的一是不了在人有我他个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法如都"
    "同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实很太这間間這個們來為國說時會對過發後裡種經麼學現當沒動還進樣開從實"
    "，。！？、"
)
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžäôľĺŕőűöüđ"
_KANA = r"[\u3041-\u30ff]"
_LETTERS = {  # in the order in which they are asked; several bytes a letter come first
    "cp949": (r"[\uac00-\ud7a3]", 0.95),
    "shift_jis": (_KANA, 0.3),
    "euc_jp": (_KANA, 0.3),
    "gb18030": (f"[{_WORDS_OF_CHINESE}]", 0.1),
    "big5": (f"[{_WORDS_OF_CHINESE}]", 0.1),
    "cp1255": (rf"{_ALONE}[א-ת]+{_END}", 1.0),
    "cp1251": (rf"{_ALONE}[А-ЯЁЇІЄҐ]?[а-яёїієґ]+{_END}", 1.0),
    "koi8-r": (rf"{_ALONE}[А-ЯЁ]?[а-яё]+{_END}", 1.0),
    "cp1253": (rf"{_ALONE}[Α-ΩΆΈΉΊΌΎΏ]?[α-ωάέήίόύώϊϋΐΰ]+{_END}", 1.0),
    "cp1256": (rf"{_ALONE}[\u0621-\u064a\u067e\u0686\u0698\u06a9\u06af]+{_END}", 1.0),
    "cp874": (r"[\u0e01-\u0e4e]", 1.0),
    "cp1250": (f"[{_CENTRAL}{_CENTRAL.upper()}]", 1.0),
    "cp1254": ("[şğıçöüâîŞĞİÇÖÜÂÎ]", 1.0),
    "iso8859-2": (f"[{_CENTRAL}{_CENTRAL.upper()}]", 1.0),
    "cp852": (f"[{_CENTRAL}{_CENTRAL.upper()}]", 1.0),
}
_STRICT = {"cp949": "euc_kr", "gb18030": "gb2312"}  # whose letters are never made of a byte and an ASCII letter
_LANGUAGES = {
    "cp949": "Korean",
    "shift_jis": "Japanese",
    "euc_jp": "Japanese",
    "gb18030": "Chinese in simplified characters",
    "big5": "Chinese in traditional characters",
}
_SHOWN = ("cp1250", "cp1251", "koi8-r", "gb18030", "shift_jis", "big5", "cp949", "cp1252")


def way_by_letters(data: bytes) -> str:
    """The encodings in which to read ``data``, and its language if it is plain."""
    likeness = {name: _likeness(data[:_LOOKED_AT], name) for name in _LETTERS}
    likely = sorted((name for name in likeness if likeness[name] >= _ENOUGH), key=lambda name: -likeness[name])
    if likely and likely[0] in _LANGUAGES and likeness[likely[0]] >= _PLAIN:
        return f"it looks like {_LANGUAGES[likely[0]]}. Read it with --encoding {likely[0]}"
    *names, last = dict.fromkeys([*likely, *_SHOWN])
    return f"name its encoding, for example --encoding {', '.join(names)} or {last}"


def _likeness(data: bytes, encoding: str) -> float:
    """From 0 to 1: how many of the characters that are not ASCII are letters as the language has them."""
    letters, share = _LETTERS[encoding]
    text = data.decode(_STRICT.get(encoding, encoding), "replace")
    found = sum(len(re.sub(r"[\x00-\x7f]", "", some)) for some in re.findall(letters, text))
    others = sum(not character.isascii() for character in text)
    return min(1.0, found / max(1, others) / share) * (1 - 4 * text.count("\ufffd") / max(1, others))
