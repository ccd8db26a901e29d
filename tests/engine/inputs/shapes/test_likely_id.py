"""A column that seems to hold ids is named, and not read as such."""

from pathlib import Path

import pytest

from engine.ingest.ingest import IngestConfig, ingest
from engine.inputs.columns import ColumnNames
from store.storage import MemoryStorage


def said(path: Path, caplog: pytest.LogCaptureFixture, table: str, **columns: str) -> list[str]:
    caplog.set_level("INFO")
    caplog.clear()
    (path / "t.csv").write_text(table)
    config = IngestConfig(files=(str(path / "t.csv"),), columns=ColumnNames(**columns))
    ingest(MemoryStorage(), config, known=["a", "b"])
    return [one.getMessage() for one in caplog.records if "--id" in one.getMessage()]


@pytest.mark.parametrize("name", ["ticket_id", "ticketId", "Ticket ID", "ticket-id", "customer.id"])
def test_a_column_of_ids_is_named_with_the_option(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    (note,) = said(tmp_path, caplog, f"{name},text\n7,one\n8,two\n9,three\n")
    option = f"'{name}'" if " " in name else name
    assert note == (
        f"{tmp_path / 't.csv'}: an id is the file's name and the row's number; {name!r} has another value in each of the "
        f"first rows: --id {option} reads the ids from there, and --id none leaves out this note"
    )
    assert said(tmp_path, caplog, f"{name},text\n7,one\n8,two\n", id="") == []
    assert said(tmp_path, caplog, f"{name},text\n7,one\n8,two\n", id=name) == []


def test_of_several_a_choice_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (note,) = said(tmp_path, caplog, "ticket_id,mail_id,text\n7,1,one\n8,2,two\n")
    assert "'ticket_id' and 'mail_id' have another value in each of the first rows: --id NAME reads" in note


@pytest.mark.parametrize(("again", "is_said"), [(1, True), (2, True), (3, False)])
def test_a_few_values_that_come_twice_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, again: int, is_said: bool
) -> None:
    rows = [f"{number},text {number}" for number in (*range(100 - again), *range(again))]
    notes = said(tmp_path, caplog, "\n".join(["ticket_id,text", *rows]) + "\n")
    words = f"in each of the first rows, but for {again} whose value came before and which would be refused: --id"
    assert [words in note for note in notes] == [True] * is_said


@pytest.mark.parametrize(
    "table",
    [
        "customer_id,text\n7,one\n7,two\n8,three\n",  # of something else
        "customer_id,text\n7,one\n,two\n8,three\n",
        "paid,text\n7,one\n8,two\n",
        "COVID,text\n7,one\n8,two\n",
        "ticket_id,text\n7,one\n",  # one row tells nothing
        "id,ticket_id,text\n1,7,one\n2,8,two\n",
    ],
)
def test_other_columns_are_not_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, table: str) -> None:
    assert said(tmp_path, caplog, table) == []
