"""A store → Parquet, WebDataset tars, a Hugging Face data set: each is read by its own ecosystem, to the last bit."""

import gc
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import store_factory
from store_factory import CLASSES

from engine.errors import InputError
from engine.export.config import ExportConfig, Exported
from engine.export.export import export_store
from engine.export.splits import rows_of_splits
from engine.inputs.paths.file_kinds import EXPORT_CARD
from store import Store
from store.errors import DamageError, StoreMissingError
from store.gold.add_round import Labelled, add_round
from store.storage import MemoryStorage

ROWS, FAILED = 300, [0, 7, 250]
ODD_IDS = {3: "a/b.c d", 4: "../x.tar", 5: "ü:1", 6: "__meta__", 8: ".hidden"}


def id_of(row: int) -> str:
    return ODD_IDS.get(row, f"id-{row}")


@pytest.fixture(scope="module")
def made() -> Store:
    """Two label sets, one with failures; ids that no file could be called by; a round of gold; rows that came later."""
    made = store_factory.write_header(MemoryStorage(), rows=200, shards=3, extras=store_factory.EXTRAS)
    store_factory.add_corpus(made, id_=id_of)
    made.corpus.seal()
    made = store_factory.append_rows(made, rows=100, extras={"stars": pa.int64()})
    store_factory.add_labels(made, "bert", failed=FAILED)
    store_factory.add_labels(made, "gpt-4.1", seed=1)
    add_round(made, Labelled(rows=np.array([3, 299]), labels=np.array([0, 2], np.int16), sources=["people"] * 2))
    made.select("first", where="row < 100", labels="bert")
    made.select("later", where="row >= 150", labels="bert")
    return made


def truth(made: Store, label_set: str = "bert") -> dict[str, list[Any]]:
    """All columns of a store by what SQL says of them, with the logits as they are stored."""
    reviews = made.sql("SELECT * FROM reviews ORDER BY row", labels=label_set)
    columns = {name: reviews.column(name).to_pylist() for name in reviews.schema.names}
    family = made.label_set(label_set)
    tables = [
        pa.ipc.open_file(made.storage.read(f"{family.path}/{one.file}")).read_all() for one in family.records().values()
    ]
    columns["logits"] = [row for table in tables for row in table.column("logits").to_pylist()]
    return columns


def export(made: Store, out: Path, format_: str, **options: Any) -> Exported:
    options.setdefault("labels", ("bert",))
    return export_store(ExportConfig(store=made.storage, out=str(out), format=format_, **options))


def bits(logits: Any) -> list[bytes | None]:
    return [None if row is None else np.array(row, np.float16).tobytes() for row in logits]


# --- Parquet


def test_parquet_is_read_by_bare_duckdb_to_the_last_bit(made: Store, tmp_path: Path) -> None:
    exported = export(made, tmp_path / "out", "parquet", rows_per_file=120)
    assert (exported.rows, exported.failed, exported.files, exported.written) == (ROWS, 3, 3, 3)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [EXPORT_CARD, *(f"rows-0000{n}-of-00003.parquet" for n in range(3))]
    table = duckdb.sql(f"FROM '{tmp_path}/out/*.parquet' ORDER BY row").to_arrow_table()
    expected = truth(made)
    for name in ("row", "id", "text", "stars", "Café", "prediction", "class", "confidence", "margin", "entropy",
                 "n_tokens", "truncated", "failure"):  # fmt: skip
        assert table.column(name).to_pylist() == expected[name], name
    assert table.column("label").to_pylist() == expected["gold_class"]
    found = zip(*(table.column(f"logit_{name}").to_pylist() for name in CLASSES), strict=True)
    found = [None if None in row else row for row in found]
    assert bits(found) == bits(expected["logits"])
    assert found[0] is None
    assert expected["failure"][0] == "non-finite logits"


def test_parquet_is_read_by_the_command_of_duckdb_to_the_last_bit(made: Store, tmp_path: Path) -> None:
    """By a program of its own, with nothing of ours: of another version than the package that this project uses."""
    export(made, tmp_path / "out", "parquet", rows_per_file=120)
    command = [duckdb_command(), "-json", "-c", f"FROM '{tmp_path}/out/*.parquet' ORDER BY row"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), truth(made)
    for name in ("row", "id", "text", "stars", "Café", "prediction", "class", "n_tokens", "truncated", "failure"):
        assert [row[name] for row in found] == expected[name], name
    assert [row["label"] for row in found] == expected["gold_class"]
    logits = ([row[f"logit_{name}"] for name in CLASSES] for row in found)
    assert bits(None if None in row else row for row in logits) == bits(expected["logits"])


def duckdb_command() -> str:
    """The program ``duckdb``, of this environment or on the path; the test is skipped where there is none."""
    here = shutil.which("duckdb", path=str(Path(sys.executable).parent)) or shutil.which("duckdb")
    if here is None:
        pytest.skip("there is no command duckdb: pip install duckdb-cli")
    return here


def test_parquet_says_its_types_and_classes(made: Store, tmp_path: Path) -> None:
    export(made, tmp_path / "out", "parquet")
    schema = pq.read_schema(tmp_path / "out/rows-00000-of-00001.parquet")
    assert json.loads(schema.metadata[b"classes"]) == CLASSES
    assert [schema.field(f"logit_{name}").type for name in CLASSES] == [pa.float16()] * 3
    assert pq.read_table(tmp_path / "out").num_rows == ROWS  # the card is passed over


def test_several_label_sets_stand_side_by_side(made: Store, tmp_path: Path) -> None:
    export(made, tmp_path / "out", "parquet", labels=("bert", "gpt-4.1"))
    table = pq.read_table(tmp_path / "out")
    for label_set in ("bert", "gpt-4.1"):
        expected = truth(made, label_set)
        logits = zip(*(table.column(f"logit_{name}_{label_set}").to_pylist() for name in CLASSES), strict=True)
        assert bits(None if None in row else row for row in logits) == bits(expected["logits"])
        assert table.column(f"class_{label_set}").to_pylist() == expected["class"]
        assert table.column(f"failure_{label_set}").to_pylist() == expected["failure"]
    assert "logit_negative" not in table.schema.names


def test_a_kept_column_gives_way_to_one_of_the_export(tmp_path: Path) -> None:
    made = store_factory.write_header(rows=4, shards=1, extras={"logit_neutral": pa.string()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_factory, "extras_of", lambda rows: {"logit_neutral": pa.array([f"e{row}" for row in rows])})
        store_factory.add_corpus(made)
    store_factory.add_labels(made, "bert")
    export(made, tmp_path / "out", "parquet")
    table = pq.read_table(tmp_path / "out")
    assert table.column("logit_neutral_").to_pylist() == ["e0", "e1", "e2", "e3"]
    assert table.schema.field("logit_neutral").type == pa.float16()


# --- selections and splits


def test_a_selection_comes_alone(made: Store, tmp_path: Path) -> None:
    assert export(made, tmp_path / "out", "parquet", select="first").rows == 100
    assert pq.read_table(tmp_path / "out").column("row").to_pylist() == list(range(100))


def test_shares_are_disjoint_and_all_and_keep_their_rows_when_others_are_appended(made: Store, tmp_path: Path) -> None:
    exported = export(made, tmp_path / "out", "hf", splits={"train": 0.7, "validation": 0.2, "test": 0.1})
    found = {name: split(tmp_path / "out/data", name) for name in exported.splits}
    assert sorted(row for rows in found.values() for row in rows) == list(range(ROWS))
    assert exported.splits == {name: len(rows) for name, rows in found.items()}
    assert 180 < len(found["train"]) < 240
    _, before = rows_of_splits(made.as_of(200), None, {"train": 0.7, "validation": 0.2, "test": 0.1})
    assert {one.name: one.rows.numbers().tolist() for one in before} == {
        name: [row for row in rows if row < 200] for name, rows in found.items()
    }


def split(folder: Path, name: str) -> list[int]:
    return pq.read_table([str(path) for path in sorted(folder.glob(f"{name}-*"))]).column("row").to_pylist()


def test_equal_texts_are_in_one_split(tmp_path: Path) -> None:
    made = store_factory.write_header(rows=200, shards=2)
    store_factory.add_corpus(made, text=lambda row: f"Text  {row % 20}" if row % 2 else f"text {row % 20}")
    store_factory.add_labels(made, "bert")
    export(made, tmp_path / "out", "parquet", splits={"a": 0.5, "b": 0.5})
    texts = [{row % 20 for row in split(tmp_path / "out", name)} for name in ("a", "b")]
    assert texts[0].isdisjoint(texts[1])
    assert len(texts[0] | texts[1]) == 20


def test_splits_can_be_selections(made: Store, tmp_path: Path) -> None:
    exported = export(made, tmp_path / "out", "webdataset", splits={"train": "first", "test": "later"})
    assert (exported.rows, exported.left_out) == (250, 50)
    assert exported.splits == {"train": 100, "test": 150}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {EXPORT_CARD, "train-00000.tar", "test-00000.tar"}


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": 0.9}, r"the shares of --split are 0\.9 = 0\.9; they must be above 0 and sum to 1"),
        ({"train": 1.5, "test": -0.5}, "must be above 0"),
        ({"train": 0.5, "test": "first"}, "shares and selections"),
        ({"train": "first", "test": "first"}, "the splits train and test have 100 rows in common"),
        ({"all": 1.0}, "a split cannot be called 'all'"),
        ({"a b": 1.0}, "a split cannot be called 'a b'"),
        ({"train": 0.999999, "test": 0.000001}, "the split test has no rows"),
    ],
)
def test_splits_that_are_none_are_refused(made: Store, tmp_path: Path, splits: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        export(made, tmp_path / "out", "parquet", splits=splits)
    assert not list(tmp_path.iterdir())


def test_a_selection_that_is_not_there_is_refused(made: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError, match="has no selection 'nothing'"):
        export(made, tmp_path / "out", "parquet", select="nothing")


# --- WebDataset


def samples(folder: Path) -> list[dict[str, Any]]:
    import webdataset

    files = sorted(map(str, folder.glob("*.tar")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves its files to the garbage collector
        found = list(webdataset.WebDataset(files, shardshuffle=False, empty_check=False).decode())
        gc.collect()
    return found


def test_tars_are_read_by_plain_webdataset_to_the_last_bit(made: Store, tmp_path: Path) -> None:
    assert export(made, tmp_path / "out", "webdataset", rows_per_file=130).files == 3
    found, expected = samples(tmp_path / "out"), truth(made)
    assert [sample["__key__"] for sample in found] == [f"{row:09d}" for row in range(ROWS)]
    assert [sample["txt"] for sample in found] == expected["text"]
    assert bits(sample.get("logits.npy") for sample in found) == bits(expected["logits"])
    assert found[1]["logits.npy"].dtype == np.float16
    assert [sample.get("cls") for sample in found] == expected["gold"]
    said = [sample["json"] for sample in found]
    for name in ("row", "id", "stars", "Café", "prediction", "class", "confidence", "entropy", "failure", "truncated"):
        assert [row[name] for row in said] == expected[name], name
    assert [row["label"] for row in said] == expected["gold_class"]
    assert {row: said[row]["id"] for row in ODD_IDS} == ODD_IDS


def test_numbers_that_json_cannot_say_are_null(tmp_path: Path) -> None:
    made = store_factory.write_header(rows=3, shards=1, extras={"x": pa.float64()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_factory, "extras_of", lambda _: {"x": pa.array([np.nan, np.inf, 0.1])})
        store_factory.add_corpus(made)
    store_factory.add_labels(made, "bert")
    export(made, tmp_path / "out", "webdataset")
    assert [sample["json"]["x"] for sample in samples(tmp_path / "out")] == [None, None, 0.1]


def test_several_label_sets_are_members_of_one_sample(made: Store, tmp_path: Path) -> None:
    export(made, tmp_path / "out", "webdataset", labels=("bert", "gpt-4.1"))
    found = samples(tmp_path / "out")
    for label_set in ("bert", "gpt-4.1"):
        logits = [sample.get(f"logits_{label_set}.npy") for sample in found]
        assert bits(logits) == bits(truth(made, label_set)["logits"])


# --- Hugging Face


def test_load_dataset_opens_the_folder_to_the_last_bit(
    made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    splits = {"train": 0.8, "test": 0.2}
    exported = export(made, tmp_path / "out", "hf", splits=splits, rows_per_file=100)
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: found[name].num_rows for name in found} == exported.splits
    features = found["train"].features
    assert features["label"].names == features["prediction"].names == CLASSES
    expected = truth(made)
    for name in splits:
        rows = found[name]["row"][:]
        table = found[name].with_format("arrow")[:]
        assert table.column("id").to_pylist() == [expected["id"][row] for row in rows]
        assert table.column("text").to_pylist() == [expected["text"][row] for row in rows]
        assert table.column("label").to_pylist() == [expected["gold"][row] for row in rows]
        assert table.column("prediction").to_pylist() == [expected["prediction"][row] for row in rows]
        assert table.schema.field("logits").type.value_type == pa.float16()
        assert bits(table.column("logits").to_pylist()) == bits(expected["logits"][row] for row in rows)
        assert table.column("failure").to_pylist() == [expected["failure"][row] for row in rows]


def test_the_card_says_what_is_there(made: Store, tmp_path: Path) -> None:
    import yaml

    export(made, tmp_path / "out", "hf", select="first")
    _, head, body = (tmp_path / "out/README.md").read_text().split("---\n", 2)
    said = yaml.safe_load(head)
    assert said["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*"}]
    assert [(one["name"], one["num_examples"]) for one in said["dataset_info"]["splits"]] == [("train", 100)]
    assert said["size_categories"] == ["n<1K"]
    assert said["dataset_info"]["download_size"] == sum(
        path.stat().st_size for path in (tmp_path / "out/data").iterdir()
    )
    assert "`test/bert`" in body
    assert "`first`, of which `row < 100` holds" in body


# --- what is there, and what is not


def test_a_label_set_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    made = store_factory.make_store(labels=())
    store_factory.add_labels(made, "bert", shards=[0])
    with pytest.raises(StoreMissingError, match="lacks 2 of 3 shards"):
        export(made, tmp_path / "out", "parquet")


def test_of_several_label_sets_one_has_to_be_chosen(made: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError, match="choose one with --labels"):
        export(made, tmp_path / "out", "parquet", labels=())


@pytest.mark.parametrize("family", ["corpus", "labels/bert"])
def test_damage_is_seen_before_anything_is_written(tmp_path: Path, family: str) -> None:
    made = store_factory.make_store()
    record = made.family(family).records()[1]
    store_factory.flip_bit(made.storage, f"{family}/{record.file}", 3000)
    with pytest.raises(DamageError, match=record.file):
        export(made, tmp_path / "out", "parquet")
    assert not list(tmp_path.iterdir())


def test_an_export_of_nothing_is_refused(tmp_path: Path) -> None:
    made = store_factory.make_store()
    made.select("none", where="false")
    with pytest.raises(InputError, match="'none' has no rows"):
        export(made, tmp_path / "out", "parquet", select="none")


def test_one_class_more_than_letters(tmp_path: Path) -> None:
    """Names of classes with spaces, quotes and commas are names of columns, too."""
    classes = ['very "good", really', "é|`", "x"]
    made = store_factory.make_store(rows=6, shards=1, classes=classes)
    for format_ in ("parquet", "hf", "webdataset"):
        export(made, tmp_path / format_, format_)
    assert {f"logit_{name}" for name in classes} <= set(
        pq.read_schema(next((tmp_path / "parquet").glob("*.parquet"))).names
    )
    assert {sample["json"]["class"] for sample in samples(tmp_path / "webdataset")} <= set(classes)
