"""First lines of a text file → refused if labels stand in lines of their own: one for each text, or a heading for some.

A heading is told by its marks, as of ``# positive``, and by a word that is plainly a label: other headings are prose.
"""

import re
import shlex
from collections.abc import Iterable, Sequence

from engine.inputs.delimited_files.first_rows import is_label
from engine.inputs.text_files.labels_in_lines import ALSO_OF_PROSE, LABEL_WORDS
from engine.inputs.text_files.sample import Sample

_PAIRS, _MOST_LABELS = 4, 20
_LABEL = re.compile(r"[\w/+-]+(?: [\w/+-]+){0,2}")
_WORDS = re.compile(r"\w+(?:-\w+)*")
_FEELINGS = frozenset(("joy", "sadness", "anger", "fear", "surprise", "disgust", "love", "other"))
_KNOWN = LABEL_WORDS | ALSO_OF_PROSE | _FEELINGS
_HEADINGS = (  # of one or two words, as Python and awk understand them
    r"^#+ +[A-Za-z0-9][^ #]*( [^ #]+)?[ #]*$",
    r"^\[[A-Za-z0-9][^] []*( [^] []+)?\]:?$",
    r"^[=-]+ *[A-Za-z0-9][^ =]*( [^ =]+)? *[=-]+$",
    r"^[A-Za-z0-9][^ :]*( [^ :]+)?:$",
)
_MARKS = r"^[#=[ -]+|[]#=: -]+$"
_TRIM = r'sub(/^\357\273\277/, ""); gsub(/^[ \t]+|[ \t\r]+$/, ""); gsub(/\t/, " ")'


def check_labels_between(sample: Sample) -> None:
    """Refuse a text and its label in turn, a line each, and texts below headings that are labels.

    Raises:
        InputError: the lines are so.
    """
    for first in (1, 0):
        labels, texts = sample.texts[first::2], sample.texts[1 - first :: 2]
        if _are_labels(labels) and len(set(texts)) * 2 > len(texts) and set(texts).isdisjoint(labels):
            program = f'{{ {_TRIM} }} NF {{ if (++n % 2) first = $0; else print first "\\t" $0 }}'
            raise sample.refused(f"every second line looks like a label ({_some(labels)}). {_way(sample, program)}")
    for heading in _HEADINGS:
        labels = _labels_above(sample.texts, heading)
        if labels and len(labels) * 2 <= len(sample.texts):
            taken = f'{{ gsub(/{_MARKS}/, ""); label = $0; next }}'
            program = f'{{ {_TRIM} }} /{heading}/ {taken} NF {{ print label "\\t" $0 }}'
            raise sample.refused(
                f"texts stand below headings that look like labels ({_some(labels)}). " + _way(sample, program)
            )


def _are_labels(values: Sequence[str]) -> bool:
    """Whether each of ``values`` is a label: a few short ones that come again, or plain words."""
    if len(values) < 2 or not all(map(_LABEL.fullmatch, values)):
        return False
    return all(value.lower() in LABEL_WORDS for value in values) or (
        len(values) >= _PAIRS and is_label(values, most=_MOST_LABELS)
    )


def _labels_above(texts: Sequence[str], heading: str) -> list[str]:
    """The labels in the headings of a file that begins with one; none if most of them are other words."""
    form = re.compile(heading)
    if not texts or not form.match(texts[0]):
        return []
    labels = [re.sub(_MARKS, "", text) for text in texts if form.match(text)]
    known = sum(not _KNOWN.isdisjoint(_WORDS.findall(label.lower())) for label in labels)
    return labels if known * 2 > len(labels) else []


def _way(sample: Sample, program: str) -> str:
    command = sample.command(f"LC_ALL=C awk {shlex.quote(program)}", "labelled.txt")
    return f"To read them, put text and label into one line, with a tab between them: {command}"


def _some(labels: Iterable[str]) -> str:
    return ", ".join(sorted(set(labels))[:3])
