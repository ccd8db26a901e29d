"""Traits that files of reviews have, each as small files with the right outcome. All content is made up.

Every file tells the same four reviews, if it can: `TEXTS`, and the classes in `TRUTH`.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from benchmarks.doors.files import (
    CLASSES,
    NO_GOLD,
    TEXTS,
    TRUTH,
    arrow_file,
    csv_file,
    hive_folder,
    json_file,
    json_lines,
    label_studio_file,
    objects_of,
    parquet_file,
    part_files,
    rows_of,
    split_folder,
    tar_file,
    text_archive,
    text_file,
    tsv_file,
    webdataset_tar,
)


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


_CLASS_LABEL = json.dumps({"info": {"features": {"label": {"names": ["positive", "negative"], "_type": "ClassLabel"}}}})
_SURVEY = 'id,text,label\nResponse ID,What do you say?,How is it?\n"{""ImportId"":""_id""}","{""ImportId"":""Q1""}",x\n'
_STAY_OPEN = ('"Open" was the door', "Warm staff!", 'She said "no', 'and left"')

TRAITS = (
    Trait(name="plain CSV", write=csv_file()),
    Trait(name="plain JSON Lines", write=json_lines(objects_of())),
    Trait(name="plain Parquet", write=parquet_file(pa.array(TRUTH))),
    # Labels
    Trait(name="white space around labels", write=csv_file([" negative", "positive ", "negative", "\tpositive"])),
    Trait(name="labels in other case", write=csv_file(["Negative", "POSITIVE", "negative", "Positive"])),
    Trait(name="indices", write=csv_file([0, 1, 0, 1])),
    Trait(name="indices as decimals in CSV", write=csv_file(["0.0", "1.0", "0.0", "1.0"])),
    Trait(name="indices as doubles", write=parquet_file(pa.array([0.0, 1.0, 0.0, 1.0]))),
    Trait(name="indices as decimals", write=parquet_file(pa.array([Decimal(0), Decimal(1)] * 2, pa.decimal128(3, 1)))),
    Trait(
        name="labels counted from 1",
        write=csv_file([1, 2, 1, 2]),
        refused="counted from 1",
        way_out=("--label-map", "1=negative,2=positive"),
    ),
    Trait(name="-1 for no label", write=csv_file([-1, 1, 0, 1]), labels=(None, "positive", "negative", "positive")),
    Trait(
        name="-1 and 1 for two classes",
        write=csv_file([-1, 1, -1, 1]),
        refused="from -1.*--label-map -1=negative,1=positive.*--label-map -1=,1=positive",
        way_out=("--label-map", "-1=negative,1=positive"),
    ),
    Trait(
        name="nan, NULL, N/A", write=csv_file(["nan", "NULL", "N/A", "positive"]), labels=(None, None, None, "positive")
    ),
    Trait(
        name="ClassLabel in another order than the model's",
        write=parquet_file(pa.array([1, 0, 1, 0]), huggingface=_CLASS_LABEL),
    ),
    Trait(name="categories", write=parquet_file(pa.array(TRUTH).dictionary_encode())),
    Trait(name="lists of one label", write=parquet_file(pa.array([[label] for label in TRUTH]))),
    Trait(
        name="lists of two labels beside others",
        write=json_lines(objects_of([["negative", "positive"], ["positive"], ["negative"], ["positive"]])),
        labels=(None, "positive", "negative", "positive"),
    ),
    Trait(
        name="labels that are objects",
        write=json_lines(objects_of([{"name": label} for label in TRUTH])),
        labels=NO_GOLD,
        gold_refused="label is an object",
    ),
    Trait(
        name="labels that are structs",
        write=parquet_file(pa.array([{"name": label} for label in TRUTH])),
        labels=NO_GOLD,
        gold_refused="label is struct",
    ),
    Trait(
        name="answers of Prodigy",
        write=json_lines(objects_of(answer=["reject", "accept", "accept", "ignore"])),
        labels=(None, "positive", "negative", None),
    ),
    Trait(
        name="responses of Argilla, of which some were discarded",
        write=json_lines(
            objects_of(
                [["negative"], ["negative"], ["positive"], ["positive"]],
                **{"label.responses.status": [["submitted"], ["discarded"], ["draft"], ["submitted"]]},
            )
        ),
        labels=("negative", None, None, "positive"),
    ),
    Trait(
        name="labels of another task",
        write=csv_file(["billing", "returns", "billing", "shipping"]),
        labels=NO_GOLD,
        gold_refused="billing.*negative, positive",
    ),
    Trait(
        name="stars",
        write=csv_file([1, 5, 1, 4]),
        labels=NO_GOLD,
        gold_refused="1, 4, 5.*negative, positive.*--label-map",
    ),
    Trait(
        name="stars with a map", write=csv_file([1, 5, 1, 4]), flags=("--label-map", "1=negative,4=positive,5=positive")
    ),
    # Delimited files
    Trait(name="semicolons", write=csv_file(delimiter=";")),
    Trait(name="semicolons after sep=", write=csv_file(delimiter=";", before="sep=;\n")),
    Trait(name="tabs in .csv", write=csv_file(delimiter="\t")),
    Trait(name="pipes", write=csv_file(delimiter="|")),
    Trait(
        name="TSV without quoting",
        write=tsv_file(),
    ),
    Trait(
        name="TSV with stray quotation marks",
        write=tsv_file(texts=_STAY_OPEN),
        texts=_STAY_OPEN,
    ),
    Trait(name="all fields quoted", write=csv_file(quoting=csv.QUOTE_ALL)),
    Trait(name="quotation marks escaped by backslashes", write=csv_file(doublequote=False, escapechar="\\")),
    Trait(name="CRLF line ends", write=csv_file(end="\r\n")),
    Trait(name="spaces around column names", write=csv_file(header=(" id", " text", "label "))),
    Trait(name="a comma at the end of each line", write=csv_file(end=",\n")),
    Trait(name="empty column names", write=csv_file(header=("id", "text", "label", "", ""), end=",,\n")),
    Trait(
        name="no header",
        write=csv_file(header=None),
        refused="--columns",
        way_out=("--columns", "id,text,label"),
    ),
    Trait(
        name="rows of a survey that describe its columns",
        write=csv_file(before=_SURVEY, header=None),
    ),
    Trait(
        name="a database dump with \\N",
        write=tsv_file(["\\N", "positive", "negative", "positive"]),
        refused="dump of MySQL or PostgreSQL.*--quote none",
        way_out=("--quote", "none"),
        labels=(None, "positive", "negative", "positive"),
    ),
    # Encodings
    Trait(name="UTF-8 with a byte order mark", write=csv_file(encoding="utf-8-sig")),
    Trait(name="UTF-16", write=csv_file(encoding="utf-16")),
    Trait(
        name="Windows-1252",
        write=csv_file(encoding="cp1252", texts=["Café", "très bien", "façade", "Qualität"]),
        refused="cp1252",
        way_out=("--encoding", "cp1252"),
        texts=("Café", "très bien", "façade", "Qualität"),
    ),
    # JSON
    Trait(name="a JSON array", write=json_file(objects_of())),
    Trait(name="a JSON array over many lines", write=json_file(objects_of(), indent=2)),
    Trait(name="a JSON array inside an object", write=json_file({"data": objects_of()})),
    Trait(
        name="pandas' columns in JSON",
        write=json_file({"text": dict(enumerate(TEXTS)), "label": dict(enumerate(TRUTH))}),
        refused="orient",
    ),
    Trait(name="Label Studio's JSON", write=label_studio_file),
    Trait(name="a JSON array a line", write=json_lines(rows_of()), refused="jq -c '{column1: .\\[0\\], text: .\\[1\\]"),
    Trait(
        name="rows in a list a line",
        write=json_lines([{"rows": [row]} for row in objects_of()]),
        refused=r"jq -c '\.\[\"rows\"\]\[\]'",
    ),
    # Plain text
    Trait(
        name="fastText's __label__",
        write=text_file("".join(f"__label__{label} {text}\n" for _, text, label in rows_of()), name="in.txt"),
        has_ids=False,
    ),
    Trait(
        name="labels before a colon in .txt",
        write=text_file("".join(f"{label}:{text}\n" for _, text, label in rows_of()), name="in.txt"),
        refused="looks like a label",
        way_out=("--delimiter", ":", "--columns", "label,text"),
        has_ids=False,
    ),
    # Arrow
    Trait(name="Arrow IPC", write=arrow_file(pa.array(TRUTH))),
    Trait(
        name="polars' categories",
        write=arrow_file(pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1]), pa.array(CLASSES, pa.string_view()))),
    ),
    # Files and folders
    Trait(name="gzip", write=csv_file(name="in.csv.gz")),
    Trait(name="gzip in capitals", write=csv_file(name="IN.CSV.GZ")),
    Trait(name="bzip2", write=csv_file(name="in.csv.bz2")),
    Trait(name="xz", write=csv_file(name="in.csv.xz")),
    Trait(name="a folder of Hive partitions", write=hive_folder()),
    Trait(name="Hive partitions whose key is also a column", write=hive_folder(beside=True)),
    Trait(
        name="Hive partitions that a column contradicts",
        write=hive_folder(beside=True, wrong=True),
        refused="path says",
    ),
    Trait(name="an empty part file", write=part_files),
    Trait(name="a folder of splits", write=split_folder, refused="splits test, train"),
    Trait(
        name="a tar archive called .csv.gz", write=tar_file, refused="is a tar archive; unpack it first, with: tar -xf"
    ),
    Trait(name="a WebDataset tar", write=webdataset_tar()),
    Trait(name="a WebDataset tar with gzip, ids in its JSON", write=webdataset_tar("in.tar.gz", as_json=True)),
    Trait(name="a tar of files of text in folders", write=text_archive, refused="in 2 folders and nothing beside them"),
)
