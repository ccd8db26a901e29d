"""What is wrong with a request is said before torch is imported, which takes seconds."""

import pytest
from run_apart import run_apart

from benchmarks.startup.made_files import made_files
from benchmarks.startup.mistakes import mistakes


@pytest.fixture(scope="module")
def said(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    made_files(folder, demo.path("teacher"), [f"the text number {number} was good" for number in range(40)])
    listed = mistakes(folder, demo.path("teacher"))
    done = run_apart([one.arguments for one in listed])
    return dict(zip((one.what for one in listed), zip(listed, done, strict=True), strict=True))


def test_mistakes_are_said_without_torch(said):
    assert len(said) > 50
    assert {what: done.loaded for what, (_, done) in said.items() if done.loaded} == {}


def test_mistakes_are_said_in_words(said):
    wrong = {
        what: done.err for what, (one, done) in said.items() if done.code not in (1, 2) or one.says not in done.err
    }
    assert wrong == {}
