"""Bytes that are not UTF-8 → what they look like, and the encodings in which to read them. Reads nothing."""

import re

from engine.inputs.text_files.letters import way_by_letters

_HIGH = re.compile(rb"[\x80-\xff]+")
_NOT_WINDOWS_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_SIGN_IN_WORD = re.compile(rb"[A-Za-z][\xa5\xb3\xb9\xbc\xbe\xbf][a-z]")  # letters of cp1250: \xb3 is a Polish l
_IN_PLACE = re.compile(  # a letter of Western Europe, or a sign where it may stand beside letters
    "[àáâãäåæçèéêëìíîïñòóôõöøœßùúûüÿ](?![A-Z])|(?<![a-z])[ÀÁÂÄÅÆÇÈÉÊËÍÎÑÓÔÖØŒÚÜ]"
    "|(?<=[A-Za-z])’|(?<![A-Za-z])[‘“„«¡¿](?=[A-Za-z])|[€£°–—•²³ºª®©§]|[’“”»…™](?![A-Za-z])"
)
_EITHER = "MS-DOS or an old Macintosh. Read it with --encoding cp850 or mac_roman; one of them gives the right letters"
_OLDER = {
    "cp850": "MS-DOS. Read it with --encoding cp850, or with cp852 if it is Polish, Czech or Hungarian",
    "mac_roman": "an old Macintosh. Read it with --encoding mac_roman",
}
_CYRILLIC = {
    "koi8-r": "KOI8-R. Read it with --encoding koi8-r, or with koi8-u if it is Ukrainian",
    "cp866": "MS-DOS. Read it with --encoding cp866",
    "iso8859-5": "ISO 8859-5. Read it with --encoding iso8859-5",
}
_CYRILLIC_WORD = re.compile(r"(?<![^\W\d_])[А-ЯЁЇІЄҐ]?[а-яёїієґ]+(?![^\W\d_])")
_MOST, _BARELY, _ALMOST_ALL = 0.8, 0.6, 0.9


def way_out(data: bytes) -> str:
    """What ``data``, which is not UTF-8, looks like, and the encodings in which to read it."""
    runs = _HIGH.findall(data)
    high = sum(map(len, runs))
    score = {name: len(_IN_PLACE.findall(data.decode(name, "replace"))) for name in ("cp1252", *_OLDER)}
    older = max(_OLDER, key=score.__getitem__)
    single = high < 1.5 * len(runs)
    if single and score[older] > score["cp1252"] and score[older] >= _MOST * high:
        tied = len({score[name] for name in _OLDER}) == 1
        return f"it looks like a file of {_EITHER if tied else _OLDER[older]}"
    western = single and score["cp1252"] >= _BARELY * high and not _NOT_WINDOWS_1252.search(data)
    if western and not _SIGN_IN_WORD.search(data):
        return (
            "it looks like Windows-1252 or Latin-1. Read it with --encoding cp1252, or with cp1250 if it is Polish, "
            "Czech or Hungarian"
        )
    for name, words in _CYRILLIC.items():  # in another encoding, capitals stand within words
        found = _CYRILLIC_WORD.findall(data.decode(name, "replace"))
        if sum(map(len, found)) >= _ALMOST_ALL * high:
            return f"it looks like Russian, or another language with these letters, in {words}"
    return way_by_letters(data)
