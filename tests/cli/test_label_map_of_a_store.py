"""A label map is of files that are read; with another one than before, rows that are there do not change."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from tiny_models import save

import store
from cli.main import run

CLASSES = ("billing", "shipping")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("teacher") / "teacher", names=CLASSES)


@pytest.fixture
def label(teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`engine label` into the one store: its exit code, and what is on stderr."""

    def ran(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        where = ["--store", str(tmp_path / "s.store"), "--teacher", teacher, "--devices", "cpu"]
        code = run(["label", *arguments, *where])
        return code, capsys.readouterr().err

    return ran


def written(path: Path, labels: list[str], first: int = 0) -> str:
    rows = [f"{first + at},good text {first + at},{label}" for at, label in enumerate(labels)]
    path.write_text("\n".join(["id,text,label", *rows]) + "\n")
    return str(path)


def gold(place: Path) -> list[str | None]:
    return store.open(place).sql("SELECT gold_class FROM reviews ORDER BY row")["gold_class"].to_pylist()


def test_rows_that_were_read_without_it_are_not_said_to_have_it(label: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", ["billing", "shipping", "bil"])
    assert label(file)[0] == 0
    for more in ([], ["--append"]):
        code, err = label(file, *more, "--label-map", "bil=billing")
        said = f"{file} was read into {tmp_path / 's.store'} without --label-map bil=billing, and its rows stay as they"
        assert (code, said in err) == (1, True)
    (way,) = re.findall(r"`(engine audit .*?)`", err)
    assert run([file if word == "FILE" else word for word in shlex.split(way)[1:]]) == 0
    assert gold(tmp_path / "s.store") == ["billing", "shipping", "billing"]


def test_the_same_map_again_changes_nothing(label: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", ["billing", "shipping", "bil"])
    assert label(file, "--label-map", "bil=Billing")[0] == 0
    assert label(file, "--append", "--label-map", "bil=billing")[0] == 0
    assert label(file, "--label-map", "bil=0")[0] == 0
    for other in ("shipping", "1", "²", ""):
        code, err = label(file, "--label-map", f"bil={other}")
        assert (code, f"without --label-map bil={other}, and its rows stay" in err) == (1, True)


@pytest.mark.parametrize("name", ["0", "bilng", ""])
def test_a_map_by_which_a_label_became_no_class_may_come_again(label: Any, tmp_path: Path, name: str) -> None:
    """Whoever was stopped gives the same command again."""
    file = written(tmp_path / "a.csv", ["billing", "shipping", "bil"])
    assert label(file, "--label-map", f"bil={name}")[0] == 0
    assert gold(tmp_path / "s.store") == ["billing", "shipping", None]
    assert label(file, "--label-map", f"bil={name}")[0] == 0
    assert label(file, "--label-map", "bil=billing")[0] == 1


def test_a_class_by_its_index_is_the_class_by_its_name(label: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", ["x", "y", "x"])
    assert label(file, "--label-map", "x=0,y=1")[0] == 0
    assert gold(tmp_path / "s.store") == ["billing", "shipping", "billing"]
    for same in ("x=0,y=1", "y=Shipping,x=billing", "x=0"):
        assert label(file, "--label-map", same)[0] == 0
    assert label(file, "--label-map", "x=1,y=0")[0] == 1


def test_a_class_that_is_said_to_be_itself_is_no_other_map(label: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", ["billing", "shipping", "Billing"])
    assert label(file)[0] == 0
    assert label(file, "--label-map", "billing=billing,Shipping=shipping")[0] == 0
    assert label(file, "--label-map", "billing=shipping")[0] == 1


def test_the_way_out_holds_of_labels_that_a_shell_would_part(label: Any, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", ["billing", "shipping", "bil. it's"])
    assert label(file)[0] == 0
    code, err = label(file, "--label-map", "bil. it's=billing")
    assert code == 1
    (way,) = re.findall(r"`(engine audit .*?)`", err)
    assert run([file if word == "FILE" else word for word in shlex.split(way)[1:]]) == 0
    assert gold(tmp_path / "s.store") == ["billing", "shipping", "billing"]


def test_beside_new_files_it_is_said(label: Any, tmp_path: Path) -> None:
    old, new = written(tmp_path / "a.csv", ["billing", "bil"]), written(tmp_path / "b.csv", ["bil", "shipping"], 10)
    assert label(old)[0] == 0
    code, err = label(old, new, "--append", "--label-map", "bil=billing")
    assert (code, f"{old} was read into" in err) == (0, True)
    assert gold(tmp_path / "s.store") == ["billing", None, "billing", "shipping"]
