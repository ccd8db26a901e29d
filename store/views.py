"""What SQL sees of a store: the views ``corpus labels reviews gold rejects shards``, over what is committed."""

import json

import duckdb
import pyarrow as pa

from store.contents import Contents
from store.runs import shard_seconds
from store.schema import CORPUS, GOLD, LABELS

_SHARDS = pa.schema(
    [
        ("family", pa.string()),
        ("name", pa.string()),
        ("shard", pa.int64()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("seconds", pa.float64()),
        ("statistics", pa.string()),
    ]
)
_LABEL_COLUMNS = (
    "row, {name} AS label_set, {shard} AS shard, prediction, {class_} AS class, confidence, margin, entropy, "
    "n_tokens, truncated, failure, logits::FLOAT[] AS logits"
)


def make_views(connection: duckdb.DuckDBPyConnection, contents: Contents, labels: str | None) -> None:
    """Create the six views; ``reviews`` only where ``labels`` names a label set or there is just one."""
    shard = _shard_expression(contents)
    connection.register("_corpus", contents.dataset(CORPUS))
    connection.register("_gold", contents.dataset(GOLD))
    connection.register("_rejects", contents.rejects())
    connection.register("_shards", _shards_table(contents))
    extras = "".join(f", {_identifier(name)}" for name in contents.header.extras)
    class_ = _class_expression("label", contents.header.classes)
    connection.execute(
        f"CREATE VIEW corpus AS SELECT row, id, text, label, {class_} AS class, n_chars, text_hash, "
        f"{shard} AS shard{extras} FROM _corpus"
    )
    connection.execute("CREATE VIEW gold AS SELECT row, label, source, round FROM _gold")
    connection.execute("CREATE VIEW rejects AS SELECT file, source_row, id, reason FROM _rejects")
    connection.execute("CREATE VIEW shards AS SELECT * FROM _shards")
    connection.execute(f"CREATE VIEW labels AS {_labels_select(connection, contents, shard)}")
    names = contents.label_sets()
    if labels is not None or len(names) == 1:
        chosen = contents.one_label_set(labels)
        connection.execute(f"CREATE VIEW reviews AS {_reviews_select(chosen, extras)}")


def _labels_select(connection: duckdb.DuckDBPyConnection, contents: Contents, shard: str) -> str:
    class_ = _class_expression("prediction", contents.header.classes)
    selects = []
    for number, name in enumerate(contents.label_sets()):
        connection.register(f"_labels_{number}", contents.dataset(f"{LABELS}/{name}", logit=pa.float32()))
        columns = _LABEL_COLUMNS.format(name=_literal(name), shard=shard, class_=class_)
        selects.append(f"SELECT {columns} FROM _labels_{number}")
    if not selects:
        empty = contents.schema(f"{LABELS}/none", logit=pa.float32()).empty_table()
        connection.register("_labels_none", empty)
        columns = _LABEL_COLUMNS.format(name="''", shard=shard, class_=class_)
        selects.append(f"SELECT {columns} FROM _labels_none")
    return " UNION ALL ".join(selects)


def _reviews_select(labels: str, extras: str) -> str:
    return (
        "SELECT c.row, c.id, c.text, c.label AS gold, c.class AS gold_class, c.n_chars, c.text_hash, c.shard, "
        "l.label_set, l.prediction, l.class, l.confidence, l.margin, l.entropy, l.n_tokens, l.truncated, l.failure, "
        f"l.logits{extras} FROM corpus c JOIN labels l ON l.row = c.row WHERE l.label_set = {_literal(labels)}"
    )


def _shard_expression(contents: Contents) -> str:
    """The inverse of `store.schema.shard_range`, in SQL."""
    return f"((row + 1) * {contents.header.shards} - 1) // {max(1, contents.header.rows)}"


def _class_expression(index: str, classes: list[str]) -> str:
    return f"([{', '.join(map(_literal, classes))}]::VARCHAR[])[{index} + 1]"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _shards_table(contents: Contents) -> pa.Table:
    seconds = shard_seconds(contents.storage)
    rows = [
        {
            "family": family.path.split("/")[0],
            "name": family.name,
            "shard": record.shard,
            "rows": record.rows,
            "bytes": record.bytes,
            "sha256": record.sha256,
            "seconds": seconds.get((family.path, record.shard)),
            "statistics": json.dumps(record.statistics),
        }
        for family in contents.families()
        for record in family.records().values()
    ]
    return pa.Table.from_pylist(rows, schema=_SHARDS)
