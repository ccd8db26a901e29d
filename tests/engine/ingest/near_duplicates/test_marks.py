"""``--mark-near-duplicates``: columns of a store that say which rows are nearly the same as an earlier one."""

import json
import random

import pyarrow as pa
import pytest
from faults import snapshot
from whole_run import CLASSES

import store
from engine.errors import InputError
from engine.ingest.append import append, finish_corpus
from engine.ingest.ingest import IngestConfig, ingest
from engine.ingest.near_duplicates.index import NearDuplicates
from engine.ingest.near_duplicates.marks import Marker
from engine.labelling.planning.config import LabelConfig
from engine.labelling.planning.corpus import given_to
from store.errors import MismatchError
from store.format.segments import MARK, MARK_SIMILARITY
from store.storage import MemoryStorage
from store.verify.verify import verify

WORDS = [f"word{number}" for number in range(500)]


def texts(rows, seed=0):
    """Texts of which about every third is a copy of an earlier one, or of a copy, with a few words more."""
    made, held = random.Random(seed), []
    for row in range(rows):
        if held and made.random() < 0.35:
            held.append(f"{made.choice(held)} {' '.join(made.choices(WORDS, k=made.randrange(4)))}")
        else:
            held.append(" ".join(made.choices(WORDS, k=made.randint(1, 60))) + f" row{row}")
    return held


def jsonl(path, rows, **more):
    lines = [json.dumps({"id": f"{path.stem}-{row}", "text": text, **more}) for row, text in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def marks(made):
    table = made.dataset("corpus").to_table()
    return list(zip(table.column(MARK).to_pylist(), table.column(MARK_SIMILARITY).to_pylist(), strict=True))


def marked(*pieces, threshold=0.8):
    marker, found = Marker(threshold), []
    for piece in pieces:
        columns = marker.mark(pa.array(piece, pa.string()))
        found += zip(columns[MARK].to_pylist(), columns[MARK_SIMILARITY].to_pylist(), strict=True)
    return found


def test_each_marked_row_is_like_an_unmarked_one_and_these_are_not_alike():
    held = texts(400)
    found = marked(held)
    firsts = [row for row, (of, _) in enumerate(found) if of is None]
    assert 200 < len(firsts) < 350
    for row, (of, similarity) in enumerate(found):
        assert of is None or (of in firsts and of < row and 0.8 <= similarity <= 1)
    alone = NearDuplicates()
    alone.add([held[row] for row in firsts])
    assert len(alone.pairs([held[row] for row in firsts]).places) == len(firsts)  # each with itself


def test_marks_do_not_depend_on_how_rows_are_cut(monkeypatch):
    held = [*texts(300), *["the same text again"] * 150, *texts(50)]
    whole = marked(held)
    assert marked(*([one] for one in held)) == whole
    assert marked(held[:130], held[130:131], [], held[131:]) == whole
    monkeypatch.setattr("engine.ingest.near_duplicates.marks._CHARACTERS", 500)
    assert marked(held) == whole


def test_a_copy_of_a_copy_is_marked_with_the_first_or_not_at_all():
    base = " ".join(WORDS[:40])
    second, third = f"{base} a b c d e", f"{base} a b c d e f g h i j k l m n"
    found = marked([base, second, third])
    assert found[1] == (0, 38 / 43)
    assert found[2] == (None, None)  # 38 of 52 with the first, 43 of 52 with the second, which is marked
    assert marked([base, second, third], threshold=0.7)[2] == (0, 38 / 52)


@pytest.fixture
def file(tmp_path):
    return jsonl(tmp_path / "first.jsonl", texts(60))


def config(*files, **given):
    return IngestConfig(files=files, **{"classes": CLASSES, "shards": 4, "near_duplicates": 0.8, **given})


def test_a_store_keeps_marks_as_columns_and_refuses_no_row(file):
    made = ingest(MemoryStorage(), config(file))
    assert made.header.rows == 60
    assert made.header.rejected == 0
    assert marks(made) == marked(texts(60))
    assert made.sql(f"SELECT count(*) AS n FROM corpus WHERE {MARK} IS NULL").column("n").to_pylist() == [
        sum(of is None for of, _ in marked(texts(60)))
    ]
    assert not [finding for finding in verify(made.storage) if finding.is_damage]
    plain = ingest(MemoryStorage(), config(file, near_duplicates=None))
    assert MARK not in plain.header.kept
    assert plain.dataset("corpus").to_table().column("text") == made.dataset("corpus").to_table().column("text")


@pytest.mark.parametrize("left", [(), (0,), (3,), (0, 2)])
def test_a_corpus_that_was_stopped_is_finished_with_the_same_bytes(file, left):
    whole = ingest(MemoryStorage(), config(file))
    stopped = ingest(MemoryStorage(), config(file))
    for name in stopped.storage.list("corpus"):
        if name == "manifest.json" or int(name[:5]) not in left:
            stopped.storage.remove_dead(f"corpus/{name}")
    finish_corpus(stopped.storage, (file,))
    assert snapshot(stopped.storage) == snapshot(whole.storage)


def test_appended_rows_are_compared_with_those_before_whether_it_is_said_again_or_not(file, tmp_path):
    more = jsonl(tmp_path / "more.jsonl", [*texts(60)[:10], *texts(20, seed=1)])
    grown = [ingest(MemoryStorage(), config(file)).storage for _ in range(2)]
    append(grown[0], config(more, classes=None))
    append(grown[1], config(more, classes=None, near_duplicates=None))
    assert snapshot(grown[0]) == snapshot(grown[1])
    made = store.open(grown[0])
    assert marks(made) == marked([*texts(60), *texts(60)[:10], *texts(20, seed=1)])
    assert all(of is not None for of, _ in marks(made)[60:70])
    assert not [finding for finding in verify(made.storage) if finding.is_damage]
    with pytest.raises(MismatchError, match=r"has marks of near-duplicates from 0\.8 on, and .* is 0\.7; leave it out"):
        append(grown[0], config(jsonl(tmp_path / "last.jsonl", texts(3, seed=2)), near_duplicates=0.7))


def test_rows_that_are_appended_to_unmarked_ones_are_marked_where_it_is_asked(file, tmp_path, caplog):
    caplog.set_level("INFO")
    made = ingest(MemoryStorage(), config(file, near_duplicates=None))
    append(made.storage, config(jsonl(tmp_path / "more.jsonl", texts(60)[:10])))
    assert "the 60 rows before have no marks of near-duplicates; new rows are compared with them, too" in caplog.text
    found = marks(store.open(made.storage))
    assert found[:60] == [(None, None)] * 60
    assert found[60:] == marked([*texts(60), *texts(60)[:10]])[60:]


def test_a_store_without_marks_says_so_and_what_to_do(file):
    made = ingest(MemoryStorage(), config(file, near_duplicates=None))
    again = LabelConfig(store=made.storage, teacher="t", inputs=(file,), near_duplicates=0.8)
    with pytest.raises(
        MismatchError, match=r"was made without --mark-near-duplicates.*engine audit .* near-duplicates`"
    ):
        given_to(again, made.storage)
    held = ingest(MemoryStorage(), config(file))
    given_to(LabelConfig(store=held.storage, teacher="t", inputs=(file,), near_duplicates=0.8), held.storage)
    given_to(LabelConfig(store=held.storage, teacher="t", inputs=(file,)), held.storage)


def test_an_input_with_a_column_of_that_name_is_refused_where_rows_are_marked(tmp_path):
    file = jsonl(tmp_path / "own.jsonl", ["one text", "another text"], Near_Duplicate_Of=3)
    with pytest.raises(InputError, match=r"own\.jsonl: the column 'Near_Duplicate_Of' has the name of one that --mark"):
        ingest(MemoryStorage(), config(file))
    assert ingest(MemoryStorage(), config(file, near_duplicates=None)).header.extras == {"Near_Duplicate_Of": "int64"}


@pytest.mark.parametrize("name", ["near_duplicate_of", "Near_Duplicate_Similarity"])
def test_rows_are_not_marked_in_a_store_that_keeps_a_column_of_that_name(tmp_path, name):
    storage = MemoryStorage()
    own = jsonl(tmp_path / "own.jsonl", ["one text", "another text"], **{name: "mine"})
    ingest(storage, config(own, near_duplicates=None))
    more = jsonl(tmp_path / "more.jsonl", ["one text more"], id="new")
    with pytest.raises(MismatchError, match=f"keeps a column '{name}' of its inputs, which is the name of one that"):
        append(storage, config(more, classes=None))
    append(storage, config(more, classes=None, near_duplicates=None))
    assert store.open(storage).layout.rows == 3


@pytest.mark.parametrize("wrong", [0.0, 1.5])
def test_what_is_no_similarity_is_refused_before_anything_is_read(wrong):
    with pytest.raises(InputError, match="--mark-near-duplicates is .*; a similarity is from 0.1 to 1"):
        LabelConfig(store="s", teacher="t", near_duplicates=wrong)
