import pickle
from dataclasses import replace

import pytest
import torch

import engine
import store
from engine.compute.backends import BACKENDS
from engine.errors import ModelError
from engine.labelling.card import Settings, check_card, freeze_card, make_card, settings_of
from engine.labelling.job import LabelJob, labeller_of
from engine.labelling.planning.choices import Choices
from engine.labelling.probe import Probe, probe_model
from engine.labelling.token_budget import CorpusSize
from engine.models.classifier import load_classifier
from engine.models.teacher import TeacherSource
from store.errors import DamageError, MismatchError
from store.families.label_card import LabelCard, label_card

SMALL = CorpusSize(tokens=1000)


def sent(value):
    """As it comes out of another process."""
    return pickle.loads(pickle.dumps(value))


def probe_of(teacher):
    return Probe(teacher=TeacherSource(source=teacher), choices=Choices(), corpus=SMALL, held=None, devices=("cpu",))


@pytest.fixture(scope="module")
def labelled(demo, tmp_path_factory):
    place = tmp_path_factory.mktemp("probe") / "store"
    inputs = (demo.path("gold.parquet"),)
    engine.label(
        engine.LabelConfig(
            store=str(place), teacher=demo.path("teacher"), inputs=inputs, shards=2, devices=("cpu",), worker=(0, 2)
        )
    )
    return place


def test_a_probe_gives_the_settings_of_a_run_in_one_process(demo, labelled):
    found, threads = sent(sent(probe_of(demo.path("teacher")))("cpu"))
    card = label_card(store.open(labelled).label_set("teacher"))
    assert (found, threads) == (settings_of(card, label_set="teacher"), card.threads)
    made = make_card(load_classifier(demo.path("teacher")), found, threads=card.threads)
    assert made.to_dict() == store.open(labelled).label_set("teacher").card()
    assert list(made.to_dict()) == list(store.open(labelled).label_set("teacher").card())


def test_choices_come_before_the_card_and_the_card_before_the_device(demo):
    model = load_classifier(demo.path("teacher"))
    held = LabelCard(max_length=64, dtype="bf16", tokens_per_batch=77, check_rows=0, path="packed")
    cpu = torch.device("cpu")
    assert probe_model(model, Choices(), cpu, SMALL, held=held) == Settings(
        max_length=64, dtype="bf16", tokens_per_batch=77, check_rows=0, backend="packed", device="cpu"
    )
    chosen = Choices(max_length=32, dtype="fp32", tokens_per_batch=5, check_rows=3, backend="padded")
    assert probe_model(model, chosen, cpu, SMALL, held=held) == Settings(
        max_length=32, dtype="fp32", tokens_per_batch=5, check_rows=3, backend="padded", device="cpu"
    )


def test_a_teacher_or_device_that_is_missing_is_an_error_of_the_probe(demo):
    with pytest.raises(ModelError):
        probe_of("/nowhere/teacher")("cpu")
    with pytest.raises(ModelError, match="this machine has"):
        probe_of(demo.path("teacher"))(f"cuda:{torch.cuda.device_count()}")


def test_runs_that_begin_together_may_differ_in_compiling_alone(demo, labelled):
    card = label_card(store.open(labelled).label_set("teacher"))
    labels = store.open(labelled).label_set("teacher")
    assert freeze_card(labels, replace(card, path="compiled", tokens_per_batch=9), Choices()).path == "fused"
    with pytest.raises(MismatchError, match="begun with path fused .* has padded"):
        freeze_card(labels, replace(card, path="padded"), Choices())
    with pytest.raises(MismatchError, match="begun with tokens_per_batch 1024 .* has 9"):
        freeze_card(labels, replace(card, tokens_per_batch=9), Choices(tokens_per_batch=9))
    assert set(BACKENDS) == {
        "int8-static-flash",
        "int8-static-bf16",
        "int8-static",
        "fp8-compiled",
        "fp8",
        "bf16-flash",
        "bf16",
        "compiled",
        "fused",
        "packed",
        "padded",
    }


def test_a_label_set_of_an_arithmetic_that_is_no_more_is_not_continued(demo, labelled):
    """As products in int8 had a range for each token of every input once."""
    old_label_set(labelled, "old", dtype="int8", path="int8-bf16-flash")
    labels = store.open(labelled).label_set("old")
    card = replace(label_card(labels), path="int8-static-flash")
    with pytest.raises(
        MismatchError,
        match=r"begun with path int8-bf16-flash \(.*, and this run has int8-static-flash \(.*version of this engine.*--name",
    ):
        freeze_card(labels, card, Choices(dtype="int8"))


def test_runs_that_begin_together_take_the_dtype_of_the_first(demo, labelled):
    labels = store.open(labelled).label_set("teacher")
    other = replace(label_card(labels), dtype="bf16", path="packed")
    assert (freeze_card(labels, other, Choices()).dtype, label_card(labels).dtype) == ("fp32", "fp32")
    with pytest.raises(MismatchError, match="begun with dtype fp32 .* has bf16"):
        freeze_card(labels, other, Choices(dtype="bf16"))


def old_label_set(labelled, name, **changes):
    """A label set whose card is as the first one's, without the fields that are None in ``changes``."""
    made = store.open(labelled)
    card = {**made.label_set("teacher").card(), **changes}
    made.label_set(name).freeze_card({field: value for field, value in card.items() if value is not None})
    return made


def test_a_card_of_an_earlier_version_is_refused_by_the_name_of_what_it_lacks(labelled):
    made = old_label_set(labelled, "early", path=None, check_rows=None)
    with pytest.raises(MismatchError, match="'early' was begun by an earlier version, and its card has no .*path"):
        labeller_of(made, "early")
    card = label_card(made.label_set("early"))
    with pytest.raises(MismatchError, match="its card has no path: it can be read, but not continued"):
        check_card(card, replace(card, path="fused"), label_set="early")


def test_a_run_into_a_label_set_of_an_earlier_version_is_refused(demo, labelled):
    old_label_set(labelled, "early-run", path=None)
    config = engine.LabelConfig(store=str(labelled), teacher=demo.path("teacher"), devices=("cpu",), name="early-run")
    with pytest.raises(MismatchError, match="'early-run' was begun by an earlier version, and its card has no path"):
        engine.label(config)


def test_a_card_with_a_wrong_type_ends_a_run_with_its_place(demo, labelled):
    old_label_set(labelled, "odd", max_length="64")
    config = engine.LabelConfig(store=str(labelled), teacher=demo.path("teacher"), devices=("cpu",), name="odd")
    with pytest.raises(DamageError, match=r"labels/odd/card.json is damaged: max_length is '64'"):
        engine.label(config)
    findings = store.open(labelled).verify().findings
    assert [finding.file for finding in findings if "max_length" in finding.problem] == ["labels/odd/card.json"]


def test_a_job_can_be_sent_with_its_card(demo, labelled):
    card = label_card(store.open(labelled).label_set("teacher"))
    job = LabelJob(
        store=str(labelled),
        label_set="teacher",
        teacher=demo.path("teacher"),
        revision=None,
        card=card,
        keep_tokens=False,
    )
    assert sent(job).open("cpu").encoder.path == "fused"
