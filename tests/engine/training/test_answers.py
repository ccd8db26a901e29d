"""Students that learn from anybody's answers, alone and averaged with a teacher's labels."""

from pathlib import Path
from typing import Any

import pytest
import tiny_models
from row_files import write
from store_factory import add_corpus, add_labels, write_header

import engine
import store
from engine.training.loop import LoopConfig
from store import Store
from store.storage import LocalStorage

ROWS = 300
FAILED = 4  # of the teacher
NAMES = ["negative", "positive"]
GOOD = ("good", "great", "fine")


def is_good(text: str) -> bool:
    return any(word in text.split() for word in GOOD)


@pytest.fixture
def made(tmp_path: Path) -> Store:
    """Texts, labels of a teacher that failed for one row, and answers for two rows in three."""
    texts = tiny_models.texts(ROWS, words=(3, 8))
    begun = write_header(LocalStorage(tmp_path / "a.store"), rows=ROWS, classes=NAMES)
    add_corpus(begun, text=texts.__getitem__)
    add_labels(begun, "teacher", failed=[FAILED])
    answers = [{"id": f"id-{at}", "label": NAMES[is_good(texts[at])]} for at in range(ROWS) if at % 3]
    file = write(tmp_path / "answers.jsonl", answers)
    engine.label_from(engine.AnswersConfig(store=str(tmp_path / "a.store"), name="gpt", inputs=(str(file),)))
    return store.open(tmp_path / "a.store")


def train(made: Store, folder: Path, labels: tuple[str, ...], **changes: Any) -> engine.Trained:
    student = tiny_models.save(folder / "start", names=NAMES)
    config = engine.DistillConfig(
        store=made.location, student=student, labels=labels, out=str(folder / "out"), **changes
    )
    return engine.train(config)


def test_a_student_learns_what_was_answered(made: Store, tmp_path: Path) -> None:
    texts = tiny_models.texts(200, words=(3, 8), seed=1)
    held_out = write(tmp_path / "test.csv", [{"text": text, "label": NAMES[is_good(text)]} for text in texts])
    loop = LoopConfig(epochs=12, batch_size=8, learning_rate=5e-3)
    trained = train(made, tmp_path, ("gpt",), loop=loop, evaluation=(str(held_out),))
    assert trained.rows == ROWS * 2 // 3
    assert trained.evaluation is not None
    assert trained.evaluation.accuracy > 0.85
    assert "from the label set 'gpt'" in trained.procedure


@pytest.mark.parametrize("labels", [("gpt", "teacher"), ("teacher", "gpt")])
def test_averaged_with_a_teacher_it_learns_from_rows_that_both_labelled(made: Store, tmp_path: Path, labels) -> None:
    trained = train(made, tmp_path, labels, loop=LoopConfig(epochs=1, batch_size=8, learning_rate=1e-3))
    assert trained.rows == sum(1 for row in range(ROWS) if row % 3 and row != FAILED)
    assert f"the mean of the label sets {', '.join(labels)}" in trained.procedure


def test_a_bare_configuration_takes_the_tokenizer_of_the_first_teacher_there_is(made: Store, tmp_path: Path) -> None:
    tiny_models.save(tmp_path / "start", names=NAMES)
    only = tmp_path / "only"
    only.mkdir()
    (only / "config.json").write_text((tmp_path / "start" / "config.json").read_text())
    config = engine.DistillConfig(
        store=made.location, student=str(only / "config.json"), labels=("gpt",), out=str(tmp_path / "out")
    )
    with pytest.raises(engine.errors.ModelError, match="has no tokenizer beside it"):
        engine.train(config)
