"""`engine train TARS`: the same student, to the last bit, as from the store that they were exported from."""

import dataclasses
import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import store_factory
import tiny_models
import webdataset

import engine
import store
from cli.main import run
from engine.errors import InputError
from engine.export.config import ExportConfig
from engine.export.export import export_store
from engine.inputs.paths.file_kinds import EXPORT_CARD
from engine.training.data.exported_tars import is_export, store_of_tars
from engine.training.loop import LoopConfig
from store.gold.add_round import Labelled, add_round
from store.storage import LocalStorage

ROWS, FAILED = 96, [0, 5, 95]
LOOP = LoopConfig(epochs=2, batch_size=16, learning_rate=1e-2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store on disk, its tars, those of a selection, and a student to begin with."""
    root = tmp_path_factory.mktemp("exported")
    texts = tiny_models.texts(ROWS, words=(3, 8))
    made = store_factory.write_header(
        LocalStorage(root / "store"), rows=ROWS, shards=3, classes=("negative", "positive"), extras=store_factory.EXTRAS
    )
    store_factory.add_corpus(made, text=texts.__getitem__)
    store_factory.add_labels(made, "bert", failed=FAILED)
    store_factory.add_labels(made, "gpt", seed=3)
    add_round(made, Labelled(rows=np.array([2, 9]), labels=np.array([1, 0], np.int16), sources=["people"] * 2))
    made.select("some", where="row % 3 > 0", labels="bert")
    for family in made.families():
        family.seal()
    for name, options in {"tars": {}, "some": {"select": "some"}, "both": {"labels": ("bert", "gpt")}}.items():
        options = {"labels": ("bert",), **options}
        export_store(
            ExportConfig(store=made.storage, out=str(root / name), format="webdataset", rows_per_file=40, **options)
        )
    splits = {"train": 0.7, "test": 0.3}
    config = ExportConfig(
        store=made.storage, out=str(root / "split"), format="webdataset", labels=("bert",), splits=splits
    )
    export_store(dataclasses.replace(config, rows_per_file=30))
    tiny_models.save(root / "start")
    return root


def weights(folder: Path, out: Path, place: str, **options: Any) -> str:
    """The hash of the weights of a student."""
    config = engine.DistillConfig(
        store=str(folder / place), student=str(folder / "start"), out=str(out), loop=LOOP, **options
    )
    assert engine.train(config).rows
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def test_the_student_is_the_same_as_from_the_store(folder: Path, tmp_path: Path) -> None:
    of_tars = weights(folder, tmp_path / "of_tars", "tars")
    of_store = weights(folder, tmp_path / "of_store", "store", labels=("bert",))
    assert of_tars == of_store
    losses = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("of_tars", "of_store")]
    steps = [[line["loss"] for line in map(json.loads, text.splitlines()) if "loss" in line] for text in losses]
    assert steps[0] == steps[1]
    assert str(folder / "tars") in (tmp_path / "of_tars" / "README.md").read_text()


def test_the_student_of_a_selection_is_the_same(folder: Path, tmp_path: Path) -> None:
    of_tars = weights(folder, tmp_path / "of_tars", "some")
    assert of_tars == weights(folder, tmp_path / "of_store", "store", labels=("bert",), select="some")


def test_gold_weights_and_several_label_sets_are_there_too(folder: Path, tmp_path: Path) -> None:
    options = {
        "loss": engine.SoftLoss(gold_weight=0.4),
        "weight": "coalesce(stars, 0) + 1.5",
        "labels": ("gpt", "bert"),
    }
    of_tars = weights(folder, tmp_path / "of_tars", "both", **options)
    assert of_tars == weights(folder, tmp_path / "of_store", "store", **options)


def test_tars_of_a_split_are_named_by_a_pattern(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds the splits"):
        weights(folder, tmp_path / "none", "split")
    with store_of_tars(str(folder / "split" / "train-*.tar")) as train, store_of_tars(f"{folder}/split/*.tar") as both:
        rows = [
            set(part.sql("SELECT row FROM labels WHERE failure IS NULL").column(0).to_pylist())
            for part in (train, both)
        ]
    assert rows[1] == set(range(ROWS)) - set(FAILED)
    assert 50 < len(rows[0]) < len(rows[1])


def test_the_store_that_is_read_back_has_the_same_columns(folder: Path) -> None:
    original = store.open(folder / "store")
    with store_of_tars(str(folder / "both")) as back:
        assert not back.verify().findings
        for query in (
            'SELECT row, id, text, n_chars, text_hash, stars, "Café", class FROM reviews ORDER BY row',
            "SELECT * EXCLUDE (shard) FROM labels ORDER BY label_set, row",
        ):
            found, expected = (one.sql(query, labels="bert") for one in (back, original))
            if "class FROM reviews" in query:
                assert found.equals(expected)
            else:
                assert found.to_pylist() == expected.to_pylist()
        gold = "SELECT gold FROM reviews ORDER BY row"
        assert back.sql(gold, labels="bert").equals(original.sql(gold, labels="bert"))
        root = Path(back.storage.address)
    assert not root.exists()


def test_a_run_from_tars_is_resumed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", str(folder / "tars"), "--student", str(folder / "start"), "--out", str(tmp_path / "out")]
    assert run([*arguments, "--epochs", "1"]) == 0
    assert run([*arguments, "--epochs", "1"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] == ROWS - 3


@pytest.mark.parametrize(
    "options", [{"select": "some"}, {"calibrated": True}, {"rounds": (0,), "loss": engine.SoftLoss(gold_weight=0.5)}]
)
def test_what_tars_do_not_have_is_refused(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="has no selections, calibrations and rounds of gold"):
        weights(folder, tmp_path / "out", "tars", **options)
    assert not (tmp_path / "out").exists()


def test_tars_of_others_are_refused_with_a_way(tmp_path: Path) -> None:
    with webdataset.TarWriter(str(tmp_path / "a.tar")) as tar:
        tar.write({"__key__": "0", "txt": "good"})
    with pytest.raises(
        InputError, match=r"a training takes tars that `engine export .* Label others first: `engine label"
    ):
        store_of_tars(str(tmp_path / "a.tar")).__enter__()


def test_other_exports_are_refused(folder: Path, tmp_path: Path) -> None:
    made = store.open(folder / "store")
    export_store(ExportConfig(store=made.storage, out=str(tmp_path / "out"), format="parquet", labels=("bert",)))
    assert is_export(str(tmp_path / "out"))
    with pytest.raises(InputError, match="is an export as parquet"):
        store_of_tars(str(tmp_path / "out")).__enter__()


def test_a_tar_that_is_not_as_its_card_says_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "tars", tmp_path / "tars")
    path = tmp_path / "tars" / "rows-00001.tar"
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"rows-00001\.tar is not as .*_export\.json says"):
        store_of_tars(str(tmp_path / "tars")).__enter__()
    card = tmp_path / "tars" / EXPORT_CARD
    card.write_text(card.read_text()[:-50])
    with pytest.raises(InputError, match="with the _export.json beside them"):
        store_of_tars(str(tmp_path / "tars")).__enter__()


def test_a_folder_that_lacks_a_tar_is_refused_and_a_pattern_says_how_many_it_names(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(folder / "tars", tmp_path / "tars")
    with caplog.at_level(logging.INFO), store_of_tars(f"{tmp_path}/tars/*.tar"):
        assert "tars of the export" not in caplog.text, "all are there"
    (tmp_path / "tars" / "rows-00001.tar").unlink()
    with pytest.raises(InputError, match=r"tars lacks 1 of the 3 tars .*: rows-00001\.tar; fetch them, or") as refused:
        store_of_tars(str(tmp_path / "tars")).__enter__()
    pattern = str(refused.value).rpartition(": ")[2]
    with caplog.at_level(logging.INFO), store_of_tars(pattern) as some:
        assert f"{pattern}: 2 of the 3 tars of the export" in caplog.text
        assert (
            0 < some.sql("SELECT count(*) FROM labels WHERE failure IS NULL").column(0)[0].as_py() < ROWS - len(FAILED)
        )
