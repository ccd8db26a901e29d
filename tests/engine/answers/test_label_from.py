"""Anybody's answers → a label set: every row of the files and of the store is accounted for, whatever happens."""

import dataclasses
import logging
import shutil
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_models
from faults import Fault, FaultyStorage, Killed, snapshot
from row_files import FORMATS, write
from store_factory import CLASSES, add_corpus, flip_bit, make_store, write_header

import engine
import store
from engine.answers.columns import AnswerColumns
from engine.answers.label_from import AnswersConfig, label_from
from engine.answers.scores.table import ScoreTable
from engine.answers.summary import AnswersSummary
from engine.errors import EngineError, InputError
from engine.inputs.options import ReadOptions
from engine.labelling.job import labeller_of
from engine.labelling.repair import repair
from store import Store
from store.errors import DamageError, MismatchError, StoreMissingError
from store.families.label_card import label_card
from store.families.labels import softmax
from store.storage import LocalStorage
from store.verify.process import verify_store
from store.verify.verify import verify

ROWS = 50
NAME = "gpt"
Rows = list[dict[str, Any]]


@pytest.fixture
def made() -> Store:
    return make_store(rows=ROWS)


def take(made: Store, *files: Path, name: str = NAME, **changes: Any) -> AnswersSummary:
    """Make a label set of ``files``."""
    columns = {key: changes.pop(key) for key in ("id", "label", "confidence", "annotator", "scores") if key in changes}
    config = AnswersConfig(
        store=made.storage, name=name, inputs=tuple(map(str, files)), columns=AnswerColumns(**columns), **changes
    )
    return label_from(config)


def labels_of(made: Store, name: str = NAME) -> dict[str, tuple[str | None, str | None]]:
    """The class and the failure of each row, by id."""
    query = f"SELECT id, l.class AS said, failure FROM labels l JOIN corpus USING (row) WHERE label_set = '{name}'"
    return {row["id"]: (row["said"], row["failure"]) for row in made.sql(query).to_pylist()}


def probabilities_of(made: Store, name: str = NAME) -> dict[str, list[float]]:
    rows = made.sql(f"SELECT id, logits FROM labels JOIN corpus USING (row) WHERE label_set = '{name}'").to_pylist()
    return {row["id"]: softmax(np.array([row["logits"]]))[0].tolist() for row in rows if row["logits"] is not None}


def answers(ids: list[Any], **columns: list[Any]) -> Rows:
    return [{"id": id_, **{name: values[at] for name, values in columns.items()}} for at, id_ in enumerate(ids)]


def labelled(pairs: dict[Any, Any]) -> Rows:
    return [{"id": id_, "label": label} for id_, label in pairs.items()]


def check_whole(made: Store) -> None:
    assert [finding for finding in verify(made.storage) if finding.family.startswith("labels")] == []


# Every row is accounted for


def test_a_language_models_answers_are_accounted_for_row_by_row(tmp_path: Path) -> None:
    """20 % missing, 5 % other words, ids of another type, some of them twice, some of other texts."""
    rows, random = 400, np.random.default_rng(5)
    made = write_header(rows=rows, shards=7)
    add_corpus(made, id_=lambda row: str(1000 + row))
    order = random.permutation(rows)
    missing, odd, said = order[:80], order[80:100], order[80:]
    words = {int(row): CLASSES[random.integers(3)] for row in said} | {int(row): f"hm {row % 3}" for row in odd}
    given = [(float(1000 + row), word) for row, word in words.items()]
    given += given[100:110]  # said twice
    given += [(float(1000 + row), CLASSES[(CLASSES.index(words[row]) + 1) % 3]) for row in said[30:34].tolist()]
    given += [(float(9000 + number), "positive") for number in range(6)]
    random.shuffle(given)
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": pa.array([id_ for id_, _ in given]), "label": [word for _, word in given]}), file)
    summary = take(made, file)

    contradicted = {int(row) for row in said[30:34]}
    good = {row for row, word in words.items() if word in CLASSES} - contradicted
    repeats = sum(int(id_) - 1000 in good for id_, _ in given) - len(good)
    assert repeats + 2 * len(contradicted & {int(row) for row in said[100:110]}) >= 8
    assert summary.input_rows == len(given) == summary.used + summary.repeated + summary.rejected
    assert (summary.used, summary.repeated, summary.answered) == (len(good), repeats, len(good))
    times = Counter(int(id_) - 1000 for id_, _ in given)
    assert summary.rejected_for == {
        "unknown label": sum(times[row] for row in words if words[row] not in CLASSES),
        "id is not in the store": 6,
        "different answers to one id": sum(times[row] for row in contradicted),
    }
    assert summary.unanswered == {
        "no answer": len(missing), "unknown label": len(odd), "different answers to one id": 4,
    }  # fmt: skip
    assert sum(summary.unanswered.values()) + summary.answered == rows == summary.rows
    expected = {str(1000 + row): (words[row], None) for row in good}
    expected |= {str(1000 + row): (None, "no answer") for row in missing}
    expected |= {str(1000 + row): (None, "unknown label") for row in odd}
    expected |= {str(1000 + row): (None, "different answers to one id") for row in contradicted}
    assert labels_of(made) == expected
    check_whole(made)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_bytes(made: Store, tmp_path: Path, name: str) -> None:
    plain = answers(["id-0", "id-7", "id-30"], label=["positive", "neutral", "negative"], sure=[0.8, 1, 0.25])
    summary = take(made, write(tmp_path / name, plain), confidence="sure")
    assert (summary.used, summary.rejected, summary.scores) == (3, 0, "labels")
    found = probabilities_of(made)
    np.testing.assert_allclose(found["id-0"], [0.1, 0.1, 0.8], atol=1e-3)
    np.testing.assert_allclose(found["id-7"], [0, 1, 0], atol=1e-3)
    np.testing.assert_allclose(found["id-30"], [0.25, 0.375, 0.375], atol=1e-3)
    scored = answers(["id-0", "id-7"], p_negative=[0.2, 1], p_positive=[0.5, 0], p_neutral=[0.3, 0])
    summary = take(made, write(tmp_path / f"s{name}", scored), name="scored")
    assert (summary.used, summary.rejected, summary.scores, summary.hard) == (2, 0, "probabilities", None)
    np.testing.assert_allclose(probabilities_of(made, "scored")["id-0"], [0.2, 0.3, 0.5], atol=1e-3)
    files = snapshot(made.storage)
    other = make_store(rows=ROWS)
    take(other, write(tmp_path / "plain.jsonl", plain), confidence="sure")
    take(other, write(tmp_path / "scored.jsonl", scored), name="scored")
    for path in ("labels/gpt", "labels/scored"):
        shards = {name: data for name, data in snapshot(other.storage, path).items() if name.endswith(".arrow")}
        assert shards == {name: data for name, data in files.items() if name.startswith(path) and name in shards}
        assert len(shards) == 3
    check_whole(made)


# Ids


@pytest.mark.parametrize(
    ("stored", "given", "row"),
    [
        ("17", 17, 0), ("17", 17.0, 0), ("17", " 17 ", 0), ("17", "17", 0), ("017", "017", 0), ("=x", "'=x", 0),
        ("017", 17, None), ("17", "017", None), ("17", "17.5", None), ("ab", "AB", None), ("17", 18, None),
    ],
)  # fmt: skip
def test_an_id_of_another_type_is_found_and_a_near_one_is_not(
    tmp_path: Path, stored: str, given: Any, row: int | None
) -> None:
    made = write_header(rows=2, shards=1)
    add_corpus(made, id_=lambda row: stored if row == 0 else "other")
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": pa.array([given]), "label": ["neutral"]}), file)
    more = write(tmp_path / "b.csv", labelled({"other": "positive"}))
    take(made, file, more)
    found = made.sql("SELECT row FROM labels WHERE class = 'neutral'").column("row").to_pylist()
    assert found == ([] if row is None else [row])


def test_a_near_id_is_explained(tmp_path: Path) -> None:
    made = write_header(rows=3, shards=1)
    add_corpus(made, id_=["0017", "ab-1", "7"].__getitem__)
    rows = labelled({"17": "neutral", "AB-1": "neutral", "1.2e5": "neutral", "7": "neutral"})
    summary = take(made, write(tmp_path / "a.csv", rows))
    assert (summary.rejected, summary.used) == (3, 1)
    assert (
        "row 1: id '17' is not in the store; '0017' is, and so zeros at the beginning were lost" in summary.reasons[0]
    )
    assert "'ab-1' is" in summary.reasons[1]
    assert "a rounded number" in summary.reasons[2]


def test_an_id_that_could_be_two_is_refused(tmp_path: Path) -> None:
    made = write_header(rows=2, shards=1)
    add_corpus(made, id_=["1", "1.0"].__getitem__)
    summary = take(made, write(tmp_path / "a.csv", labelled({" 1.0": "neutral", "1": "positive"})))
    assert summary.rejected == 1
    assert "could be '1.0' or '1', and the store has both" in summary.reasons[0]
    assert labels_of(made)["1"] == ("positive", None)


def test_where_nothing_matches_both_kinds_of_id_are_shown(made: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({7: "neutral", 8: "positive", 9: "neutral", 10: "neutral"}))
    with pytest.raises(InputError) as caught:
        take(made, file)
    assert "no usable row among 4; the first was refused" in str(caught.value)
    assert "Ids of the files are '7', '8', '9', and those of the store 'id-0', 'id-1', 'id-2'" in str(caught.value)
    assert "--id" in str(caught.value)
    assert "engine sql" in str(caught.value)
    assert made.label_sets() == ["bert"]


def test_another_column_with_the_stores_ids_is_named(made: Store, tmp_path: Path) -> None:
    rows = [{"id": at, "review_id": f"id-{at}", "label": "neutral"} for at in range(4)]
    file = write(tmp_path / "a.csv", rows)
    with pytest.raises(InputError, match="'review_id' has ids of the store, and not the same ones"):
        take(made, file)
    assert take(made, file, id="review_id").used == 4


# Labels


def test_labels_have_the_spelling_of_everywhere_else(made: Store, tmp_path: Path) -> None:
    rows = labelled({"id-0": " Positive ", "id-1": "NEUTRAL", "id-2": "nan", "id-3": "", "id-4": "negative"})
    summary = take(made, write(tmp_path / "a.csv", rows))
    assert summary.rejected_for == {"label is null": 2}
    assert summary.unanswered == {"no answer": ROWS - 5, "label is null": 2}
    assert labels_of(made)["id-2"] == (None, "label is null")
    indices = take(made, write(tmp_path / "b.csv", labelled({"id-0": 0, "id-1": 2, "id-2": 1})), name="numbers")
    assert (indices.rejected, labels_of(made, "numbers")["id-1"]) == (0, ("positive", None))


def test_a_label_map_names_the_class_of_a_word(made: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "pos", "id-1": "neg", "id-2": "skip"}))
    with pytest.raises(
        InputError, match=r"the labels are neg, pos, skip, and the classes are .*--label-map neg=negative,pos=pos"
    ):
        take(made, file)
    mapped = (("pos", "positive"), ("neg", "negative"), ("skip", ""))
    summary = take(made, file, options=ReadOptions(label_map=mapped))
    assert (summary.used, summary.rejected_for, summary.left_out) == (2, {}, 1)
    assert labels_of(made)["id-1"] == ("negative", None)
    with pytest.raises(MismatchError, match="was made with options .*label_map.* Give the new labels another --name"):
        take(made, file, options=ReadOptions(label_map=(*mapped[:2], ("skip", "neutral"))))


def test_answers_in_sentences_say_how_they_are_mapped(made: Store, tmp_path: Path) -> None:
    rows = labelled({"id-0": "positive", "id-1": "The sentiment is: Positive."})
    (reason,) = take(made, write(tmp_path / "a.csv", rows)).reasons
    assert "--label-map 'The sentiment is: Positive.=positive'" in reason


def test_so_many_words_are_no_labels(made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.answers.gathered.MAX_WORDS", 10)
    rows = labelled({f"id-{at}": f"word {at}" for at in range(20)})
    with pytest.raises(InputError, match="more than 10 different labels; is it the right column"):
        take(made, write(tmp_path / "a.csv", rows))


# Answers that come again


def test_an_answer_that_comes_again_counts_once_and_different_ones_not_at_all(made: Store, tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", labelled({"id-0": "neutral", "id-1": "neutral"}))
    two = write(tmp_path / "two.csv", labelled({"id-0": "Neutral", "id-1": "positive", "id-2": "positive"}))
    summary = take(made, one, two)
    assert (summary.used, summary.repeated, summary.rejected) == (2, 1, 2)
    assert summary.reasons == [
        f"{file} row 2: id 'id-1' has different answers: 'neutral' in {one} row 2 and 'positive' in {two} row 2; if "
        "several annotators answered, name their column: --annotator"
        for file in (one, two)
    ]
    assert labels_of(made)["id-1"] == (None, "different answers to one id")


def test_another_confidence_is_another_answer(made: Store, tmp_path: Path) -> None:
    rows = answers(["id-0", "id-0", "id-1", "id-1"], label=["neutral"] * 4, sure=[0.8, 0.7, None, None])
    summary = take(made, write(tmp_path / "a.parquet", rows), confidence="sure")
    assert (summary.used, summary.repeated, summary.rejected) == (1, 1, 2)
    assert "'neutral' at 0.8 in" in summary.reasons[0]


def test_other_scores_are_another_answer(made: Store, tmp_path: Path) -> None:
    scores = {"negative": [0.2, 0.2, 0.1, 0.1], "neutral": [0.8, 0.8, 0.9, 0.2], "positive": [0.0, 0.0, 0.0, 0.7]}
    summary = take(made, write(tmp_path / "a.csv", answers(["id-0", "id-0", "id-1", "id-1"], **scores)))
    assert (summary.used, summary.repeated, summary.rejected) == (1, 1, 2)
    assert "(0.1, 0.9, 0) in" in summary.reasons[0]


def test_a_refused_row_beside_a_good_one_takes_nothing_away(made: Store, tmp_path: Path) -> None:
    rows = [*labelled({"id-0": "what"}), *labelled({"id-0": "neutral"}), *labelled({"id-1": None})]
    rows += labelled({"id-1": "what"})
    summary = take(made, write(tmp_path / "a.jsonl", rows))
    assert (summary.answered, summary.rejected) == (1, 3)
    found = labels_of(made)
    assert found["id-0"] == ("neutral", None)
    assert found["id-1"] == (None, "label is null")  # the first thing that was wrong with it


# Probabilities, logits and stated ones


def test_logits_are_told_from_probabilities(made: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = answers(["id-0", "id-1"], negative=[-1.0, 2.5], positive=[3.0, 0.1], neutral=[0.5, -7])
    summary = take(made, write(tmp_path / "a.csv", rows))
    assert summary.scores == "logits"
    assert "'negative', 'neutral', 'positive' are read as logits: the scores of 2 of 2 rows are not" in caplog.text
    np.testing.assert_allclose(probabilities_of(made)["id-1"], softmax(np.array([[2.5, -7, 0.1]]))[0], atol=1e-3)
    card = label_card(made.label_set(NAME))
    assert card is not None
    assert card.answers is not None
    assert (card.answers.smallest, card.answers.files[0]["columns"]["scores"]) == (None, CLASSES)


def test_doubtful_scores_are_settled_by_a_flag(made: Store, tmp_path: Path) -> None:
    rows = answers(["id-0", "id-1"], negative=[0.9, 0.2], neutral=[0.8, 0.3], positive=[0.1, 0.5])
    file = write(tmp_path / "a.csv", rows)
    with pytest.raises(InputError, match="1 of 2 rows do not sum to 1 .*; say which they are with --scores"):
        take(made, file)
    summary = take(made, file, scores="probabilities")
    assert (summary.used, summary.rejected_for) == (1, {"the scores are no probabilities": 1})
    assert "the scores 0.9, 0.8, 0.1 are no probabilities" in summary.reasons[0]
    assert labels_of(made)["id-0"] == (None, "the scores are no probabilities")
    assert take(made, file, name="raw", scores="logits").used == 2
    with pytest.raises(MismatchError, match="was made from probabilities, and this run reads logits"):
        take(made, file, scores="logits")


def test_scores_that_lack_something_are_refused(made: Store, tmp_path: Path) -> None:
    rows = answers(
        ["id-0", "id-1", "id-2", "id-3"],
        negative=[0.2, "", "", "x"], neutral=[0.3, 0.5, "", 0], positive=[0.5, 0.5, "", 1],
    )  # fmt: skip
    summary = take(made, write(tmp_path / "a.csv", rows))
    assert summary.rejected_for == {
        "the score of 'negative' is null": 1, "there are no scores": 1, "the score of 'negative' is no number": 1,
    }  # fmt: skip
    assert summary.reasons[2].endswith("row 4: the score of 'negative' is no number: 'x'")


def test_a_confidence_is_a_number_from_0_to_1(made: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = answers([f"id-{at}" for at in range(5)], label=["neutral"] * 5, confidence=["0.5", "93", "high", "", "0.2"])
    file = write(tmp_path / "a.csv", rows)
    summary = take(made, file, confidence="confidence", hard=0.7)
    assert summary.rejected_for == {"confidence is not from 0 to 1": 1, "confidence is no number": 1}
    found = probabilities_of(made)
    np.testing.assert_allclose([found[f"id-{at}"][1] for at in (0, 3, 4)], [0.5, 0.7, 0.2], atol=1e-3)
    assert "1 answer without a confidence: the named class gets 0.7 (--hard)" in caplog.text
    assert "1 answer with a confidence below 1/3" in caplog.text
    caplog.clear()
    take(made, file, name="bare")
    assert "the column 'confidence' is not read; if it is the probability of the named class: --conf" in caplog.text


def test_scores_come_before_labels_and_a_flag_says_otherwise(
    made: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rows = answers(["id-0"], label=["positive"], negative=[0.7], neutral=[0.2], positive=[0.1])
    file = write(tmp_path / "a.csv", rows)
    assert take(made, file).scores == "probabilities"
    assert "scores are read, and the column 'label' is not; --label label reads it" in caplog.text
    assert take(made, file, name="other", label="label").scores == "labels"
    assert labels_of(made)["id-0"][0] == "negative"
    assert labels_of(made, "other")["id-0"][0] == "positive"
    with pytest.raises(InputError, match="--hard is the probability of a bare label, and the files have a score"):
        take(made, file, name="third", hard=0.8)
    with pytest.raises(InputError, match="--label-map says which class a label is, and the files have a score"):
        take(made, file, name="third", options=ReadOptions(label_map=(("1", "positive"),)))
    with pytest.raises(InputError, match="--scores says what the scores of the classes are, and labels are read"):
        take(made, file, name="third", label="label", scores="logits")


def test_files_of_scores_and_of_labels_do_not_mix(made: Store, tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", labelled({"id-0": "neutral"}))
    two = write(tmp_path / "b.csv", answers(["id-1"], negative=[0.7], neutral=[0.2], positive=[0.1]))
    with pytest.raises(InputError, match=r"a\.csv has labels and .*b\.csv scores"):
        take(made, one, two)


@pytest.mark.parametrize("hard", [0.2, 1 / 3])
def test_a_bare_answer_must_be_likelier_than_the_others(made: Store, tmp_path: Path, hard: float) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "neutral"}))
    with pytest.raises(InputError, match="of 3 classes the named one must be likelier .* more than 1/3"):
        take(made, file, hard=hard)


@pytest.mark.parametrize("hard", [0, 1, 1.5, -1])
def test_what_is_no_probability_is_refused_at_once(hard: float) -> None:
    with pytest.raises(InputError, match="it is a probability"):
        AnswersConfig(store="s", name="n", inputs=(), hard=hard)


# Annotators


def test_annotators_are_averaged_and_their_agreement_is_told(made: Store, tmp_path: Path) -> None:
    judged = {"ann": "nnupnu", "bob": "nnup.p", "cy": "nnpp.n"}
    names = {"n": "negative", "u": "neutral", "p": "positive"}
    rows = [
        {"id": f"id-{at}", "label": names[letter], "who": who}
        for who, letters in judged.items() for at, letter in enumerate(letters) if letter != "."
    ]  # fmt: skip
    rows += [{"id": "id-0", "label": "negative", "who": "ann"}]  # said twice
    rows += [{"id": "id-7", "label": label, "who": "ann"} for label in ("neutral", "positive")]
    rows += [{"id": "id-8", "label": "neutral", "who": None}]
    summary = take(made, write(tmp_path / "a.jsonl", rows), annotator="who")
    assert (summary.used, summary.repeated, summary.rejected, summary.answered) == (16, 1, 3, 6)
    assert summary.rejected_for == {"annotator is null": 1, "different answers to one id": 2}
    found = probabilities_of(made)
    np.testing.assert_allclose(found["id-2"], [0.05, (0.9 + 0.9 + 0.05) / 3, (0.05 + 0.05 + 0.9) / 3], atol=1e-3)
    np.testing.assert_allclose(found["id-4"], [0.9, 0.05, 0.05], atol=1e-3)
    np.testing.assert_allclose(found["id-5"], [1 / 3] * 3, atol=1e-3)
    # by hand: n = 15 (5, 4, 6), Σ o_cc = 3 + 3 + 1 + 3 + 0; of row 4 there is one answer
    counts = {"negative": 3 + 3 + 1, "neutral": 2 + 1, "positive": 1 + 3 + 1}
    n = sum(counts.values())
    by_chance = sum(count * (count - 1) for count in counts.values())
    alpha = ((n - 1) * 10 - by_chance) / (n * (n - 1) - by_chance)
    assert (summary.annotators, summary.alpha, summary.kappa) == (3, pytest.approx(alpha, abs=1e-6), None)
    card = label_card(made.label_set(NAME))
    assert card is not None
    assert card.answers is not None
    assert (card.answers.annotators, card.answers.alpha) == (3, summary.alpha)
    check_whole(made)


def test_kappa_is_told_where_every_row_has_as_many_answers(made: Store, tmp_path: Path) -> None:
    rows = [{"id": f"id-{at}", "label": at % 2 if who else 0, "who": who} for at in range(4) for who in (0, 1)]
    rows[-1]["label"] = 2
    summary = take(made, write(tmp_path / "a.csv", rows), annotator="who")
    # by hand: two of four rows agree; shares 6/8, 1/8, 1/8
    by_chance = (36 + 1 + 1) / 64
    assert summary.kappa == pytest.approx((0.5 - by_chance) / (1 - by_chance), abs=1e-6)


def test_scores_of_annotators_are_averaged_too(made: Store, tmp_path: Path) -> None:
    scores = {"negative": [0.2, 0.6], "neutral": [0.3, 0.3], "positive": [0.5, 0.1]}
    rows = answers(["id-0", "id-0"], who=["a", "b"], **scores)
    summary = take(made, write(tmp_path / "a.csv", rows), annotator="who")
    assert (summary.used, summary.answered, summary.annotators) == (2, 1, 2)
    np.testing.assert_allclose(probabilities_of(made)["id-0"], [0.4, 0.3, 0.3], atol=1e-3)


# Again, and something else


def test_the_same_answers_again_change_nothing_wherever_they_are(made: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "neutral", "id-40": "positive", "who": "neutral"}))
    first = take(made, file)
    assert (first.shards_done, first.shards_mended) == (3, 0)
    before = snapshot(made.storage)
    again = take(made, shutil.copy(file, tmp_path / "moved.csv"))
    assert snapshot(made.storage) == before
    assert (again.shards_done, again.shards_mended, again.rejected, again.answered) == (0, 0, 1, 2)


def test_other_answers_under_the_name_are_refused_with_the_way(made: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "neutral"}))
    take(made, file)
    before = snapshot(made.storage)
    other = write(tmp_path / "b.csv", labelled({"id-0": "positive"}))
    with pytest.raises(MismatchError, match=r"made from .*a\.csv \(.*this run has .*b\.csv \(.*another --name"):
        take(made, other)
    with pytest.raises(MismatchError, match="was made with --hard 0.9, and this run has 0.8"):
        take(made, file, hard=0.8)
    with pytest.raises(MismatchError, match=r"was made from [^,]*a\.csv.*and this run has .*a\.csv .*c\.csv"):
        take(made, file, write(tmp_path / "c.csv", labelled({"id-1": "positive"})))
    assert snapshot(made.storage) == before
    assert take(made, other, name="other").shards_done == 3


def test_more_answers_make_a_label_set_as_the_refusal_says(made: Store, tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", labelled({"id-0": "neutral"}))
    take(made, first)
    for name, rows in {"more": {"id-1": "positive"}, "longer": {"id-0": "neutral", "id-1": "positive"}}.items():
        other = write(tmp_path / f"{name}.csv", labelled(rows))
        with pytest.raises(MismatchError) as raised:
            take(made, other)
        assert str(raised.value).endswith(
            f"another --name, with every file whose answers are to count, as --from "
            f"{first} --from {other} --name {NAME}-2"
        )
        summary = take(made, first, other, name=f"{NAME}-{name}")
        assert (summary.answered, summary.rejected) == (2, 0)


def test_another_column_of_the_same_file_is_another_label_set(made: Store, tmp_path: Path) -> None:
    rows = [{"id": "id-0", "a": "neutral", "b": "neutral"}]
    file = write(tmp_path / "a.csv", rows)
    take(made, file, label="a")
    with pytest.raises(MismatchError, match=r"was made with columns \{'label': 'a'\}, and this run has \{'label': 'b'"):
        take(made, file, label="b")


def test_teachers_and_answers_do_not_share_a_name(made: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "neutral"}))
    with pytest.raises(MismatchError, match=r"'bert' was made by a teacher \(test/bert\), and this run has answers"):
        take(made, file, name="bert")
    take(made, file)
    with pytest.raises(
        MismatchError, match="'gpt' was made from answers .*`engine label --store .* --name gpt --from "
    ):
        labeller_of(made, NAME, teacher="somewhere")
    config = engine.LabelConfig(store=made.storage, teacher="nowhere", name=NAME)
    with pytest.raises(MismatchError, match="was made from answers"):
        engine.label(config)


def test_a_store_has_to_be_there_and_finished(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "neutral"}))
    config = AnswersConfig(store=str(tmp_path / "no.store"), name=NAME, inputs=(str(file),))
    with pytest.raises(InputError, match=r"no\.store is no store yet"):
        label_from(config)
    assert not (tmp_path / "no.store").exists()
    made = write_header(rows=ROWS)
    add_corpus(made, shards=[0, 1])
    with pytest.raises(StoreMissingError, match="lacks 1 of 3 shards"):
        take(made, file)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "id,label\n", "there is no row in it"),
        ("a.jsonl", "", "there is no row in it"),
        ("a.csv", "id,verdict\nid-0,neutral\n", "no column looks like the label"),
        ("a.csv", "key,label\nid-0,neutral\n", "no column looks like the id"),
        ("a.csv", "id,label\nid-0,great\n", "the labels are great"),
        ("a.csv", "id,label\nid-0,\n", "no usable row among 1; the first was refused: .*: label is null"),
        ("a.jsonl", '{"id": "id-0", "label": {"a": 1}}\n', "no usable row among 1"),
        ("a.csv", "id,negative,neutral\nid-0,0.2,0.8\n", "those of 'positive' have none: write 'positive' too"),
    ],
)
def test_files_of_no_use_are_refused(made: Store, tmp_path: Path, name: str, content: str, problem: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(EngineError, match=problem):
        take(made, tmp_path / name)
    assert made.label_sets() == ["bert"]


def test_a_bad_row_may_stop_the_run(made: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", labelled({"id-0": "neutral", "id-1": "what"}))
    with pytest.raises(InputError, match=r"row 2: unknown label 'what' .*pass --on-bad-row=reject"):
        take(made, file, on_bad_row="fail")
    assert made.label_sets() == ["bert"]


# Kills, damage and others at the same time


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = answers([f"id-{at}" for at in range(0, ROWS, 2)], label=[CLASSES[at % 3] for at in range(0, ROWS, 2)])
    return write(tmp_path / "answers.csv", rows)


def test_killed_in_any_call_and_run_again_it_has_the_same_bytes(file: Path) -> None:
    undisturbed = make_store(rows=ROWS)
    counting = FaultyStorage(undisturbed.storage)
    take(store.open(counting), file)
    whole = snapshot(undisturbed.storage)
    calls = len(counting.calls)
    assert calls > 30
    for number in range(0, calls, 1 + calls // 60):
        made = make_store(rows=ROWS)
        faulty = FaultyStorage(made.storage, {number: Fault.KILL})
        with pytest.raises(Killed):
            take(store.open(faulty), file)
        take(made, file)
        assert snapshot(made.storage) == whole


def test_a_process_that_is_killed_between_two_shards_goes_on(tmp_path: Path, file: Path) -> None:
    place = tmp_path / "a.store"
    make_store(LocalStorage(place), rows=ROWS, shards=5)
    undisturbed = shutil.copytree(place, tmp_path / "b.store")
    script = (
        "import os, signal, sys\nfrom engine.answers.label_from import AnswersConfig, label_from\n"
        "def tick(what, done, total):\n    if what == 'writing labels' and done == 20:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "label_from(AnswersConfig(store=sys.argv[1], name='gpt', inputs=(sys.argv[2],)), tick=tick)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(place), str(file)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    made = store.open(place)
    assert (len(made.label_set(NAME).missing()), made.label_set(NAME).is_sealed()) == (3, False)
    summary = take(made, file)
    assert (summary.shards_done, summary.shards) == (3, 5)
    take(store.open(undisturbed), file)
    assert snapshot(LocalStorage(place)) == snapshot(LocalStorage(undisturbed))
    assert not list(verify(made.storage))


def test_two_at_once_make_one_label_set(file: Path, tmp_path: Path) -> None:
    place = tmp_path / "a.store"
    make_store(LocalStorage(place), rows=ROWS)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: take(store.open(place), file), range(4)))
    assert sum(summary.shards_done for summary in done) == 3
    assert not [finding for finding in verify(LocalStorage(place)) if finding.is_damage]


def test_of_two_at_once_with_other_answers_one_wins(file: Path, tmp_path: Path) -> None:
    place = tmp_path / "a.store"
    make_store(LocalStorage(place), rows=ROWS)
    others = [file, *(write(tmp_path / f"{at}.csv", labelled({f"id-{at}": "neutral"})) for at in range(3))]

    def attempt(one: Path) -> bool:
        try:
            take(store.open(place), one)
        except MismatchError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, others)) == 1
    assert not [finding for finding in verify(LocalStorage(place)) if finding.is_damage]


def no_teacher(made: Store, name: str) -> Any:
    return labeller_of(made, name)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_damaged_shard_is_mended_by_the_same_file_and_by_nothing_else(made: Store, file: Path, sealed: bool) -> None:
    take(made, file)
    if not sealed:
        made.storage.remove_dead("labels/gpt/manifest.json")
    whole = snapshot(made.storage)
    record = made.label_set(NAME).records()[1]
    damaged = f"labels/gpt/{record.file}"
    flip_bit(made.storage, damaged, 999)
    found = verify_store(made.storage)
    assert [finding.file for finding in found.damage] == [damaged]
    done = repair(made.storage, found, open_labeller=no_teacher)
    assert done.redone == []
    (obstacle,) = done.obstacles
    assert "was made from answers" in obstacle
    assert "` goes on with it, and mends it" in obstacle
    summary = take(made, file)
    assert (summary.shards_done, summary.shards_mended) == (0, 1)
    whole["labels/gpt/manifest.json"] = snapshot(made.storage)["labels/gpt/manifest.json"]
    assert snapshot(made.storage) == whole
    assert not list(verify(made.storage))


def test_a_shard_that_is_gone_and_a_card_that_is_gone_with_its_copy_come_back(made: Store, file: Path) -> None:
    take(made, file)
    whole = snapshot(made.storage)
    for name in ("card.json", "card.copy.json", made.label_set(NAME).records()[2].file):
        assert made.storage.remove_dead(f"labels/gpt/{name}")
    assert take(made, file).shards_mended == 1
    assert snapshot(made.storage) == whole
    assert not list(verify(made.storage))


def test_small_files_come_back_without_the_answers(made: Store, file: Path) -> None:
    take(made, file)
    whole = snapshot(made.storage)
    for name in ("card.json", "00001.json", "manifest.json"):
        flip_bit(made.storage, f"labels/gpt/{name}", 40)
        if name != "00001.json":  # which the manifest lists, so that nobody reads it
            with pytest.raises(DamageError, match="verify"):
                take(made, file)
        done = repair(made.storage, verify_store(made.storage), open_labeller=no_teacher)
        assert done.restored == [f"labels/gpt/{name}"]
        assert snapshot(made.storage) == whole


# A label set like any other


def test_it_is_a_label_set_like_any_other(made: Store, file: Path) -> None:
    take(made, file)
    assert made.label_sets() == ["bert", "gpt"]
    rows = made.sql(
        "SELECT count(*) AS n, count(prediction) AS labelled, sum(n_tokens) AS tokens FROM reviews", labels=NAME
    )
    assert rows.to_pylist() == [{"n": 50, "labelled": 25, "tokens": 0}]
    failures = made.audit("failures", labels=NAME).to_pylist()
    mine = {row["failure"]: row["rows"] for row in failures if row["label_set"] == NAME}
    assert mine == {"none": 25, "no answer": 25}
    (agreement,) = made.audit("agreement").to_pylist()
    same = made.sql(
        "SELECT count(*) FROM labels a JOIN labels b USING (row) WHERE a.label_set = 'gpt' AND b.label_set = 'bert' "
        "AND a.prediction = b.prediction"
    )
    assert (agreement["rows"], agreement["same"]) == (25, same.column(0)[0].as_py())
    (accuracy,) = made.audit("accuracy", labels=NAME).to_pylist()
    assert accuracy["rows"] > 0
    assert len(made.audit("confidence", labels=NAME)) == 1
    selection = made.select("sure", where="confidence > 0.8", labels=NAME)
    assert selection.rows.numbers().tolist() == list(range(0, ROWS, 2))
    streamed = np.concatenate([batch["row"] for batch in made.stream(labels=NAME, batch_size=7)])
    assert sorted(streamed.tolist()) == list(range(0, ROWS, 2))
    both = [batch["logits"].shape for batch in made.stream(labels=("gpt", "bert"), batch_size=25)]
    assert both == [(25, 2, 3)]
    assert not list(verify(made.storage))


def test_rows_without_an_answer_in_every_shard_are_fine(made: Store, tmp_path: Path) -> None:
    take(made, write(tmp_path / "a.csv", labelled({"id-49": "neutral"})))
    assert not list(verify(made.storage))
    assert made.sql("SELECT row FROM labels WHERE label_set = 'gpt' AND prediction = 1").column("row").to_pylist() == [
        49
    ]


def test_scores_that_lie_in_a_file_give_the_same_bytes(
    made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet([1, 1, 1], ROWS)
    columns = {name: scores[:, at].tolist() for at, name in enumerate(CLASSES)}
    file = write(tmp_path / "a.parquet", answers([f"id-{at}" for at in random.permutation(ROWS)], **columns))
    take(made, file)
    monkeypatch.setattr("engine.answers.judge._AT_ONCE", 7)
    monkeypatch.setattr("engine.answers.judge._ROWS_AT_ONCE", 5)
    monkeypatch.setattr("engine.answers.label_from.ScoreTable", partial(ScoreTable, spill_bytes=0))
    spilt = make_store(rows=ROWS)
    take(spilt, file)
    assert snapshot(spilt.storage, "labels/gpt") == snapshot(made.storage, "labels/gpt")


def test_answers_of_appended_rows_are_taken_from_the_same_file(tmp_path: Path) -> None:
    teacher, place = tiny_models.save(tmp_path / "model"), str(tmp_path / "s")
    for name, numbers in (("a", range(30)), ("b", range(20, 50))):
        rows = {"id": [f"r{number}" for number in numbers], "text": [f"good {number}" for number in numbers]}
        pq.write_table(pa.table(rows), tmp_path / f"{name}.parquet")
    pq.write_table(
        pa.table({"id": [f"r{number}" for number in range(45)], "label": ["positive", "negative", "positive"] * 15}),
        tmp_path / "gpt.parquet",
    )
    config = engine.LabelConfig(store=place, teacher=teacher, inputs=(str(tmp_path / "a.parquet"),), shards=2)
    engine.label(config)
    answers_ = engine.AnswersConfig(store=place, name="gpt", inputs=(str(tmp_path / "gpt.parquet"),))
    first = engine.label_from(answers_)
    held = store.open(place).sql("SELECT row, class FROM labels WHERE label_set = 'gpt' ORDER BY row").to_pylist()
    engine.label(dataclasses.replace(config, inputs=(str(tmp_path / "b.parquet"),), shards=None, append=True))
    second = engine.label_from(answers_)
    assert (first.rows, first.answered, second.rows, second.answered, second.shards_done) == (30, 30, 50, 45, 1)
    query = "SELECT row, class, failure FROM labels WHERE label_set = 'gpt' ORDER BY row"
    now = store.open(place).sql(query).to_pylist()
    assert [{"row": row["row"], "class": row["class"]} for row in now[:30]] == held
    assert [row["class"] for row in now[30:]] == ["positive", "negative", "positive"] * 5 + [None] * 5
    assert engine.label_from(answers_).shards_done == 0
    check_whole(store.open(place))
