"""The steps of soft labels: the same batches as a stream of each epoch, from one stream that is opened once."""

from collections import Counter

import numpy as np
import pytest
import store_factory
import torch

from engine.tokens.tokens import Tokens
from engine.training.data.store_steps import SoftLabels, SoftSteps
from engine.training.distributed import Ranks
from store import Store
from store.gold.fingerprint import fingerprints
from store.rows.row_set import RowSet
from store.selections.selection import Selection, freeze_selection
from store.storage import MemoryStorage

ROWS, BATCH = 60, 8
FAILED = [0, 7, 59]
CHOSEN = list(range(5, 50))


class CountingStorage(MemoryStorage):
    """Counts how often each file is read, and each folder listed."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def read(self, name):
        self.calls[name] += 1
        return super().read(name)

    def list(self, folder):
        self.calls[f"{folder}/"] += 1
        return super().list(folder)


class Words:
    """An encoding of which the store keeps no tokens: a token for each word, its length."""

    name, max_length = "words", 16

    def encode(self, texts):
        rows = [[len(word) for word in text.split()] for text in texts]
        offsets = np.cumsum([0, *map(len, rows)])
        ids = np.array([length for row in rows for length in row], np.uint16)
        return Tokens(ids=ids, offsets=offsets, truncated=np.zeros(len(rows), np.bool_))


@pytest.fixture
def store_() -> Store:
    """Four shards; three rows failed, and a selection has 45."""
    made = store_factory.write_header(CountingStorage(), rows=ROWS, shards=4, extras=store_factory.EXTRAS)
    store_factory.add_corpus(made)
    store_factory.add_labels(made, "bert", failed=FAILED)
    rows = RowSet.of(np.array(CHOSEN), size=ROWS)
    freeze_selection(made, Selection(name="middle", rows=rows, sources=fingerprints(made, ["corpus"])))
    return made


def soft_steps(store_, *, rank=0, ranks=1, batch_size=BATCH):
    return SoftSteps(
        store_,
        SoftLabels(labels=("bert",), select="middle", rounds=(0,)),
        Words(),
        batch_size=batch_size,
        seed=3,
        ranks=Ranks(rank=rank, count=ranks, device=torch.device("cpu")),
    )


def is_data(name):
    return name.endswith(".arrow") and not name.startswith("selections")


def test_an_epoch_reads_nothing_again_that_was_read_when_the_stream_was_opened(store_):
    """Records, cards, the selection, and the shards whose statistics name failed rows."""
    steps = soft_steps(store_)
    calls = store_.storage.calls
    opened = calls.copy()
    for epoch in range(3):
        assert len(list(steps.epoch(epoch, 0))) == steps.per_epoch
    again = calls - opened
    assert [name for name in again if not is_data(name)] == []
    assert max(again.values(), default=0) <= 2  # the corpus, by the readers of texts and of its own gold
    assert sum(count for name, count in opened.items() if name.startswith("selections/middle")) > 0


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("first", [0, 2])
def test_the_batches_are_those_of_a_stream_of_each_epoch(store_, ranks, first):
    for rank in range(ranks):
        steps = soft_steps(store_, rank=rank, ranks=ranks)
        for epoch in (2, 0, 1):
            stream = store_.stream(
                labels=("bert",),
                select="middle",
                columns=("logits", "text", "gold"),
                rounds=(0,),
                batch_size=BATCH,
                seed=3,
                epoch=epoch,
                step=first,
                rank=rank,
                ranks=ranks,
            )
            for step, batch in zip(steps.epoch(epoch, first), stream, strict=True):
                np.testing.assert_array_equal(step.targets["logits"][:, 0], batch["logits"].astype(np.float32))
                np.testing.assert_array_equal(step.targets["label"], batch["gold"])
                np.testing.assert_array_equal(step.tokens.ids, Words().encode(batch["text"].tolist()).ids)
                assert len(step.rows) == len(batch["row"])


def test_an_epoch_that_is_given_up_does_not_disturb_the_next(store_):
    steps = soft_steps(store_)
    whole = [step.targets["logits"] for step in steps.epoch(0, 0)]
    begun = steps.epoch(1, 0)
    next(begun)
    for step, logits in zip(steps.epoch(0, 0), whole, strict=True):
        np.testing.assert_array_equal(step.targets["logits"], logits)
    begun.close()


def test_rows_without_an_answer_of_all_label_sets_are_counted(store_, caplog):
    caplog.set_level("INFO")
    store_factory.add_labels(store_, "other", failed=[0, 6])

    def said(labels, select, rank=0):
        caplog.clear()
        ranks = Ranks(rank=rank, count=2, device=torch.device("cpu"))
        SoftSteps(store_, SoftLabels(labels=labels, select=select), Words(), batch_size=BATCH, seed=3, ranks=ranks)
        return [one.getMessage() for one in caplog.records if "left out" in one.getMessage()]

    both = ("bert", "other")
    assert said(both, None) == [
        "4 of 60 rows are left out: they lack an answer in one of these label sets: bert, other"
    ]
    assert said(both, "middle") == [
        "2 of 45 rows are left out: they lack an answer in one of these label sets: bert, other"
    ]
    assert said(both, None, rank=1) == []
