"""Folders that Hugging Face's own save_to_disk writes, as input files."""

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.ingest.ingest import IngestConfig, ingest
from store.storage import MemoryStorage

ROWS = 50


def test_saved_data_sets_are_read_with_their_classes_and_splits_are_named(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    columns = {"text": [f"text {row}" for row in range(ROWS)], "label": [row % 2 for row in range(ROWS)]}
    saved = datasets.Dataset.from_dict(columns, features=features)
    datasets.DatasetDict({"train": saved, "test": saved}).save_to_disk(
        tmp_path / "dict", num_shards={"train": 3, "test": 1}
    )
    with pytest.raises(InputError, match="give one of .*dict/train, .*dict/test"):
        ingest(MemoryStorage(), IngestConfig(files=(str(tmp_path / "dict"),)))
    made = ingest(MemoryStorage(), IngestConfig(files=(str(tmp_path / "dict" / "train"),)))
    found = made.sql("SELECT text, class FROM corpus ORDER BY row").to_pylist()
    assert found == [{"text": f"text {row}", "class": ["bad", "good"][row % 2]} for row in range(ROWS)]
