"""Whether steps of an experiment were worked on at once, on one machine."""

import json

import pytest

from engine.comparison.experiment import spans
from engine.comparison.experiment.spans import is_shared, noted


def write(folder, *notes):
    for number, (machine, began, ended) in enumerate(notes):
        note = {"machine": machine, "began": began, "ended": ended}
        (folder / f"{number}.json").write_text(json.dumps(note))


@pytest.mark.parametrize(
    ("notes", "shared"),
    [
        ([], False),
        ([("a", 0.0, 5.0), ("a", 5.0, 9.0)], False),
        ([("a", 0.0, 5.0), ("a", 4.9, 9.0)], True),
        ([("a", 0.0, 5.0), ("b", 1.0, 2.0)], False),
        ([("b", 0.0, 90.0), ("a", 1.0, 2.0), ("b", 50.0, 60.0)], True),
    ],
)
def test_spans_of_one_machine_that_overlap_are_found(tmp_path, notes, shared):
    write(tmp_path, *notes)
    assert is_shared(tmp_path) == shared


def test_a_step_is_noted_once_it_is_done(tmp_path):
    with pytest.raises(KeyboardInterrupt), noted(tmp_path / "spans", "first"):
        raise KeyboardInterrupt
    with noted(tmp_path / "spans", "first"), noted(tmp_path / "spans", "second"):
        assert list((tmp_path / "spans").iterdir()) == []
    assert sorted(file.stem for file in (tmp_path / "spans").glob("*.json")) == ["first", "second"]
    first = json.loads((tmp_path / "spans" / "first.json").read_text())
    assert first["machine"] == spans.THIS_MACHINE
    assert first["began"] <= first["ended"]
    assert not is_shared(tmp_path / "none")
