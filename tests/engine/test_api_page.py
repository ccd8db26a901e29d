"""API.md has what `engine` and `store` export, as their source says it."""

import importlib
import inspect
import re

import pytest

from engine.testing.api_page import PAGE, _anchors, _signature, _text, page

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_that_of_the_source():
    assert page() == TEXT, "python -m engine.testing.api_page writes the page"


@pytest.mark.parametrize("package", ["engine", "store"])
def test_each_name_has_a_section_and_a_link_to_it(package):
    names = importlib.import_module(package).__all__
    assert sorted(re.findall(rf"^### {package}\.(\w+)$", TEXT, re.MULTILINE)) == sorted({*names, "errors"})
    for name, anchor in _anchors(package, sorted(names, key=lambda name: (name.lower(), name))).items():
        assert f"[`{name}`](#{anchor})" in TEXT


def test_headings_that_differ_by_case_have_anchors_of_their_own():
    assert _anchors("engine", ["Repair", "repair", "train"]) == {
        "Repair": "enginerepair",
        "repair": "enginerepair-1",
        "train": "enginetrain",
    }


@pytest.mark.parametrize("name", importlib.import_module("engine").__all__)
def test_a_signature_names_the_arguments_that_python_takes(name):
    exported = getattr(importlib.import_module("engine"), name)
    shown = re.findall(r"(?:^|[(,]\s*)\**(\w+):", re.sub(r"\[[^\[\]]*\]", "", _signature(exported, "")))
    assert [one for one in shown if one] == list(inspect.signature(exported).parameters)


def test_sections_are_lists_and_what_is_indented_is_code():
    docstring = """What it does, with `a name` and *a star.

    code(1)

Args:
    first: a thing
        of two lines.
    *rest: others.

Raises:
    EngineError: never.
"""
    assert _text(inspect.cleandoc(docstring)) == [
        "What it does, with `a name` and \\*a star.",
        "",
        "```",
        "code(1)",
        "```",
        "",
        "**Args**",
        "",
        "- `first`: a thing of two lines.",
        "- `*rest`: others.",
        "",
        "**Raises**",
        "",
        "- `EngineError`: never.",
        "",
    ]
