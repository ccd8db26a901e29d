"""First lines of a text file → refused if they are plainly not texts but JSON, SQL, a drawn table or the like."""

import ast
import json
import re
import shlex
import warnings
from collections.abc import Sequence

from engine.inputs.delimited_files.first_rows import names_for
from engine.inputs.json_files.known_layouts import refuse_programs
from engine.inputs.text_files.sample import Sample

_JSON = re.compile(r"\[\s*([{[\"]|$)|\{\s*(\"|$)")
_MARKUP = re.compile(r"<(\?xml|!doctype|html)\b", re.IGNORECASE)
_OPENS = re.compile(r"<(\w[\w.-]*)(?:\s[^<>]*)?>")
_ELEMENTS = (
    "import html, json, re; s = open(0, encoding={encoding}, errors={errors}).read(); "
    "r = [{{**dict(re.findall({attribute}, a)), **{values}}} "
    "for a, v in re.findall({element}, s)]; "
    "print(*(json.dumps({{k: html.unescape(v).strip() for k, v in row.items()}}) for row in r), sep=chr(10))"
)
_RTF = "{\\rtf"
_SQL_FIRST = re.compile(r"--|/\*|(insert|create|drop|set|use|begin|start|lock)\b", re.IGNORECASE)
_INSERT = re.compile(r"insert\s+into\s+[\w.`\"\[\]]+\s*(\(.*\)\s*)?values\b", re.IGNORECASE)
_LIBSVM = re.compile(r"[+-]?[\d.]+(\s+\d+:[-+.\deE]+)+")
_TREE = re.compile(r"\(\d+ (\(\d+ .*\)|[^()]+)\)")
_TUPLE = re.compile(r"[(\[].*[)\]],?")
_LOOKED_AT = 20
_AT_LEAST = 3
_CONLL = re.compile(r"\S+(?:[ \t]\S+){0,8}[ \t](?:O|[BIES]-\w+)")
_NO_WORDS = ("-DOCSTART-", "#")
_SENTENCES = (
    "import sys; blocks = sys.stdin.read().split(chr(10) * 2); "
    "words = ([line.split()[0] for line in block.splitlines() "
    f"if line.strip() and not line.startswith({_NO_WORDS})] for block in blocks); "
    'print(*(" ".join(some) for some in words if some), sep=chr(10))'
)
_MESSAGE = re.compile(
    r"[^\w\n]*\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? \d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp]\.?\s?[Mm]\.?)?(?:\]| -) "
)
_MESSAGES = (  # a line without a time goes on with the message before it, and one without a writer is of the program
    'import json, re, sys; time = re.compile(r"(?m)^' + _MESSAGE.pattern + '"); '
    'parts = [part.partition(": ") for part in time.split(sys.stdin.read())[1:]]; '
    '[print(json.dumps({"writer": writer.strip(), "text": text.strip()})) for writer, mark, text in parts '
    "if mark and text.strip() and chr(10) not in writer]"
)


def check_words(sample: Sample) -> None:
    """Refuse CoNLL, which has a word and its tags a line.

    Raises:
        InputError: the lines are so.
    """
    words = [text for text in sample.texts if not text.startswith(_NO_WORDS)]
    if len(words) >= _AT_LEAST and all(map(_CONLL.fullmatch, words)):
        raise sample.refused(
            "every line is a word and its tags, as CoNLL has them. To read its sentences, a line each: "
            + sample.command(f"python3 -c {shlex.quote(_SENTENCES)}", "sentences.txt")
        )


def check_formats(sample: Sample) -> None:
    """Refuse a file of another format.

    Raises:
        InputError: it is one.
    """
    texts = sample.texts
    if texts[0].startswith(_RTF):
        raise sample.refused("it is RTF and not plain text; save it as plain text")
    if all(text[0] == "{" and text[-1] == "}" for text in texts):
        refuse_programs(sample.lines[0], sample.lines[1] if len(sample.lines) > 1 else None, sample.file)
        raise sample.refused("every line looks like a JSON object; let its name end in .jsonl")
    if _JSON.match(texts[0]):
        raise sample.refused("it begins as JSON does; let its name end in .json")
    if _MARKUP.match(texts[0]):
        raise sample.refused("it begins as XML or HTML does; write its texts as CSV")
    _check_elements(sample)
    _check_messages(sample)
    _check_sql(sample)
    _check_numbers(sample)
    _check_tuples(sample)


def _check_elements(sample: Sample) -> None:
    """Refuse elements of XML without a root, as ``<doc id="7">``, lines of text and ``</doc>``, again and again."""
    opens = _OPENS.match(sample.texts[0])
    if opens is None:
        return
    closed = f"</{opens[1]}>"
    if closed in sample.texts[0] or sum(text.endswith(closed) for text in sample.texts) < 2:
        return
    inner = json.dumps(r"(?ms)^\s*<([\w.-]+)[^<>]*>(.*?)</\1>\s*$")
    program = _ELEMENTS.format(
        encoding='"utf-8-sig"',
        errors='"replace"',
        attribute=json.dumps(r"([\w.:-]+)\s*=\s*\"([^\"]*)\""),
        element=json.dumps(rf"(?s)<{re.escape(opens[1])}\b([^<>]*)>(.*?)</{re.escape(opens[1])}>"),
        values=f"dict(re.findall({inner}, v))" if sample.texts[1].startswith("<") else '{"text": v}',
    )
    raise sample.refused(
        f"it has elements of XML, <{opens[1]}> to </{opens[1]}>, over its lines. To make each a row: "
        + sample.command(f"python3 -c {shlex.quote(program)}", "rows.jsonl")
    )


def _check_messages(sample: Sample) -> None:
    """Refuse a chat as WhatsApp exports it: the time and the writer stand before each message."""
    times = sum(_MESSAGE.match(text) is not None for text in sample.texts)
    if times >= _AT_LEAST and times * 2 >= len(sample.texts):
        raise sample.refused(
            "its lines begin with times, as in a chat that WhatsApp exported. To read the messages, of a line or more: "
            + sample.command(f"python3 -c {shlex.quote(_MESSAGES)}", "rows.jsonl")
        )


def _check_sql(sample: Sample) -> None:
    if _SQL_FIRST.match(sample.texts[0]) and any(map(_INSERT.match, sample.texts)):
        raise sample.refused(
            "it holds INSERT statements of SQL; run them in a database, and write the table from there as CSV"
        )


def _check_numbers(sample: Sample) -> None:
    """Refuse the features of libsvm, and the trees of the Stanford Sentiment Treebank."""
    if all(map(_LIBSVM.fullmatch, sample.texts)):
        raise sample.refused(
            "every line has a label and the numbers of features, as libsvm has them, and no text; write the texts of "
            "which they were made as CSV, with the columns label,text"
        )
    if all(map(_TREE.fullmatch, sample.texts)):
        script = r"s/^\s*\(([0-9]+) */\1\t/; s/\([0-9]+ +//g; s/\)//g"
        raise sample.refused(
            "every line is a tree of a treebank. To read their words, put a tab between label and text, with GNU sed: "
            + sample.command(f"sed -E {shlex.quote(script)}", "labelled.txt")
        )


def _check_tuples(sample: Sample) -> None:
    """Refuse what Python prints of tuples or lists."""
    rows = [_tuple(text) for text in sample.texts[:_LOOKED_AT]]
    if not all(rows) or not all(map(_TUPLE.fullmatch, sample.texts)):
        return
    names = names_for([[str(value) for value in row] for row in rows], len(rows[0])).split(",")
    program = (
        "import ast, csv, sys; out = csv.writer(sys.stdout); "
        f"out.writerow({json.dumps(names)}); "
        "out.writerows(ast.literal_eval(line.strip().rstrip(chr(44))) for line in sys.stdin if line.strip())"
    )
    raise sample.refused(
        "every line is a tuple of Python. Write them as CSV: "
        + sample.command(f"python3 -c {shlex.quote(program)}", "table.csv")
    )


def _tuple(text: str) -> Sequence[object]:
    """The values of what Python wrote of a tuple or a list with a string in it; none of anything else."""
    if not _TUPLE.fullmatch(text):
        return ()
    try:
        with warnings.catch_warnings(action="ignore"):  # of backslashes that escape nothing
            values = ast.literal_eval(text.rstrip(","))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    is_row = isinstance(values, tuple | list) and len(values) > 1 and any(isinstance(value, str) for value in values)
    return values if is_row else ()
