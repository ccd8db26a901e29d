import json
import logging
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from forked import Forked
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import engine
import store
from engine.compute.encoder import Encoder
from engine.compute.torch_backends import PackedBackend
from engine.errors import InputError, ModelError
from engine.labelling.card import check_card
from engine.labelling.planning.first_look import default_name
from engine.labelling.runners.failures import describe
from engine.models.classifier import load_classifier
from engine.tokens.tokens import Tokens
from store.errors import DamageError, MismatchError
from store.families.label_card import label_card
from store.storage import MemoryStorage


def files(folder):
    """Every file of a store that its promises are about, with its bytes."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return {name: data for name, data in names.items() if not name.startswith(("runs/", "tmp/"))}


def label(demo, place, **changes):
    config = {"teacher": demo.path("teacher"), "inputs": (demo.path("unlabelled.parquet"),), "shards": 5, **changes}
    return engine.label(engine.LabelConfig(store=str(place), **config))


def stored_logits(place, name="teacher"):
    answer = store.open(place).sql(f"SELECT logits FROM labels WHERE label_set = '{name}' ORDER BY row")
    return np.array(answer.column("logits").to_pylist(), np.float32)


def copy_model(demo, tmp_path, name="changed"):
    return shutil.copytree(demo.path("teacher"), tmp_path / name)


def change_config(folder, **changes):
    path = Path(folder) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture(scope="module")
def whole(demo, tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / "store"
    summary = label(demo, place)
    assert (summary.rows_done, summary.shards_done) == (demo.rows, 5)
    return place


def test_stored_logits_are_those_of_the_model_alone(demo, whole):
    texts = pq.read_table(demo.path("unlabelled.parquet")).column("text").to_pylist()[::37]
    tokenizer = AutoTokenizer.from_pretrained(demo.path("teacher"))
    model = AutoModelForSequenceClassification.from_pretrained(demo.path("teacher")).eval()
    with torch.inference_mode():
        single = np.stack([model(**tokenizer(text, return_tensors="pt")).logits[0].numpy() for text in texts])
    assert (np.abs(stored_logits(whole)[::37] - single) <= 1e-4 + 5e-4 * np.abs(single)).all()


def test_every_input_row_is_labelled_once(demo, whole):
    texts = pq.read_table(demo.path("unlabelled.parquet"))
    answer = store.open(whole).sql("SELECT id, text FROM reviews ORDER BY row")
    assert answer.column("id").to_pylist() == texts.column("id").to_pylist()
    assert answer.column("text").to_pylist() == texts.column("text").to_pylist()


def test_the_summary_is_honest_and_kept_with_the_runs(demo, whole, tmp_path):
    summary = label(demo, tmp_path / "store")
    assert summary.rows_per_second == pytest.approx(demo.rows / summary.seconds, rel=0.01)
    assert 1 <= summary.padding < 1.2
    assert sum(summary.stages.values()) == pytest.approx(1, abs=0.01)
    opened = store.open(tmp_path / "store")
    seconds = opened.sql("SELECT sum(seconds) FROM shards WHERE family = 'labels'").column(0)[0].as_py()
    assert 0 < seconds <= summary.seconds * 1.01


def test_two_runs_give_the_same_bytes(demo, whole, tmp_path):
    label(demo, tmp_path / "store")
    assert files(tmp_path / "store") == files(whole)


@pytest.mark.parametrize(
    ("until", "count"),
    [("store.json", 1), ("corpus/0*.json", 2), ("tokens/*/0*.json", 1), ("labels/*/0*.json", 3)],
)
def test_a_killed_run_resumes_to_the_same_bytes(demo, whole, tmp_path, until, count):
    place = tmp_path / "store"
    command = ["label", demo.path("unlabelled.parquet"), "--store", str(place), "--teacher", demo.path("teacher")]
    process = Forked([*command, "--shards", "5", "--tokens-per-batch", "1024"])
    while len(list(place.glob(until))) < count and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
    label(demo, place, inputs=())
    assert files(place) == files(whole)


def test_a_run_on_a_finished_store_does_nothing(demo, whole):
    before = files(whole)
    summary = label(demo, whole, inputs=(), shards=None)
    assert (summary.shards_done, summary.rows_done, summary.rows_per_second) == (0, 0, None)
    assert files(whole) == before


def test_a_teacher_with_permuted_names_gives_the_same_logits(demo, whole, tmp_path):
    folder = copy_model(demo, tmp_path)
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name].flip(0).contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    change_config(folder, id2label={"0": "positive", "1": "negative"}, label2id={"positive": 0, "negative": 1})
    place = shutil.copytree(whole, tmp_path / "store")
    label(demo, place, teacher=str(folder), inputs=(), name="permuted")
    np.testing.assert_array_equal(stored_logits(place, "permuted"), stored_logits(place))
    assert (
        store.open(place)
        .sql(
            "SELECT count(*) FROM labels a JOIN labels b USING (row) WHERE a.label_set < b.label_set AND a.class <> b.class"
        )
        .column(0)[0]
        .as_py()
        == 0
    )


def test_a_second_teacher_reuses_the_tokens_and_rewrites_nothing(demo, whole, tmp_path):
    place = shutil.copytree(whole, tmp_path / "store")
    label(demo, place, teacher=demo.path("direct"), inputs=())
    after = files(place)
    assert {name: data for name, data in after.items() if not name.startswith("labels/direct/")} == files(whole)
    assert store.open(place).label_sets() == ["direct", "teacher"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choices": engine.Choices(dtype="bf16")}, "dtype fp32.*bf16"),
        ({"choices": engine.Choices(tokens_per_batch=99)}, "tokens_per_batch 1024.*99"),
        ({"choices": engine.Choices(check_rows=3)}, "check_rows 8.*3.*--check-rows"),
        ({"shards": 7}, "has 5 shards, and --shards is 7"),
        ({"choices": engine.Choices(max_length=32)}, r"begun with max_length \d+ .*and this run has 32"),
        (
            {"columns": engine.ColumnNames(text="title")},
            "unlabelled.parquet was read with the text column text, and --text is title; leave",
        ),
        (
            {"columns": engine.ColumnNames(label="said")},
            "--label is said; `engine audit .* --gold FILE --id id --label said` adds",
        ),
        ({"classes": ("a", "b")}, "has the classes negative, positive, and --classes is a, b"),
    ],
)
def test_other_choices_are_refused_with_both_values(demo, whole, changes, message):
    before = files(whole)
    with pytest.raises(MismatchError, match=message):
        label(demo, whole, **{"inputs": (), "shards": None, **changes})
    assert files(whole) == before


def test_a_column_is_said_of_the_files_that_were_read_with_it(demo, tmp_path):
    first, second, place = tmp_path / "a.csv", tmp_path / "b.csv", str(tmp_path / "s")
    first.write_text("key,text,gold\n" + "".join(f"k{n},text {n},negative\n" for n in range(20)))
    second.write_text("key,text,gold\n" + "".join(f"x{n},other {n},positive\n" for n in range(20)))

    def run(file, **changes):
        return label(demo, place, inputs=(str(file),) if file else (), shards=None, **changes)

    ids, none = engine.ColumnNames(id="key"), engine.ColumnNames(label="gold", id="")
    run(first, columns=ids)
    run(second, append=True, columns=engine.ColumnNames(id=""))
    with pytest.raises(
        MismatchError, match=r"s, \S+b.csv was read without a column of ids, and --id is key; leave --id"
    ):
        run(second, columns=ids)
    both = r"b.csv was read without a column of ids, \S+a.csv was read with the id column key, and --id is other; leave"
    with pytest.raises(MismatchError, match=both):
        run(None, columns=engine.ColumnNames(id="other"))
    with pytest.raises(MismatchError, match=r"--label is gold; leave --label out, or label into a new store"):
        run(second, columns=none)
    with pytest.raises(MismatchError, match=r"--gold FILE --id key --label gold` adds"):
        run(first, columns=engine.ColumnNames(label="gold"))
    gold = engine.LabelColumns(id="key", label="gold")
    assert engine.add_gold(engine.GoldRoundConfig(store=place, inputs=(str(first),), columns=gold)).added == 20


def test_another_way_to_compute_is_refused_with_both(demo, whole, monkeypatch, tmp_path):
    shutil.copytree(whole, tmp_path / "s")
    shutil.rmtree(tmp_path / "s/runs")  # of runs that say that the teacher fits, and that nothing is left to compute
    monkeypatch.setattr(PackedBackend, "unsupported", lambda *_: "the probe finds a difference")
    with pytest.raises(MismatchError, match="path fused .*and this run has padded .*version of this engine, torch"):
        label(demo, tmp_path / "s", inputs=(), shards=None)


def test_another_model_under_the_same_name_is_refused_with_both(demo, whole):
    with pytest.raises(
        MismatchError, match=r"weights_sha256 \w{16} \(.*teacher\).*\w{16} \(.*direct\).*another --name"
    ):
        label(demo, whole, teacher=demo.path("direct"), name="teacher", inputs=())


def test_another_revision_is_refused_with_both_and_none_is_any(demo):
    card = replace(label_card(store.open(demo.path("reviews.store")).label_set("teacher")), revision="one")
    with pytest.raises(MismatchError, match=r"begun with revision one .*and this run has two .*Change --revision"):
        check_card(card, replace(card, revision="two"), label_set="teacher")
    check_card(card, replace(card, revision=None), label_set="teacher")
    check_card(replace(card, revision=None), card, label_set="teacher")


def test_other_class_names_are_refused_with_both(demo, whole, tmp_path):
    folder = copy_model(demo, tmp_path)
    change_config(folder, id2label={"0": "bad", "1": "good"}, label2id={"bad": 0, "good": 1})
    with pytest.raises(MismatchError, match="has the classes bad, good, and .* has negative, positive"):
        label(demo, whole, teacher=str(folder), inputs=())


def test_names_that_say_nothing_need_a_mapping(demo, tmp_path):
    folder = copy_model(demo, tmp_path)
    change_config(folder, id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id={"LABEL_0": 0, "LABEL_1": 1})
    with pytest.raises(ModelError, match="LABEL_0, LABEL_1.*--classes"):
        label(demo, tmp_path / "store", teacher=str(folder))
    assert not (tmp_path / "store" / "store.json").exists()
    label(demo, tmp_path / "store", teacher=str(folder), classes=("bad", "good"), shards=1)
    assert store.open(tmp_path / "store").header.classes == ["bad", "good"]


def test_a_store_needs_inputs_once(demo, tmp_path):
    with pytest.raises(InputError, match="is no store yet"):
        label(demo, tmp_path / "store", inputs=())


def test_other_inputs_are_refused(demo, whole, tmp_path):
    other = tmp_path / "unlabelled.parquet"
    pq.write_table(pq.read_table(demo.path("unlabelled.parquet")).slice(1), other)
    with pytest.raises(InputError, match=r"has changed since .* bytes with sha256 \w+ then, .* now"):
        label(demo, whole, inputs=(str(other),))


def test_logits_that_are_not_finite_become_failures_with_a_reason(demo, tmp_path):
    folder = copy_model(demo, tmp_path)
    weights = load_file(folder / "model.safetensors")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    weights["bert.embeddings.word_embeddings.weight"][tokenizer.vocab["pizza"]] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    summary = label(demo, tmp_path / "store", teacher=str(folder), name="broken")
    answer = store.open(tmp_path / "store").sql(
        "SELECT (text LIKE '%pizza%') AS poisoned, failure, logits IS NULL AS empty, count(*) AS n "
        "FROM reviews GROUP BY ALL ORDER BY 1"
    )
    rows = answer.to_pylist()
    assert [(row["poisoned"], row["failure"], row["empty"]) for row in rows] == [
        (False, None, False),
        (True, "non-finite logits", True),
    ]
    assert summary.failed == rows[1]["n"] > 0
    assert sum(row["n"] for row in rows) == demo.rows


def test_logits_too_large_for_fp16_are_stored_less_the_largest(demo, tmp_path):
    folder = copy_model(demo, tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = 1e6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    summary = label(demo, tmp_path / "store", teacher=str(folder))
    assert (summary.failed, summary.largest_difference) == (0, 0)
    found = store.open(tmp_path / "store").sql("SELECT DISTINCT prediction, confidence, logits FROM labels").to_pylist()
    assert found == [{"prediction": 0, "confidence": 1, "logits": [0, -65504]}]


def test_tokens_are_kept_only_where_asked(demo, tmp_path):
    label(demo, tmp_path / "store", keep_tokens=False)
    assert store.open(tmp_path / "store").encodings() == []


def test_a_store_can_live_in_memory(demo):
    storage = MemoryStorage()
    config = engine.LabelConfig(
        store=storage, teacher=demo.path("teacher"), inputs=(demo.path("gold.parquet"),), shards=2
    )
    summary = engine.label(config)
    assert summary.rows_done == 300
    answer = store.open(storage).sql(
        "SELECT count(*), count(gold) FROM reviews WHERE gold_class IN ('negative', 'positive')"
    )
    assert answer.to_pylist()[0] == {"count_star()": 300, "count(gold)": 300}


def test_more_shards_than_rows_leave_empty_ones(demo, tmp_path):
    pq.write_table(pa.table({"text": ["good", "bad food", "slow"]}), tmp_path / "few.parquet")
    summary = label(demo, tmp_path / "store", inputs=(str(tmp_path / "few.parquet"),), shards=8)
    assert (summary.rows_done, summary.shards_done) == (3, 8)
    opened = store.open(tmp_path / "store")
    assert opened.sql("SELECT count(*) FROM reviews").column(0)[0].as_py() == 3
    assert opened.label_set("teacher").is_sealed()


def test_notes_that_cannot_be_written_are_a_warning(demo, whole, tmp_path, caplog):
    place = shutil.copytree(whole, tmp_path / "store")
    shutil.rmtree(place / "labels")
    shutil.rmtree(place / "runs")
    (place / "runs").write_text("no folder")
    assert label(demo, place, inputs=()).shards_missing == 0
    assert "the notes of this run could not be written" in caplog.text


def test_an_error_inside_the_encoder_names_the_batch(demo):
    model = load_classifier(demo.path("teacher"))
    encoder = Encoder(model, device=torch.device("cpu"), budget=16)
    offsets = np.array([0, 8, 16, 19])
    tokens = Tokens(ids=np.full(19, 65_535, np.uint16), offsets=offsets, truncated=np.zeros(3, bool))
    with pytest.raises(ModelError, match="IndexError") as caught:
        encoder.logits(tokens, encoder.plan(tokens))
    assert describe(caught.value).endswith("in batch 1 of 2 (2 rows of 8 tokens)")


@pytest.mark.parametrize(
    ("teacher", "name"),
    [
        ("google-bert/BERT Base", "bert-base"),
        ("/models/My.Teacher_1/", "my.teacher_1"),
        ("./___", "teacher"),
        ("é", "teacher"),
    ],
)
def test_a_label_set_is_named_after_its_teacher(teacher, name):
    assert default_name(teacher) == name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_gives_the_logits_of_the_cpu(demo, whole, tmp_path):
    place = shutil.copytree(whole, tmp_path / "store")
    label(demo, place, inputs=(), name="cuda", devices=("cuda",), choices=engine.Choices(dtype="fp32"))
    np.testing.assert_allclose(stored_logits(place, "cuda"), stored_logits(place), atol=5e-3, rtol=5e-3)


def test_a_corpus_is_finished_from_the_files_that_were_checked(demo, tmp_path, monkeypatch):
    for folder, words in (("one", ["good", "bad", "slow"]), ("two", ["other", "words", "here"])):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"text": words}), tmp_path / folder / "in.parquet")
    place = tmp_path / "store"
    monkeypatch.chdir(tmp_path / "one")
    label(demo, place, inputs=("in.parquet",), shards=2)
    before = files(place)
    for path in [*place.glob("corpus/*1*"), place / "corpus/manifest.json"]:
        path.unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path / "two")
    with pytest.raises(InputError, match="in.parquet has changed"):
        label(demo, place, inputs=(), shards=2)
    label(demo, place, inputs=(str(tmp_path / "one" / "in.parquet"),), shards=2)
    assert files(place) == before


def test_an_unknown_gold_label_leaves_its_row_without_gold(demo, tmp_path):
    table = pa.table({"text": ["good", "bad", "slow"], "label": ["positive", "postive", "negative"]})
    pq.write_table(table, tmp_path / "in.parquet")
    summary = label(demo, tmp_path / "store", inputs=(str(tmp_path / "in.parquet"),), shards=1)
    assert (summary.rows, summary.rejected) == (3, 0)
    gold = store.open(tmp_path / "store").sql("SELECT gold_class FROM reviews ORDER BY row").to_pylist()
    assert [row["gold_class"] for row in gold] == ["positive", None, "negative"]


def test_gold_labels_of_another_question_are_kept_and_do_not_stop_the_run(demo, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    pq.write_table(pa.table({"text": ["good", "bad"], "label": ["sports", "politics"]}), tmp_path / "in.parquet")
    summary = label(demo, tmp_path / "store", inputs=(str(tmp_path / "in.parquet"),))
    assert (summary.rows, summary.rejected) == (2, 0)
    assert "the labels are politics, sports, and the classes are negative, positive" in caplog.text
    kept = store.open(tmp_path / "store").sql("SELECT label_ FROM corpus ORDER BY row").to_pylist()
    assert kept == [{"label_": "sports"}, {"label_": "politics"}]


def test_names_given_once_are_known_on_resume(demo, tmp_path):
    folder = copy_model(demo, tmp_path)
    change_config(folder, id2label={"0": "LABEL_0", "1": "LABEL_1"}, label2id={"LABEL_0": 0, "LABEL_1": 1})
    label(demo, tmp_path / "store", teacher=str(folder), classes=("bad", "good"))
    again = label(demo, tmp_path / "store", teacher=str(folder), inputs=(), shards=None)
    assert again.shards_done == 0


def test_stored_tokens_are_an_arrow_data_set_like_any_family(demo, whole):
    opened = store.open(whole)
    (encoding,) = opened.encodings()
    tokens = opened.dataset(f"tokens/{encoding}").to_table()
    assert tokens.num_rows == demo.rows
    lengths = opened.sql("SELECT n_tokens FROM labels ORDER BY row").column(0).to_pylist()
    assert [len(ids) for ids in tokens.column("input_ids").to_pylist()] == lengths


def test_damage_inside_a_shard_is_named(demo, whole, tmp_path):
    place = shutil.copytree(whole, tmp_path / "store")
    for path in [*place.glob("labels/teacher/00000*"), place / "labels/teacher/manifest.json"]:
        path.unlink()
    (tokens,) = place.glob("tokens/*/00000-*.arrow")
    tokens.write_bytes(tokens.read_bytes()[:-100])
    with pytest.raises(DamageError, match=tokens.name):
        label(demo, place, inputs=(), shards=None)


def test_texts_that_were_cut_are_counted_and_told_with_the_way_to_have_more_of_them_seen(demo, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    summary = label(demo, tmp_path / "store", choices=engine.Choices(max_length=8))
    counted = store.open(tmp_path / "store").sql("SELECT count(*) AS n FROM labels WHERE truncated")
    assert summary.truncated == counted["n"][0].as_py() > demo.rows // 2
    assert f"{summary.truncated:,} of {demo.rows:,} texts" in caplog.text
    assert "label again under another name: `engine label --store " in caplog.text
    caplog.clear()
    assert label(demo, tmp_path / "store", inputs=()).truncated == summary.truncated
    assert "have more than" not in caplog.text  # nothing was labelled
