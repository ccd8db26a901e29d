"""What is wrong with a request is said before torch is imported, which takes seconds."""

import json
import subprocess
import sys

import pytest

from benchmarks.startup.mistakes import made_files, mistakes

SAID = """
import contextlib, io, json, sys
from cli.main import run
said = []
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        code = run(arguments)
    loaded = sorted({"torch", "transformers"} & sys.modules.keys())
    said.append([code, errors.getvalue(), loaded])
    for name in [name for name in sys.modules if name.partition(".")[0] in loaded]:
        del sys.modules[name]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    made_files(folder, demo.path("teacher"), [f"the text number {number} was good" for number in range(40)])
    listed = mistakes(folder, demo.path("teacher"))
    given = json.dumps([one.arguments for one in listed])
    done = subprocess.run([sys.executable, "-c", SAID], input=given, capture_output=True, text=True, check=True)
    return dict(zip((one.what for one in listed), zip(listed, json.loads(done.stdout), strict=True), strict=True))


def test_mistakes_are_said_without_torch(said):
    assert len(said) > 30
    assert {what: loaded for what, (_, (_, _, loaded)) in said.items() if loaded} == {}


def test_mistakes_are_said_in_words(said):
    wrong = {
        what: words for what, (one, (code, words, _)) in said.items() if code not in (1, 2) or one.says not in words
    }
    assert wrong == {}
