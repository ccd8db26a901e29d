"""The names that `engine` and `store` export: each resolves, is documented, and is known to editors too."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

PACKAGES = ("engine", "store")
EXPORTS = [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__]


def typed_names(package: str) -> dict[str, tuple[str, str]]:
    """Each name imported under TYPE_CHECKING, with its module and its name there."""
    tree = ast.parse(Path(str(importlib.import_module(package).__file__)).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize(("package", "name"), EXPORTS)
def test_an_export_resolves_and_has_a_docstring(package: str, name: str) -> None:
    exported = getattr(importlib.import_module(package), name)
    assert inspect.isclass(exported) or inspect.isfunction(exported)
    assert exported.__doc__
    assert not exported.__doc__.startswith(f"{exported.__name__}("), "the docstring that a dataclass gets by itself"


@pytest.mark.parametrize("package", PACKAGES)
def test_editors_the_table_and_all_have_the_same_names(package: str) -> None:
    module = importlib.import_module(package)
    table = {name: home if isinstance(home, tuple) else (home, name) for name, home in module._HOME.items()}
    assert typed_names(package) == table
    assert sorted(module.__all__) == sorted(table)


@pytest.mark.parametrize("package", PACKAGES)
def test_another_name_is_refused(package: str) -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        importlib.import_module(package).__getattr__("nothing")


def test_calibration_and_repair_are_exported() -> None:
    assert {"CalibrateConfig", "Calibration", "Repair", "calibrate", "repair"} <= set(
        importlib.import_module("engine").__all__
    )
