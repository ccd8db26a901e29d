"""Writers of small files that tell the same four reviews. All content is made up."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Sequence
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


def rows_of(labels: Sequence[object] = TRUTH, texts: Sequence[str] = TEXTS) -> list[tuple[object, ...]]:
    """Ids, texts and labels."""
    return list(zip(IDS, texts, labels, strict=True))


def csv_file(
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
        writer.writerows([*([header] if header else ()), *rows_of(labels, texts)])
        pack = _PACKED.get(Path(name).suffix.lower(), bytes)
        (folder / name).write_bytes(pack((before + out.getvalue()).encode(encoding)))
        return [str(folder / name)]

    return write


def tsv_file(labels: Sequence[object] = TRUTH, texts: Sequence[str] = TEXTS) -> Callable[[Path], list[str]]:
    """A writer of a file with tabs between fields and no quoting."""
    return csv_file(labels, name="in.tsv", texts=texts, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)


def text_file(content: str, *, name: str = "in.csv", encoding: str = "utf-8") -> Callable[[Path], list[str]]:
    """A writer of a file of ``content``."""

    def write(folder: Path) -> list[str]:
        (folder / name).write_bytes(content.encode(encoding))
        return [str(folder / name)]

    return write


def objects_of(labels: Sequence[object] = TRUTH, **more: Sequence[object]) -> list[dict[str, object]]:
    """The rows as JSON objects, with ``more`` columns."""
    rows = [{"id": id_, "text": text, "label": label} for id_, text, label in rows_of(labels)]
    return [row | {name: values[at] for name, values in more.items()} for at, row in enumerate(rows)]


def json_file(value: object, *, name: str = "in.json", indent: int | None = None) -> Callable[[Path], list[str]]:
    """A writer of a JSON file."""
    return text_file(json.dumps(value, indent=indent), name=name)


def json_lines(objects: Sequence[object], *, name: str = "in.jsonl") -> Callable[[Path], list[str]]:
    """A writer of a JSON Lines file."""
    return text_file("".join(json.dumps(one) + "\n" for one in objects), name=name)


def table_of(labels: pa.Array | pa.ChunkedArray, **metadata: str) -> pa.Table:
    """All rows, with ``metadata`` in the schema."""
    table = pa.table({"id": list(IDS), "text": list(TEXTS), "label": labels})
    return table.replace_schema_metadata(metadata) if metadata else table


def parquet_file(labels: pa.Array, **metadata: str) -> Callable[[Path], list[str]]:
    """A writer of a Parquet file of all rows."""

    def write(folder: Path) -> list[str]:
        pq.write_table(table_of(labels, **metadata), folder / "in.parquet")
        return [str(folder / "in.parquet")]

    return write


def arrow_file(labels: pa.Array) -> Callable[[Path], list[str]]:
    """A writer of an Arrow file of all rows."""

    def write(folder: Path) -> list[str]:
        table = table_of(labels)
        with pa.ipc.new_file(folder / "in.feather", table.schema) as file:
            file.write_table(table)
        return [str(folder / "in.feather")]

    return write


def hive_folder(*, beside: bool = False, wrong: bool = False) -> Callable[[Path], list[str]]:
    """A writer of a folder for each label. The label may stand ``beside`` the text too, be it the ``wrong`` one."""

    def write(folder: Path) -> list[str]:
        for label in CLASSES:
            rows = [at for at, truth in enumerate(TRUTH) if truth == label]
            part = folder / "hive" / f"label={label}"
            part.mkdir(parents=True)
            columns = {"id": [IDS[at] for at in rows], "text": [TEXTS[at] for at in rows]}
            if beside:
                columns["label"] = ["negative" if wrong else label for _ in rows]
            pq.write_table(pa.table(columns), part / "part-0.parquet")
        return [str(folder / "hive")]

    return write


def split_folder(folder: Path) -> list[str]:
    """A folder as a hub has it, of which the parts are for different uses."""
    (folder / "hub" / "data").mkdir(parents=True)
    for split in ("test", "train"):
        pq.write_table(table_of(pa.array(TRUTH)), folder / "hub" / "data" / f"{split}-00000-of-00001.parquet")
    return [str(folder / "hub")]


def tar_file(folder: Path) -> list[str]:
    """An archive whose name is that of one compressed file."""
    csv_file()(folder)
    with tarfile.open(folder / "rows.csv.gz", "w:gz") as archive:
        archive.add(folder / "in.csv", "in.csv")
    return [str(folder / "rows.csv.gz")]


def part_files(folder: Path) -> list[str]:
    """A part with all rows, and an empty one."""
    csv_file(name="part-0.csv")(folder)
    (folder / "part-1.csv").write_text("")
    return [str(folder / "*.csv")]


def label_studio_file(folder: Path) -> list[str]:
    """Label Studio's JSON export."""
    tasks = [
        {
            "id": at,
            "data": {"id": id_, "text": text},
            "annotations": [{"result": [{"from_name": "label", "type": "choices", "value": {"choices": [label]}}]}],
        }
        for at, (id_, text, label) in enumerate(rows_of())
    ]
    return json_file(tasks)(folder)


def webdataset_tar(name: str = "in.tar", *, as_json: bool = False) -> Callable[[Path], list[str]]:
    """A writer of a WebDataset of all rows, with the ids as keys, or in the JSON of each."""

    def write(folder: Path) -> list[str]:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for number, (id_, text, label) in enumerate(rows_of()):
                said = json.dumps({"id": id_, "label": label})
                members = {"json": said, "txt": text} if as_json else {"cls": label, "txt": text}
                for ending, value in members.items():
                    member = tarfile.TarInfo(f"{f'{number:06d}' if as_json else id_}.{ending}")
                    member.size = len(str(value).encode())
                    tar.addfile(member, io.BytesIO(str(value).encode()))
        (folder / name).write_bytes(_PACKED.get(Path(name).suffix, bytes)(data.getvalue()))
        return [str(folder / name)]

    return write


def text_archive(folder: Path) -> list[str]:
    """Write a tar of files of text in a folder for each class."""
    with tarfile.open(folder / "in.tar", "w") as tar:
        for id_, text, label in rows_of():
            member = tarfile.TarInfo(f"{label}/{id_}.txt")
            member.size = len(str(text).encode())
            tar.addfile(member, io.BytesIO(str(text).encode()))
    return [str(folder / "in.tar")]
