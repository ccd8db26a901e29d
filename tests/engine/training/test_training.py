import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from store_factory import add_corpus, add_labels, write_header
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import engine
import store
from engine.errors import InputError, TrainingError
from engine.inputs.labels.labelled import GoldConfig, read_gold
from engine.models.initialize import load_start
from engine.training.data.gold_steps import GoldSteps
from engine.training.distributed import Ranks
from engine.training.loop import LoopConfig, Objective, fit
from engine.training.loss import cross_entropy, kl_divergence
from engine.training.micro_batches import CUDA_BUDGETS, fitting_budget
from store.errors import StoreMissingError
from store.storage import MemoryStorage

ALONE = Ranks(rank=0, count=1, device=torch.device("cpu"))


def without_dropout(model):
    for module in model.module.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.module.config.attention_probs_dropout_prob = 0.0
    for layer in model.module.bert.encoder.layer:
        layer.attention.self.dropout_prob = 0.0
    return model


def short_training(demo, **changes):
    """Losses and weights of one epoch on gold, without dropout."""
    gold = read_gold(GoldConfig(files=(demo.path("gold.parquet"),)))
    model = without_dropout(load_start(demo.path("start-student"), classes=gold.classes))
    config = LoopConfig(**{"epochs": 1, "batch_size": 32, "learning_rate": 1e-3, **changes})
    steps = GoldSteps(gold, model.encoding(), batch_size=config.batch_size, seed=config.seed, ranks=ALONE)
    state = fit(Objective(model=model, steps=steps, loss=cross_entropy, config=config), ranks=ALONE)
    return state.reports, {name: tensor.clone() for name, tensor in model.module.state_dict().items()}


def test_kl_is_zero_for_equal_logits_and_matches_the_formula():
    teacher, student = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    p, q = torch.softmax(teacher, 1), torch.softmax(student, 1)
    divergences = kl_divergence(student, teacher[:, None])
    torch.testing.assert_close(divergences, (p * (p / q).log()).sum(1))
    assert kl_divergence(teacher, teacher[:, None] + 5).abs().max() < 1e-6


def test_the_gradient_of_kl_is_that_of_soft_cross_entropy():
    teacher, student = torch.randn(4, 3), torch.randn(4, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(kl_divergence(student, teacher[:, None]).sum(), student)
    torch.testing.assert_close(gradient, torch.softmax(student, 1).detach() - torch.softmax(teacher, 1))


def test_the_token_budget_changes_neither_losses_nor_weights(demo):
    small, large = short_training(demo, tokens_per_batch=64), short_training(demo, tokens_per_batch=100_000)
    assert small[0][0].loss == pytest.approx(large[0][0].loss, rel=1e-5)
    for name, tensor in small[1].items():
        torch.testing.assert_close(tensor, large[1][name], atol=1e-4, rtol=1e-3)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(demo):
    first, again, other = (short_training(demo, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(tensor, again[1][name]) for name, tensor in first[1].items())
    assert not all(torch.equal(tensor, other[1][name]) for name, tensor in first[1].items())


def test_training_lowers_the_loss(demo):
    reports, _ = short_training(demo, epochs=12, learning_rate=5e-3)
    assert reports[-1].loss < 0.75 * reports[0].loss
    assert [report.rows for report in reports] == [300] * 12


def test_a_loss_that_is_not_finite_ends_with_advice(demo):
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        short_training(demo, learning_rate=1e30, epochs=3)


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(TrainingError, match="must all be positive"):
        LoopConfig(**changes)


def test_the_student_beats_direct_training_and_comes_near_its_teacher(demo):
    teacher, distilled, direct, _ = (arm.accuracy for arm in demo.arms)
    assert distilled > direct
    assert distilled > teacher - 0.05


def test_a_student_keeps_class_names_and_comes_with_a_card(demo):
    folder = Path(demo.path("student"))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    card = (folder / "README.md").read_text()
    assert "distilled from the label set 'teacher'" in card
    assert f"| trained on | {demo.rows:,} rows" in card
    report = json.loads((folder / "training.json").read_text())
    assert report["rows"] == demo.rows
    assert report["evaluation"]["accuracy"] == demo.arms[1].accuracy
    assert len(report["epochs"]) == report["loop"]["epochs"]


def distill(demo, out, **changes):
    place, student = demo.path("reviews.store"), demo.path("start-student")
    loop = LoopConfig(epochs=1, batch_size=32, learning_rate=1e-3)
    return engine.train(
        engine.DistillConfig(**{"store": place, "student": student, "out": str(out), "loop": loop, **changes})
    )


def test_stored_tokens_and_texts_give_the_same_student(demo, tmp_path, caplog):
    caplog.set_level("INFO")
    stored = distill(demo, tmp_path / "stored")
    assert "are read from the store" in caplog.text
    place = tmp_path / "without-tokens"
    inputs = (demo.path("unlabelled.parquet"),)
    engine.label(engine.LabelConfig(store=str(place), teacher=demo.path("teacher"), inputs=inputs, keep_tokens=False))
    texts = distill(demo, tmp_path / "texts", store=str(place))
    assert "tokenised on the fly" in caplog.text
    assert stored.epochs[0].loss == pytest.approx(texts.epochs[0].loss, rel=1e-6)


def test_a_shorter_student_tokenises_for_itself(demo, tmp_path, caplog):
    caplog.set_level("INFO")
    trained = distill(demo, tmp_path / "short", max_length=16)
    assert trained.max_length == 16
    assert "tokenised on the fly" in caplog.text


def test_a_folder_with_something_in_it_is_refused(demo, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not empty, and no training was begun in it"):
        distill(demo, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unfinished_label_set_is_refused_by_name(demo, tmp_path):
    place = tmp_path / "store"
    inputs = (demo.path("gold.parquet"),)
    engine.label(engine.LabelConfig(store=str(place), teacher=demo.path("teacher"), inputs=inputs, shards=3))
    (place / "labels/teacher/manifest.json").unlink()
    (place / "labels/teacher/00001.json").unlink()
    with pytest.raises(TrainingError, match=r"labels/teacher lacks 1 of 3 shards \(the first is 1\)"):
        distill(demo, tmp_path / "out", store=str(place))
    with pytest.raises(StoreMissingError, match="no label set 'other'; it has: teacher"):
        distill(demo, tmp_path / "out", store=str(place), labels="other")


def poisoned_teacher(demo, tmp_path, word):
    """The teacher with a word that makes its logits NaN."""
    folder = shutil.copytree(demo.path("teacher"), tmp_path / "poisoned")
    weights = load_file(folder / "model.safetensors")
    token = AutoTokenizer.from_pretrained(folder).vocab[word]
    weights["bert.embeddings.word_embeddings.weight"][token] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return str(folder)


def test_failed_rows_are_not_learnt_from(demo, tmp_path):
    place, inputs = str(tmp_path / "store"), (demo.path("unlabelled.parquet"),)
    teacher = poisoned_teacher(demo, tmp_path, "pizza")
    failed = engine.label(engine.LabelConfig(store=place, teacher=teacher, inputs=inputs)).failed
    trained = distill(demo, tmp_path / "out", store=place)
    assert failed > 0
    assert trained.rows == demo.rows - failed
    assert np.isfinite(trained.epochs[0].loss)


def test_a_label_set_without_a_label_is_refused(demo, tmp_path):
    made = write_header(MemoryStorage(), rows=40, shards=2, classes=["negative", "positive"])
    add_corpus(made)
    add_labels(made, "kept", failed=range(40))
    with pytest.raises(TrainingError, match="no row to learn from"):
        distill(demo, tmp_path / "out", store=made.storage)


def test_a_mistake_in_the_held_out_rows_is_found_before_training(demo, tmp_path):
    with pytest.raises(InputError, match="nothing.parquet"):
        distill(demo, tmp_path / "out", evaluation=(str(tmp_path / "nothing.parquet"),))
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=(demo.path("gold.parquet"),)),
        model=demo.path("start-student"),
        out=str(tmp_path / "out"),
        evaluation=(demo.path("unlabelled.parquet"),),
        loop=LoopConfig(epochs=10**9),
    )
    with pytest.raises(InputError, match="no column looks like the label"):
        engine.finetune(config)
    assert list(tmp_path.iterdir()) == []


def test_finetune_with_a_limit_uses_that_many_rows_of_every_kind(demo, tmp_path):
    gold = read_gold(GoldConfig(files=(demo.path("gold.parquet"),), limit=50, seed=3))
    assert len(gold.texts) == 50
    assert set(np.unique(gold.labels)) == {0, 1}
    config = engine.FinetuneConfig(
        gold=engine.GoldConfig(files=(demo.path("gold.parquet"),), limit=50),
        model=demo.path("start-student"),
        out=str(tmp_path / "out"),
        loop=LoopConfig(epochs=1),
    )
    assert engine.finetune(config).rows == 50


def test_labelling_and_training_import_neither_duckdb_nor_webdataset(demo, tmp_path):
    place = str(tmp_path / "store")
    code = (
        "import sys, engine\n"
        f"engine.label(engine.LabelConfig(store={place!r}, teacher={demo.path('teacher')!r}, "
        f"inputs=({demo.path('gold.parquet')!r},)))\n"
        f"engine.train(engine.DistillConfig(store={place!r}, student={demo.path('start-student')!r}, "
        f"out={str(tmp_path / 'out')!r}, loop=engine.LoopConfig(epochs=1)))\n"
        "assert not {'duckdb', 'webdataset'} & set(sys.modules), 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_stream_composes_with_webdataset(demo):
    import webdataset

    stream = store.open(demo.path("reviews.store")).stream(labels="teacher", columns=("logits",), batch_size=100)
    pipeline = webdataset.DataPipeline(stream, webdataset.map(lambda batch: batch["logits"].argmax(axis=1)))
    assert sum(len(predictions) for predictions in pipeline) == demo.rows


def test_a_gpus_budget_is_what_half_of_its_memory_holds():
    least, most = CUDA_BUDGETS
    assert fitting_budget(40 * 10**9, layers=12, hidden=768) == most
    assert fitting_budget(12 * 10**9, layers=12, hidden=768) == 16_384
    assert fitting_budget(10**6, layers=12, hidden=768) == least
    for memory in range(10**9, 10**11, 10**9):
        tokens = fitting_budget(memory, layers=24, hidden=1024)
        assert tokens == least or tokens * 24 * 1024 * 48 <= memory


def test_finetune_counts_the_texts_that_are_cut_and_tells_of_many(demo, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    gold = engine.GoldConfig(files=(demo.path("gold.parquet"),), limit=50)
    for length, is_told in ((8, True), (None, False)):
        out = tmp_path / str(length)
        config = engine.FinetuneConfig(
            gold=gold, model=demo.path("start-student"), out=str(out), max_length=length, loop=LoopConfig(epochs=1)
        )
        caplog.clear()
        cut = engine.finetune(config).truncated
        assert (cut > 25) == is_told
        assert (f"{cut} of 50 texts" in caplog.text) == is_told
