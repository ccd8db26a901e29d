"""Ids of labels that are not those of the store → a reason that says what became of them."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.ingest.gold_rounds import GoldRound, GoldRoundConfig, add_gold
from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import LabelColumns
from store.storage import MemoryStorage

CLASSES = ["good", "bad"]
LABELS = ["good", "bad", "good", "bad"]


def added(tmp_path: Path, ids: list[str], gold: str, *, id_: str | None = None) -> GoldRound:
    """The round that ``gold`` makes in a store of texts with these ``ids``."""
    texts = tmp_path / "texts.csv"
    texts.write_text("id,text\n" + "".join(f"{id_},text {number}\n" for number, id_ in enumerate(ids)))
    storage = MemoryStorage()
    ingest(storage, IngestConfig(files=(str(texts),)), known=CLASSES)
    return add_gold(GoldRoundConfig(store=storage, inputs=(gold,), columns=LabelColumns(id=id_)))


def test_of_two_columns_of_ids_of_the_store_one_has_to_be_chosen(tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    pd.DataFrame({"id": range(4), "review_id": [3, 1, 2, 0], "label": LABELS}).to_csv(gold, index=False)
    ids = [str(number) for number in range(4)]
    with pytest.raises(InputError, match=r"the column 'review_id' has ids of the store, .* with --id"):
        added(tmp_path, ids, str(gold))
    for name in ("id", "review_id"):
        assert added(tmp_path, ids, str(gold), id_=name).added == 4


@pytest.mark.parametrize("other", [["a", "b", "c", "d"], ["0", "1", "2", "3"], ["", "", "", ""]])
def test_another_column_of_ids_is_told(tmp_path: Path, other: list[str], caplog: pytest.LogCaptureFixture) -> None:
    gold = tmp_path / "gold.csv"
    pd.DataFrame({"id": range(4), "review_id": other, "label": LABELS}).to_csv(gold, index=False)
    caplog.set_level("INFO")
    assert added(tmp_path, ["0", "1", "2", "3"], str(gold)).added == 4
    said = f"{gold}: the id is read from 'id', and not from 'review_id'; --id names another column"
    assert said in caplog.messages


def test_lost_zeros_are_told_and_can_be_put_back(tmp_path: Path) -> None:
    ids, gold = ["00017", "00018", "00109", "00001"], tmp_path / "gold.csv"
    pd.DataFrame({"id": map(int, ids), "label": LABELS}).to_csv(gold, index=False)
    with pytest.raises(InputError) as raised:
        added(tmp_path, ids, str(gold))
    assert "id '17' is not in the store; '00017' is, and so zeros at the beginning were lost" in str(raised.value)
    assert "as with str.zfill(5) on a column of strings" in str(raised.value)
    assert str(raised.value).endswith("An id of the store is '00017'")
    rows = pd.read_csv(gold, dtype=str)
    rows.assign(id=rows.id.str.zfill(5)).to_csv(gold, index=False)
    assert added(tmp_path, ids, str(gold)).added == 4


def test_added_zeros_are_told(tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("id,label\n0017,good\n18,bad\n")
    (reason,) = added(tmp_path, ["17", "18"], str(gold)).reasons
    assert "'17' is, and so zeros at the beginning were added" in reason
    assert "str.lstrip('0')" in reason


@pytest.mark.parametrize(
    ("id_", "written", "way"),
    [
        ("1001", "1,001", r"str.replace(r'\D', '', regex=True)"),
        ("1001", "1.001", r"str.replace(r'\D', '', regex=True)"),
        ("ab-12", "{AB-12}", "str.strip('{}').str.lower()"),
    ],
)
def test_marks_in_ids_are_told_with_the_way_to_take_them_out(tmp_path: Path, id_: str, written: str, way: str) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text(f'id,label\n"{written}",good\nx,bad\n')
    (reason,) = added(tmp_path, [id_, "x"], str(gold)).reasons
    assert f"is not in the store; {id_!r} is, without the " in reason
    assert f"as with {way} in pandas" in reason


def test_rounded_ids_are_told(tmp_path: Path) -> None:
    ids, gold = ["570306133677760513", "570301031407624196"], tmp_path / "gold.parquet"
    pq.write_table(pa.table({"id": [float(id_) for id_ in ids], "label": LABELS[:2]}), gold)
    with pytest.raises(InputError, match="it is a rounded number, and its last digits may be lost") as raised:
        added(tmp_path, ids, str(gold))
    assert "An id of the store is '570306133677760513'" in str(raised.value)


def test_other_ids_have_one_of_the_store_beside_them(tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("id,label\nx1,good\nx2,bad\n")
    with pytest.raises(
        InputError,
        match=r"Of 2 labelled ids of the files none is in the store: 'x1' is not there, and .* is 'h101'\. .* --id",
    ):
        added(tmp_path, ["h101", "h102"], str(gold))
