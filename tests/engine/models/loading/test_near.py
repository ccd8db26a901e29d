"""A path to a model may be wrong in any of its parts: the models that may be meant are named."""

import re
from pathlib import Path

import pytest

from engine.models.loading.near import models_below, near_models

MODELS = ("teacher", "runs/teacher", "runs/student", "out/x1", "out/x2", "out/deep/y")
NEAR = {
    "techer": ["teacher"],
    "./techer": ["teacher"],
    "rnus/teacher": ["runs/teacher"],
    "rnus/techer": ["runs/teacher"],
    "techer/student": ["runs/student", "teacher"],
    "teacher/student": ["runs/student", "teacher"],
    "out/models/x1": ["out/x1"],
    "ot/models/z": ["out/x1", "out/x2", "out/deep/y"],
    "models/student": ["runs/student"],
    "ouut/deep/z/y": ["out/deep/y"],
    "runs/mine": ["runs/student", "runs/teacher"],
    "a/b/c": [],
    "nobody/nothing": [],
    "/nowhere/teacher": [],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in MODELS:
        write_model(tmp_path / name)
    (tmp_path / "teacher2").mkdir()  # no model
    write_model(tmp_path / "teacher/checkpoints/10")  # a part of one
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")


def named(source: str) -> list[str]:
    return re.sub("^; near it there (is|are) the models? ", "", near_models(source)).split(", ")


@pytest.mark.parametrize("source", NEAR)
def test_each_part_of_a_path_may_be_wrong(place: Path, source: str) -> None:
    assert sorted(filter(None, named(source))) == sorted(NEAR[source])


def test_a_path_from_the_root_is_followed_too(place: Path) -> None:
    assert named(f"{place}/rnus/studnt") == [f"{place}/runs/student"]
    assert set(named(f"{place}/out/nothing/like/it")) == {f"{place}/out/{name}" for name in ("x1", "x2", "deep/y")}


def sorted_below(place: Path) -> list[Path]:
    return [model.relative_to(place) for model in models_below(place)]


def test_models_at_every_depth_are_named_and_how_many_more_there_are(place: Path) -> None:
    assert {str(one) for one in sorted_below(place)} == set(MODELS)
    assert near_models("./zzz").endswith(" and 1 more")
    for number in range(9):
        write_model(place / f"out/trained-{number}")
    assert near_models("out/trained-x").endswith(" and 4 more")
