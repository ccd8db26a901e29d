"""The first look at inputs refuses nothing that the run itself takes."""

import pytest

from engine.errors import InputError
from engine.inputs.columns import ColumnNames
from engine.inputs.options import FOUND_OUT
from engine.labelling.planning import first_look
from engine.labelling.planning.first_look import look_at_inputs


@pytest.fixture
def files(tmp_path):
    labelled, bare = tmp_path / "large.jsonl", tmp_path / "small.jsonl"
    labelled.write_text('{"id": "1", "text": "a text that is long", "stars": "one"}\n')
    bare.write_text('{"id": "2", "text": "b"}\n')
    return [str(labelled), str(bare)]


def test_the_label_may_be_in_a_file_that_is_too_large_to_look_at(files, monkeypatch):
    monkeypatch.setattr(first_look, "_BYTES", 30)
    look_at_inputs(files, ColumnNames(label="stars"), FOUND_OUT)


def test_a_label_that_no_file_has_is_refused(files):
    look_at_inputs(files, ColumnNames(label="stars"), FOUND_OUT)
    with pytest.raises(InputError, match="there is no column 'stras' for --label .did you mean 'stars'"):
        look_at_inputs(files, ColumnNames(label="stras"), FOUND_OUT)
