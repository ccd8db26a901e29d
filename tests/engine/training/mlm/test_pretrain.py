"""Masked language modelling before a fine-tuning: what it makes, resume to the last bit, refusals with a way out."""

import json
import logging
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny_models
import torch
import transformers
from forked import start_ranks
from safetensors.torch import load_file

import engine
from engine.errors import InputError, ModelError, TrainingError
from engine.ingest import ingest
from engine.training import loop
from engine.training.mlm import pretrain as pretraining
from engine.training.mlm import texts as texts_of_mlm
from engine.training.output.trained import read_trained

SIZES = {"vocab_size": len(tiny_models.VOCABULARY), "max_position_embeddings": 64, **tiny_models.SIZES}


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """BERT with the head of its pretraining and a pooler, as bert-base-uncased has them."""
    folder = tmp_path_factory.mktemp("start")
    whole = transformers.BertForPreTraining(transformers.BertConfig(**SIZES))
    tiny_models.spread(whole, size=0.05).save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Labelled rows, and texts of one word again and again."""
    folder = tmp_path_factory.mktemp("files")
    rows = [{"text": text, "label": "good" if "good" in text else "bad"} for text in tiny_models.texts(60)]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = tiny_models.WORDS
    same = [" ".join([words[row % 20]] * (2 + row % 9)) for row in range(300)]
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text in same))
    return folder


def finetune(files, start, out, *, texts=None, mlm=None, epochs=1, **more):
    given = {"epochs": 2, "batch_size": 32, "learning_rate": 1e-3, **(mlm or {})}
    inputs = (str(files / "texts.txt"),) if texts is None else texts
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=(str(files / "gold.jsonl"),)),
        model=str(start),
        out=str(out),
        mlm=engine.MlmConfig(inputs=inputs, **given),
        loop=engine.LoopConfig(epochs=epochs),
        **more,
    )
    return engine.finetune(config)


def losses(out):
    return [json.loads(line)["loss"] for line in (Path(out) / "mlm" / "metrics.jsonl").read_text().splitlines()]


def same_files(one, other):
    ours, theirs = load_file(Path(one) / "model.safetensors"), load_file(Path(other) / "model.safetensors")
    assert ours.keys() == theirs.keys()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_loss_falls_and_what_is_made_is_a_start_like_any_other(files, start, tmp_path):
    trained = finetune(files, start, tmp_path / "out", mlm={"epochs": 15, "learning_rate": 2e-2})
    said = losses(tmp_path / "out")
    assert trained.mlm.rows == 300
    assert trained.mlm.steps == len(said) == 15 * 10
    assert trained.mlm.loss < 0.5 * said[0]
    masked, info = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "out/mlm", output_loading_info=True)
    assert not info["missing_keys"]
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "out/mlm")
    row = tokens("pool pool pool [MASK] pool", return_tensors="pt")
    found = masked.eval()(**row).logits[0, 4].argmax()
    assert tokens.convert_ids_to_tokens(int(found)) == "pool"
    again = finetune(files, tmp_path / "out/mlm", tmp_path / "more")
    assert losses(tmp_path / "more")[0] < said[0] * 0.7
    assert again.mlm.steps == 20


def test_the_classifier_begins_with_the_trained_encoder_and_the_pooler_of_the_start(files, start, tmp_path):
    finetune(files, start, tmp_path / "out")
    made, before = load_file(tmp_path / "out/mlm/model.safetensors"), load_file(start / "model.safetensors")
    assert torch.equal(made["bert.pooler.dense.weight"], before["bert.pooler.dense.weight"])
    word = "bert.embeddings.word_embeddings.weight"
    assert not torch.equal(made[word], before[word])
    (out := tmp_path / "again").mkdir()
    direct = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=(str(files / "gold.jsonl"),)),
        model=str(tmp_path / "out/mlm"),
        out=str(out),
        loop=engine.LoopConfig(epochs=1),
    )
    engine.finetune(direct)
    assert same_files(tmp_path / "out", out)


def test_the_card_names_texts_and_licence(files, start, tmp_path):
    finetune(files, start, tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text()
    assert "| before that | masked language modelling on 300 texts of `" in card
    assert "license: apache-2.0" in card
    made = (tmp_path / "out/mlm/README.md").read_text()
    assert "license: apache-2.0" in made
    assert "pipeline_tag: fill-mask" in made


class Stopped(BaseException):
    pass


@contextmanager
def stopped_after(steps, monkeypatch):
    """What is done inside is a training that is stopped after so many steps."""
    step = loop.Training._step

    def stop(self, one):
        if self.state.done == steps:
            raise Stopped
        return step(self, one)

    with monkeypatch.context() as patched:
        patched.setattr(loop.Training, "_step", stop)
        with pytest.raises(Stopped):
            yield


@pytest.mark.parametrize("after", [3, 13, 19])
def test_a_run_that_is_stopped_goes_on_and_ends_with_the_same_bits(files, start, tmp_path, monkeypatch, after):
    finetune(files, start, tmp_path / "whole")
    saving = engine.SavingConfig(every_steps=2)
    with stopped_after(after, monkeypatch):
        finetune(files, start, tmp_path / "out", saving=saving)
    assert (tmp_path / "out/.mlm-texts").is_dir()
    trained = finetune(files, start, tmp_path / "out", saving=saving)
    assert trained.mlm.steps == 20
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    assert same_files(tmp_path / "out/mlm", tmp_path / "whole/mlm")
    assert same_files(tmp_path / "out", tmp_path / "whole")


def test_what_is_done_is_not_done_again(files, start, tmp_path, monkeypatch):
    done = finetune(files, start, tmp_path / "out")
    assert not (tmp_path / "out/.mlm-texts").exists()
    monkeypatch.setattr(pretraining, "_fit", lambda *_: pytest.fail("trained again"))
    again = finetune(files, start, tmp_path / "out")
    assert again.mlm == done.mlm
    shutil.copytree(tmp_path / "out/mlm", tmp_path / "killed/mlm")
    anew = finetune(files, start, tmp_path / "killed")
    assert anew.mlm == done.mlm
    assert same_files(tmp_path / "killed", tmp_path / "out")


@pytest.mark.parametrize("part", ["write_corpus", "create_header"])
def test_texts_of_which_half_were_read_are_read_again(files, start, tmp_path, monkeypatch, part):
    def stop(*_, **__):
        raise Stopped

    finetune(files, start, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(ingest, part, stop)
        with pytest.raises(Stopped):
            finetune(files, start, tmp_path / "out")
    assert [*(tmp_path / "out/.mlm-texts").glob("*/texts.store")]
    finetune(files, start, tmp_path / "out")
    assert same_files(tmp_path / "out", tmp_path / "whole")


def test_a_store_is_read_where_it_is_with_its_tokens(files, start, tmp_path):
    teacher = tiny_models.save(tmp_path / "teacher")
    place = tmp_path / "texts.store"
    engine.label(engine.LabelConfig(store=str(place), teacher=teacher, inputs=(str(files / "texts.txt"),)))
    before = sorted(path.name for path in place.rglob("*"))
    files_run = finetune(files, start, tmp_path / "files", max_length=64)
    stored = finetune(files, start, tmp_path / "stored", texts=(str(place),), max_length=64)
    assert stored.mlm.epochs[-1].loss == files_run.mlm.epochs[-1].loss
    assert same_files(tmp_path / "stored", tmp_path / "files")
    assert not (tmp_path / "stored/.mlm-texts").exists()
    assert sorted(path.name for path in place.rglob("*")) == before
    with pytest.raises(InputError, match="a store, beside other inputs"):
        finetune(files, start, tmp_path / "both", texts=(str(place), str(files / "texts.txt")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mlm": {"epochs": 3}}, r"mlm\.epochs was 2 and is 3"),
        ({"mlm": {"learning_rate": 2e-3}}, r"mlm\.learning_rate was 0\.001 and is 0\.002"),
    ],
)
def test_another_pretraining_is_refused(files, start, tmp_path, changes, said):
    finetune(files, start, tmp_path / "out")
    with pytest.raises(TrainingError, match=said):
        finetune(files, start, tmp_path / "out", **changes)
    other = tmp_path / "other.txt"
    other.write_text("the food was good\n")
    with pytest.raises(TrainingError, match="the texts of --mlm are others"):
        finetune(files, start, tmp_path / "out", texts=(str(other),))


def test_a_pretraining_that_was_begun_is_not_passed_over_nor_goes_on_otherwise(files, start, tmp_path, monkeypatch):
    saving = engine.SavingConfig(every_steps=1)
    with stopped_after(5, monkeypatch):
        finetune(files, start, tmp_path / "out", saving=saving)
    plain = engine.GoldConfig(files=(str(files / "gold.jsonl"),))
    with pytest.raises(TrainingError, match="holds a masked language modelling that was begun; give --mlm as then"):
        engine.finetune(engine.FinetuneConfig(gold=plain, model=str(start), out=str(tmp_path / "out")))
    config = engine.FinetuneConfig(
        gold=plain,
        model=str(start),
        out=str(tmp_path / "out"),
        mlm=engine.MlmConfig(inputs=(str(files / "texts.txt"),), epochs=2, batch_size=32, learning_rate=1e-3),
        loop=engine.LoopConfig(epochs=1, warmup=0.5),
    )
    with pytest.raises(TrainingError, match=r"loop\.warmup was 0\.1 and is 0\.5"):
        engine.finetune(config)


def test_other_texts_after_a_kill_are_read_and_learned(files, start, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(pretraining, "_fit", stop)
        with pytest.raises(Stopped):
            finetune(files, start, tmp_path / "out")
    shutil.rmtree(tmp_path / "out/mlm")
    plain = engine.GoldConfig(files=(str(files / "gold.jsonl"),))
    with pytest.raises(TrainingError, match="holds a masked language modelling that was begun"):
        engine.finetune(engine.FinetuneConfig(gold=plain, model=str(start), out=str(tmp_path / "out")))
    other = tmp_path / "other.txt"
    other.write_text("the food was good\n" * 7)
    trained = finetune(files, start, tmp_path / "out", texts=(str(other),))
    assert trained.mlm.rows == 7
    assert not (tmp_path / "out/.mlm-texts").exists()


def test_texts_that_a_kill_left_behind_are_removed(files, start, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(pretraining, "remove_texts", lambda _: None)
        finetune(files, start, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole/mlm", tmp_path / "out/mlm")
    shutil.copytree(tmp_path / "whole/.mlm-texts", tmp_path / "out/.mlm-texts")
    finetune(files, start, tmp_path / "out")
    assert not (tmp_path / "out/.mlm-texts").exists()


def test_a_run_goes_on_with_the_rows_that_its_store_had(files, start, tmp_path, monkeypatch):
    teacher, place, more = tiny_models.save(tmp_path / "teacher"), tmp_path / "texts.store", tmp_path / "more.txt"
    engine.label(engine.LabelConfig(store=str(place), teacher=teacher, inputs=(str(files / "texts.txt"),)))
    whole = finetune(files, start, tmp_path / "whole", texts=(str(place),))

    def stop(*_, **__):
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(pretraining, "_fit", stop)
        with pytest.raises(Stopped):
            finetune(files, start, tmp_path / "out", texts=(str(place),))
    more.write_text("the staff was slow\n" * 9)
    engine.label(engine.LabelConfig(store=str(place), teacher=teacher, inputs=(str(more),), append=True))
    assert finetune(files, start, tmp_path / "out", texts=(str(place),)).mlm.rows == whole.mlm.rows == 300
    assert same_files(tmp_path / "out", tmp_path / "whole")
    again = finetune(files, start, tmp_path / "new", texts=(str(place),))
    assert again.mlm.rows == 309


def test_plain_text_is_read_beside_labelled_columns(files, start, tmp_path):
    gold = tmp_path / "gold.csv"
    gold.write_text("review;mark\n" + "the food was good;good\nthe room was bad;bad\n" * 20)
    table = tmp_path / "texts.jsonl"
    table.write_text('{"review": "the staff was slow"}\n' * 5)
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(
            files=(str(gold),),
            columns=engine.ColumnNames(text="review", label="mark"),
            options=engine.ReadOptions(delimiter=";", label_map=(("good", "positive"), ("bad", "negative"))),
        ),
        model=str(start),
        out=str(tmp_path / "out"),
        mlm=engine.MlmConfig(inputs=(str(files / "texts.txt"), str(table)), epochs=1),
        loop=engine.LoopConfig(epochs=1),
    )
    assert engine.finetune(config).mlm.rows == 305


@pytest.mark.parametrize("url", ["https://example.invalid/texts.csv", "hf://datasets/me/mine", "s3://bucket/texts.csv"])
def test_urls_are_files_of_texts(files, start, tmp_path, monkeypatch, url):
    monkeypatch.setattr(texts_of_mlm, "expand", lambda _: [str(files / "texts.txt")])
    assert finetune(files, start, tmp_path / "out", texts=(url,), mlm={"epochs": 1}).mlm.rows == 300


def test_what_a_user_has_there_stays(files, start, tmp_path):
    (tmp_path / "out/texts").mkdir(parents=True)
    mine = shutil.copy(files / "texts.txt", tmp_path / "out/texts/mine.txt")
    with pytest.raises(TrainingError, match="is not empty"):
        finetune(files, start, tmp_path / "out", texts=(str(mine),))
    finetune(files, start, tmp_path / "new")
    shutil.move(tmp_path / "out/texts", tmp_path / "new/texts")
    finetune(files, start, tmp_path / "new")
    assert (tmp_path / "new/texts/mine.txt").exists()


def test_texts_without_a_known_word_are_left_out_and_alone_refused(files, start, tmp_path, caplog):
    unknown = tmp_path / "unknown.txt"
    unknown.write_text("[CLS] [SEP]\nxyzzy plugh\n" * 150)
    with pytest.raises(InputError, match="none of 300 texts of --mlm has a word that the model's tokenizer knows"):
        finetune(files, start, tmp_path / "none", texts=(str(unknown),))
    both = (str(files / "texts.txt"), str(unknown))
    half = finetune(files, start, tmp_path / "half", texts=both, mlm={"batch_size": 600, "epochs": 1})
    assert half.mlm.rows == 300
    assert "300 of 600 texts of --mlm have no word that the model's tokenizer knows" in caplog.text
    whole = finetune(files, start, tmp_path / "whole", mlm={"batch_size": 300, "epochs": 1})
    assert half.mlm.epochs[0].loss == pytest.approx(whole.mlm.epochs[0].loss, rel=0.05)


@pytest.mark.parametrize("damage", ["cut", "gone", "others"])
def test_damaged_weights_are_made_anew_from_the_last_checkpoint(files, start, tmp_path, caplog, damage):
    finetune(files, start, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole/mlm", tmp_path / "out/mlm")
    weights = tmp_path / "out/mlm/model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:3000])
    elif damage == "gone":
        weights.unlink()
    else:
        shutil.copy(start / "model.safetensors", weights)
    finetune(files, start, tmp_path / "out")
    assert "are made anew from the last checkpoint" in caplog.text
    assert same_files(tmp_path / "out/mlm", tmp_path / "whole/mlm")
    assert same_files(tmp_path / "out", tmp_path / "whole")


def test_the_column_of_texts_may_be_another(files, start, tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text("review_body,note\nthe food was good,a\nthe room was bad,b\n")
    with pytest.raises(InputError, match=r"--mlm-text.*It is a file of --mlm"):
        finetune(files, start, tmp_path / "out", texts=(str(table),))
    trained = finetune(files, start, tmp_path / "out", texts=(str(table),), mlm={"text": "review_body"})
    assert trained.mlm.rows == 2


def test_a_report_names_the_classifier_above(files, start, tmp_path):
    finetune(files, start, tmp_path / "out")
    with pytest.raises(TrainingError, match="holds a masked language model, which engine finetune --mlm made"):
        read_trained(tmp_path / "out/mlm", rank=0)


def test_another_length_is_named(files, start, tmp_path):
    finetune(files, start, tmp_path / "out")
    with pytest.raises(TrainingError, match="the tokens of a text are others; .*max_length was 64 and is 8"):
        finetune(files, start, tmp_path / "out", max_length=8)


@pytest.mark.parametrize("inputs", [(), "texts.txt"])
def test_inputs_are_a_tuple(inputs):
    with pytest.raises(TrainingError, match="they are a tuple of at least one place"):
        engine.MlmConfig(inputs=inputs)


def test_a_rate_that_is_too_large_is_named(files, start, tmp_path):
    with pytest.raises(TrainingError, match="lower --mlm-learning-rate"):
        finetune(files, start, tmp_path / "out", mlm={"learning_rate": 1e38})


def test_a_run_is_not_one_without_it(files, start, tmp_path):
    finetune(files, start, tmp_path / "out")
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=(str(files / "gold.jsonl"),)),
        model=str(start),
        out=str(tmp_path / "out"),
        loop=engine.LoopConfig(epochs=1),
    )
    with pytest.raises(TrainingError, match=r"mlm\.batch_size was 32 and is None"):
        engine.finetune(config)


def test_rows_that_are_refused_are_counted_with_their_places(files, start, tmp_path):
    texts = tmp_path / "texts.csv"
    texts.write_text('id,text,label\n1,the food was good,x\n1,"",y\n1,the room was bad,\n')
    trained = finetune(files, start, tmp_path / "out", texts=(str(texts),))
    assert trained.mlm.rows == 2  # ids and labels of texts are not read
    assert trained.rejected == trained.mlm.rejected == 1
    assert any("texts.csv row 2" in reason for reason in trained.reasons)


def test_texts_of_the_evaluation_are_told(files, start, tmp_path, caplog):
    test = tmp_path / "test.jsonl"
    first = (files / "texts.txt").read_text().splitlines()[:2]
    rows = [
        {"text": text, "label": label} for text, label in zip([*first, "staff"], ["good", "bad", "good"], strict=True)
    ]
    test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    finetune(files, start, tmp_path / "out", evaluation=(str(test),))
    assert "2 of the 3 evaluation rows have texts that --mlm has, too" in caplog.text


def test_a_start_without_the_head_is_refused_before_texts_are_read(files, tmp_path):
    plain = tiny_models.save(tmp_path / "plain")
    with pytest.raises(ModelError, match="has no head that finds masked words out .* leave --mlm out"):
        finetune(files, plain, tmp_path / "out")
    assert not (tmp_path / "out/.mlm-texts").exists()


def test_a_model_that_reads_to_the_right_alone_is_refused(files, tmp_path):
    config = transformers.GPT2Config(vocab_size=SIZES["vocab_size"], n_positions=64, n_embd=16, n_layer=2, n_head=2)
    transformers.GPT2ForSequenceClassification(config).save_pretrained(tmp_path / "gpt2")
    tiny_models.tokenizer().save_pretrained(tmp_path / "gpt2")
    with pytest.raises(ModelError, match="is a gpt2, which is no masked language model"):
        finetune(files, tmp_path / "gpt2", tmp_path / "out")


def test_a_tokenizer_without_a_mask_is_refused(files, start, tmp_path):
    shutil.copytree(start, tmp_path / "start")
    tiny_models.tokenizer(mask_token=None).save_pretrained(tmp_path / "start")
    with pytest.raises(ModelError, match="its tokenizer has no mask token"):
        finetune(files, tmp_path / "start", tmp_path / "out")


def test_some_layers_and_a_plain_configuration_can_be_trained(files, start, tmp_path):
    one = finetune(files, f"{start}#layers=1", tmp_path / "one")
    assert one.mlm.steps == 20
    assert transformers.AutoConfig.from_pretrained(tmp_path / "one/mlm").num_hidden_layers == 1
    assert transformers.AutoConfig.from_pretrained(tmp_path / "one").num_hidden_layers == 1
    (scratch := tmp_path / "scratch").mkdir()
    transformers.BertConfig(**SIZES).save_pretrained(scratch)
    tiny_models.tokenizer().save_pretrained(scratch)
    made = finetune(files, scratch / "config.json", tmp_path / "out")
    assert made.mlm.steps == 20


def test_no_limit_of_tokens_is_lost(files, start, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    finetune(files, start, tmp_path / "out", max_length=8)
    assert "another model may take more" not in caplog.text
    assert "a larger --max-length" in caplog.text


def test_two_ranks_learn_what_one_does(files, start, tmp_path):
    still = tmp_path / "still"
    shutil.copytree(start, still)
    tiny_models.change_config(still, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    outs = {}
    for ranks in (1, 2):
        out = outs[ranks] = tmp_path / str(ranks)
        line = ["finetune", str(files / "gold.jsonl"), "--model", str(still), "--out", str(out), "--epochs", "1"]
        line += ["--mlm", str(files / "texts.txt"), "--mlm-epochs", "2", "--mlm-batch-size", "33"]
        processes = start_ranks(line, ranks)
        said = [process.communicate(timeout=200) for process in processes]
        assert [process.returncode for process in processes] == [0] * ranks, said
        assert json.loads(said[0][0])["mlm_texts"] == 300
    assert losses(outs[1]) == pytest.approx(losses(outs[2]), abs=1e-5)
    assert not (outs[2] / ".mlm-texts").exists()
