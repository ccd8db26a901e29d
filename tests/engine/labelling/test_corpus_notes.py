"""Notes of a run while it reads its inputs: what others see of it, and what is left of them."""

import pytest
from store_factory import NoWaitStorage, add_corpus, write_header

from engine.labelling.planning.corpus_notes import noted
from engine.progress import silent
from store.format.run_log import RunState, read_runs, state_of


def test_notes_are_there_at_once_and_as_long_as_the_inputs_are_read(tmp_path):
    storage = NoWaitStorage(tmp_path / "s")
    told = []
    with noted(storage, lambda *what: told.append(what)) as tick:
        (run,) = read_runs(storage)
        assert (run["stage"], state_of(storage, run)) == ("opening the inputs", RunState.RUNNING)
        tick("checking rows", 70, None)
        tick("writing the corpus", 30, 90)
        (run,) = read_runs(storage)
        assert (run["stage"], run["rows_done"], run["rows"]) == ("writing the corpus", 30, 90)
    assert told == [("checking rows", 70, None), ("writing the corpus", 30, 90)]
    assert read_runs(storage) == []


def test_a_store_that_has_its_texts_gets_no_notes(tmp_path):
    made = write_header(NoWaitStorage(tmp_path / "s"), rows=50)
    add_corpus(made)
    with noted(made.storage, silent):
        assert read_runs(made.storage) == []


@pytest.mark.parametrize("is_made", [False, True])
def test_an_error_is_noted_in_a_store_and_leaves_nothing_where_there_is_none(tmp_path, is_made):
    storage = NoWaitStorage(tmp_path / "s")

    def fail():
        with noted(storage, silent) as tick:
            if is_made:
                write_header(storage, rows=50)
            tick("checking rows", 70, None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [run["summary"] for run in read_runs(storage)] == [{"stopped_by": "KeyboardInterrupt"}] * is_made
