"""`benchmarks.loader.run`, small and without peers, and its check of an epoch, which must not let a wrong one pass."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.loader.child import checked
from benchmarks.loader.contenders import CONTENDERS, OURS
from benchmarks.loader.data import Batch, Data, load_data, make_data
from benchmarks.loader.run import measure
from benchmarks.loader.store import epochs, write
from benchmarks.loader.table import loader

ROWS = 300


@pytest.fixture(scope="module")
def data() -> Data:
    return make_data(ROWS)


@pytest.fixture(scope="module")
def batches(data: Data, tmp_path_factory: pytest.TempPathFactory) -> list[Batch]:
    """A right epoch."""
    place = tmp_path_factory.mktemp("loader") / "made.store"
    write(data, place)
    return list(epochs(place, "stream", 0)(0))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(tmp_path_factory.mktemp("loader"), rows=ROWS, trial_rows=100, rounds=2, pythons=[])


def as_peers_give(batch: Batch) -> Batch:
    """An array a row."""
    assert batch.offsets is not None
    return batch._replace(ids=np.split(np.asarray(batch.ids), batch.offsets[1:-1]), offsets=None)


@pytest.mark.slow
def test_ours_runs_alone_and_names_the_peers_that_are_not_there(result: dict[str, Any]) -> None:
    assert result["absent"].keys() == CONTENDERS.keys() - {OURS}
    assert result["figures"].keys() == {OURS}
    assert result["figures"][OURS]["times_as_fast"] == 1
    assert len(result["seconds"][OURS]) == 2
    assert result["rows"] == ROWS
    assert len(result["tried_rows_per_second"][OURS]) == len(CONTENDERS[OURS].forms["stream"])


@pytest.mark.slow
def test_the_table_has_a_row_for_each_contender(result: dict[str, Any]) -> None:
    conditions = {"cores": 2, "processor": "a processor", "versions": {"pyarrow": "1", "numpy": "2"}}
    header, _, *rows, blank, note = loader({"conditions": conditions, **result})
    assert header.count("|") == rows[0].count("|") == 7
    assert len(rows) == 1
    assert not blank
    assert "300 rows" in note
    assert "litdata" in note


def test_an_epoch_of_the_stream_is_right_in_either_shape(data: Data, batches: list[Batch]) -> None:
    assert checked(data, batches) == ROWS
    assert checked(data, map(as_peers_give, batches)) == ROWS


def test_a_missing_row_is_seen(data: Data, batches: list[Batch]) -> None:
    with pytest.raises(ValueError, match="44 rows did not come"):
        checked(data, batches[:-1])


def test_a_doubled_row_is_seen(data: Data, batches: list[Batch]) -> None:
    with pytest.raises(ValueError, match="44 came twice"):
        checked(data, [*batches, batches[-1]])


def test_a_row_in_another_ones_place_is_seen(data: Data, batches: list[Batch]) -> None:
    first = as_peers_give(batches[0])
    wrong = first._replace(rows=np.roll(first.rows, 1))
    with pytest.raises(ValueError, match="token ids of rows"):
        checked(data, [wrong, *batches[1:]])


@pytest.mark.parametrize("field", ["ids", "logits"])
def test_one_wrong_number_is_seen(data: Data, batches: list[Batch], field: str) -> None:
    changed = np.array(getattr(batches[0], field))
    changed.reshape(-1)[5] += 1
    with pytest.raises(ValueError, match="are not those that were written"):
        checked(data, [batches[0]._replace(**{field: changed}), *batches[1:]])


def test_data_come_back_from_their_files(data: Data, tmp_path: Path) -> None:
    data.save(tmp_path / "data")
    read = load_data(tmp_path / "data")
    assert np.array_equal(read.ids, data.ids)
    assert np.array_equal(read.offsets, data.offsets)
    assert np.array_equal(read.logits, data.logits)


def test_lengths_are_those_of_reviews() -> None:
    lengths = make_data(20_000).lengths
    assert 137 < lengths.mean() < 170
    assert lengths.max() == 512
