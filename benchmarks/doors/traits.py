"""Traits that files of reviews have, each as small files with the right outcome. All content is made up.

Every file tells the same four reviews, if it can: `TEXTS`, and the classes in `TRUTH`.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = (
    "The soup was cold, and nobody cared.",
    "Warm staff!",
    'They call it "fresh"; it is stale.',
    "Quick and gentle",
)
IDS = ("r0", "r1", "r2", "r3")
CLASSES = ("negative", "positive")
TRUTH: tuple[str | None, ...] = ("negative", "positive", "negative", "positive")
NO_GOLD: tuple[str | None, ...] = (None,) * 4
_PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@dataclass(frozen=True, kw_only=True)
class Trait:
    """A trait of files, and the right outcome.

    Attributes:
        name: in words, for the table.
        write: writes files into a folder; their paths, or globs, as a user gives them.
        flags: of the command line, with which the files are read.
        labels: the class of each row; None if it has no label.
        gold_labels: the same where labels are needed; a refusal if None.
        refused: what a refusal says, a regular expression; None if the files are read.
        way_out: flags with which files that are refused are read; empty if another file is needed.
        texts: those that come in.
    """

    name: str
    write: Callable[[Path], list[str]]
    flags: tuple[str, ...] = ()
    labels: tuple[str | None, ...] = TRUTH
    gold_refused: str | None = None
    refused: str | None = None
    way_out: tuple[str, ...] = ()
    texts: tuple[str, ...] = TEXTS
    has_ids: bool = field(default=True)


def _rows(labels: Sequence[object] = TRUTH, texts: Sequence[str] = TEXTS) -> list[tuple[object, ...]]:
    return list(zip(IDS, texts, labels, strict=True))


def _csv(
    labels: Sequence[object] = TRUTH,
    *,
    name: str = "in.csv",
    header: Sequence[str] | None = ("id", "text", "label"),
    encoding: str = "utf-8",
    end: str = "\n",
    texts: Sequence[str] = TEXTS,
    before: str = "",
    **dialect: object,
) -> Callable[[Path], list[str]]:
    """A writer of a delimited file of all rows."""

    def write(folder: Path) -> list[str]:
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator=end, **dialect)  # type: ignore[arg-type]
        writer.writerows([*([header] if header else ()), *_rows(labels, texts)])
        pack = _PACKED.get(Path(name).suffix.lower(), bytes)
        (folder / name).write_bytes(pack((before + out.getvalue()).encode(encoding)))
        return [str(folder / name)]

    return write


def _text(content: str, *, name: str = "in.csv", encoding: str = "utf-8") -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        (folder / name).write_bytes(content.encode(encoding))
        return [str(folder / name)]

    return write


def _objects(labels: Sequence[object] = TRUTH, **more: Sequence[object]) -> list[dict[str, object]]:
    rows = [{"id": id_, "text": text, "label": label} for id_, text, label in _rows(labels)]
    return [row | {name: values[at] for name, values in more.items()} for at, row in enumerate(rows)]


def _json(value: object, *, name: str = "in.json", indent: int | None = None) -> Callable[[Path], list[str]]:
    return _text(json.dumps(value, indent=indent), name=name)


def _lines(objects: Sequence[object], *, name: str = "in.jsonl") -> Callable[[Path], list[str]]:
    return _text("".join(json.dumps(one) + "\n" for one in objects), name=name)


def _table(labels: pa.Array | pa.ChunkedArray, **metadata: str) -> pa.Table:
    table = pa.table({"id": list(IDS), "text": list(TEXTS), "label": labels})
    return table.replace_schema_metadata(metadata) if metadata else table


def _parquet(labels: pa.Array, **metadata: str) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        pq.write_table(_table(labels, **metadata), folder / "in.parquet")
        return [str(folder / "in.parquet")]

    return write


def _feather(labels: pa.Array) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        table = _table(labels)
        with pa.ipc.new_file(folder / "in.feather", table.schema) as file:
            file.write_table(table)
        return [str(folder / "in.feather")]

    return write


def _hive(folder: Path) -> list[str]:
    for label in CLASSES:
        rows = [at for at, truth in enumerate(TRUTH) if truth == label]
        part = folder / "hive" / f"label={label}"
        part.mkdir(parents=True)
        table = pa.table({"id": [IDS[at] for at in rows], "text": [TEXTS[at] for at in rows]})
        pq.write_table(table, part / "part-0.parquet")
    return [str(folder / "hive")]


def _parts(folder: Path) -> list[str]:
    _csv(name="part-0.csv")(folder)
    (folder / "part-1.csv").write_text("")
    return [str(folder / "*.csv")]


def _label_studio(folder: Path) -> list[str]:
    tasks = [
        {
            "id": at,
            "data": {"id": id_, "text": text},
            "annotations": [{"result": [{"from_name": "label", "type": "choices", "value": {"choices": [label]}}]}],
        }
        for at, (id_, text, label) in enumerate(_rows())
    ]
    return _json(tasks)(folder)


_CLASS_LABEL = json.dumps({"info": {"features": {"label": {"names": ["positive", "negative"], "_type": "ClassLabel"}}}})
_STAY_OPEN = ('"Open" was the door', "Warm staff!", 'She said "no', 'and left"')

TRAITS = (
    Trait(name="plain CSV", write=_csv()),
    Trait(name="plain JSON Lines", write=_lines(_objects())),
    Trait(name="plain Parquet", write=_parquet(pa.array(TRUTH))),
    # Labels
    Trait(name="white space around labels", write=_csv([" negative", "positive ", "negative", "\tpositive"])),
    Trait(name="labels in other case", write=_csv(["Negative", "POSITIVE", "negative", "Positive"])),
    Trait(name="indices", write=_csv([0, 1, 0, 1])),
    Trait(name="indices as decimals in CSV", write=_csv(["0.0", "1.0", "0.0", "1.0"])),
    Trait(name="indices as doubles", write=_parquet(pa.array([0.0, 1.0, 0.0, 1.0]))),
    Trait(name="indices as decimals", write=_parquet(pa.array([Decimal(0), Decimal(1)] * 2, pa.decimal128(3, 1)))),
    Trait(
        name="labels counted from 1",
        write=_csv([1, 2, 1, 2]),
        refused="counted from 1",
        way_out=("--label-map", "1=negative,2=positive"),
    ),
    Trait(name="-1 for no label", write=_csv([-1, 1, 0, 1]), labels=(None, "positive", "negative", "positive")),
    Trait(
        name="-1 and 1 for two classes",
        write=_csv([-1, 1, -1, 1]),
        refused="from -1.*--label-map -1=negative,1=positive.*--label-map -1=,1=positive",
        way_out=("--label-map", "-1=negative,1=positive"),
    ),
    Trait(name="nan, NULL, N/A", write=_csv(["nan", "NULL", "N/A", "positive"]), labels=(None, None, None, "positive")),
    Trait(
        name="ClassLabel in another order than the model's",
        write=_parquet(pa.array([1, 0, 1, 0]), huggingface=_CLASS_LABEL),
    ),
    Trait(name="categories", write=_parquet(pa.array(TRUTH).dictionary_encode())),
    Trait(name="lists of one label", write=_parquet(pa.array([[label] for label in TRUTH]))),
    Trait(
        name="lists of two labels beside others",
        write=_lines(_objects([["negative", "positive"], ["positive"], ["negative"], ["positive"]])),
        labels=(None, "positive", "negative", "positive"),
    ),
    Trait(
        name="labels that are objects",
        write=_lines(_objects([{"name": label} for label in TRUTH])),
        labels=NO_GOLD,
        gold_refused="label is an object",
    ),
    Trait(
        name="labels that are structs",
        write=_parquet(pa.array([{"name": label} for label in TRUTH])),
        labels=NO_GOLD,
        gold_refused="label is struct",
    ),
    Trait(
        name="answers of Prodigy",
        write=_lines(_objects(answer=["reject", "accept", "accept", "ignore"])),
        labels=(None, "positive", "negative", None),
    ),
    Trait(
        name="labels of another task",
        write=_csv(["billing", "returns", "billing", "shipping"]),
        labels=NO_GOLD,
        gold_refused="billing.*negative, positive",
    ),
    Trait(
        name="stars",
        write=_csv([1, 5, 1, 4]),
        labels=NO_GOLD,
        gold_refused="1, 4, 5.*negative, positive.*--label-map",
    ),
    Trait(name="stars with a map", write=_csv([1, 5, 1, 4]), flags=("--label-map", "1=negative,4=positive,5=positive")),
    # Delimited files
    Trait(name="semicolons", write=_csv(delimiter=";")),
    Trait(name="semicolons after sep=", write=_csv(delimiter=";", before="sep=;\n")),
    Trait(name="tabs in .csv", write=_csv(delimiter="\t")),
    Trait(name="pipes", write=_csv(delimiter="|")),
    Trait(
        name="TSV without quoting", write=_csv(name="in.tsv", delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
    ),
    Trait(
        name="TSV with stray quotation marks",
        write=_csv(name="in.tsv", delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, texts=_STAY_OPEN),
        texts=_STAY_OPEN,
    ),
    Trait(name="all fields quoted", write=_csv(quoting=csv.QUOTE_ALL)),
    Trait(name="quotation marks escaped by backslashes", write=_csv(doublequote=False, escapechar="\\")),
    Trait(name="CRLF line ends", write=_csv(end="\r\n")),
    Trait(name="spaces around column names", write=_csv(header=(" id", " text", "label "))),
    Trait(name="a comma at the end of each line", write=_csv(end=",\n")),
    Trait(name="empty column names", write=_csv(header=("id", "text", "label", "", ""), end=",,\n")),
    Trait(
        name="no header",
        write=_csv(header=None),
        refused="--columns",
        way_out=("--columns", "id,text,label"),
    ),
    # Encodings
    Trait(name="UTF-8 with a byte order mark", write=_csv(encoding="utf-8-sig")),
    Trait(name="UTF-16", write=_csv(encoding="utf-16")),
    Trait(
        name="Windows-1252",
        write=_csv(encoding="cp1252", texts=["Café", "très bien", "façade", "Qualität"]),
        refused="cp1252",
        way_out=("--encoding", "cp1252"),
        texts=("Café", "très bien", "façade", "Qualität"),
    ),
    # JSON
    Trait(name="a JSON array", write=_json(_objects())),
    Trait(name="a JSON array over many lines", write=_json(_objects(), indent=2)),
    Trait(name="a JSON array inside an object", write=_json({"data": _objects()})),
    Trait(
        name="pandas' columns in JSON",
        write=_json({"text": dict(enumerate(TEXTS)), "label": dict(enumerate(TRUTH))}),
        refused="orient",
    ),
    Trait(name="Label Studio's JSON", write=_label_studio),
    # Plain text
    Trait(
        name="fastText's __label__",
        write=_text("".join(f"__label__{label} {text}\n" for _, text, label in _rows()), name="in.txt"),
        has_ids=False,
    ),
    # Arrow
    Trait(name="Arrow IPC", write=_feather(pa.array(TRUTH))),
    Trait(
        name="polars' categories",
        write=_feather(pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1]), pa.array(CLASSES, pa.string_view()))),
    ),
    # Files and folders
    Trait(name="gzip", write=_csv(name="in.csv.gz")),
    Trait(name="gzip in capitals", write=_csv(name="IN.CSV.GZ")),
    Trait(name="bzip2", write=_csv(name="in.csv.bz2")),
    Trait(name="xz", write=_csv(name="in.csv.xz")),
    Trait(name="a folder of Hive partitions", write=_hive),
    Trait(name="an empty part file", write=_parts),
)
