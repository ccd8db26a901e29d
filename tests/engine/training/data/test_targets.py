"""The targets of a distillation: what a run freezes, and an identity that shows every change of them."""

import json

import numpy as np
import pytest
import torch
from store_factory import add_corpus, add_labels, calibration_at, repair_labels, write_header

from engine.errors import TrainingError
from engine.training.data.targets import TargetsChoice, resolve_targets
from engine.training.distributed import Ranks
from engine.training.output.run_folder import RunFolder, flat_names
from store.errors import StoreMissingError
from store.gold.calibration import add_calibration
from store.gold.fingerprint import fingerprints
from store.rows.row_set import RowSet
from store.selections.selection import Selection, freeze_selection

ROWS = 40
ALONE = Ranks(rank=0, count=1, device=torch.device("cpu"))


@pytest.fixture
def made():
    made = write_header(rows=ROWS, shards=3)
    add_corpus(made)
    add_labels(made, "bert")
    add_labels(made, "roberta", seed=1)
    rows = RowSet.of(np.arange(10, 30), size=ROWS)
    freeze_selection(made, Selection(name="middle", rows=rows, sources=fingerprints(made, ["corpus"])))
    return made


def resolved(made, folder, **changes):
    choice = {
        "labels": ("bert",), "select": None, "weight": None, "gold_weight": 0.0, "rounds": None, "calibrated": False
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    return resolve_targets(made, TargetsChoice(**{**choice, **changes}), RunFolder(str(folder)), ALONE)


def test_the_identity_of_plain_targets_is_that_of_their_labels(made, tmp_path):
    targets = resolved(made, tmp_path / "out")
    identity = targets.identity(made)
    assert identity == resolved(made, tmp_path / "out").identity(made)
    assert json.loads(json.dumps(identity)) == identity
    assert [name for name, value in identity.items() if value is not None] == ["labels"]
    assert (targets.soft.weights, targets.soft.rounds, targets.soft.temperatures) == (None, None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ("roberta",)},
        {"labels": ("bert", "roberta")},
        {"select": "middle"},
        {"weight": "confidence"},
        {"calibrated": True},
    ],
)
def test_every_other_choice_has_another_identity(made, tmp_path, changes):
    add_calibration(made, calibration_at(2.5, label_set="bert", made=made))
    plain = resolved(made, tmp_path / "plain").identity(made)
    assert resolved(made, tmp_path / "other", **changes).identity(made) != plain


def test_other_logits_under_the_same_name_have_another_identity(made, tmp_path):
    before = resolved(made, tmp_path / "out").identity(made)
    repair_labels(made, "bert", shard=1, seed=9)
    assert resolved(made, tmp_path / "out").identity(made) != before


def test_the_gold_of_the_corpus_alone_adds_nothing_to_the_identity(made, tmp_path):
    targets = resolved(made, tmp_path / "out", gold_weight=0.5)
    assert targets.soft.rounds == (0,)
    assert targets.identity(made)["gold"] is None


def test_a_run_keeps_the_calibration_with_which_it_was_begun(made, tmp_path):
    add_calibration(made, calibration_at(2.5, label_set="bert", made=made))
    first = resolved(made, tmp_path / "out", calibrated=True)
    RunFolder(str(tmp_path / "out")).begin(flat_names(first.identity(made)))
    add_calibration(made, calibration_at(0.5, label_set="bert", made=made))
    assert resolved(made, tmp_path / "out", calibrated=True).soft.temperatures == (2.5,)
    assert resolved(made, tmp_path / "new", calibrated=True).soft.temperatures == (0.5,)


def test_targets_that_cannot_be_are_refused(made, tmp_path):
    with pytest.raises(TrainingError, match="--round says which gold counts, and --gold-weight is 0"):
        resolved(made, tmp_path / "out", rounds=(0,))
    with pytest.raises(StoreMissingError, match="has no calibration"):
        resolved(made, tmp_path / "out", calibrated=True)
