"""Every path, module and object that the pages and the docstrings name exists."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        "README.md",
        "benchmarks/LOG.md",
        "cli/REFERENCE.md",
        "engine/API.md",
        "engine/CHANGES.md",
        "engine/CLUSTERS.md",
        "engine/DEPLOY.md",
    ),
    *("engine/MODELS.md", "store/FORMAT.md"),
]
MODULES = sorted(
    str(path.relative_to(ROOT))
    for package in ("store", "engine", "cli", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
)
PACKAGES = "store|engine|cli|benchmarks|tests"
PATH = re.compile(rf"(?<![\w/.])(?:{PACKAGES})/[\w./-]*\w")
COMMAND = re.compile(r"python -m ((?:benchmarks|cli)[\w.]*\w)")
OBJECT = re.compile(r"`((?:store|engine|cli|benchmarks)(?:\.\w+)+)`")


def words(name: str) -> str:
    """A page, or all docstrings of a module, those below assignments included."""
    text = (ROOT / name).read_text()
    if not name.endswith(".py"):
        return text
    nodes = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def resolves(dotted: str) -> bool:
    """Whether ``dotted`` is a module, or an attribute reached from one; a field of a class counts."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


@pytest.mark.parametrize("page", PAGES)
def test_the_paths_of_a_page_exist(page):
    names = [name for name in PATH.findall(words(page)) if not re.search(r"NAME|NNN|<", name)]
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_paths_in_docstrings_exist():
    missing = [
        (module, name)
        for module in MODULES
        for name in PATH.findall(words(module))
        if name.endswith((".py", ".md", ".sql")) and not (ROOT / name).exists()
    ]
    assert missing == []


def test_the_commands_that_are_named_exist():
    missing = [
        (name, module)
        for name in [*PAGES, *MODULES]
        for module in COMMAND.findall(words(name))
        if module != "benchmarks.NAME" and importlib.util.find_spec(module) is None
    ]
    assert missing == []


def test_the_objects_in_backticks_exist():
    names = {(name, dotted) for name in [*PAGES, *MODULES] for dotted in OBJECT.findall(words(name))}
    files = (".json", ".md", ".sql", ".py", ".toml", ".store")
    missing = [(name, dotted) for name, dotted in sorted(names) if not dotted.endswith(files) and not resolves(dotted)]
    assert len(names) > 10
    assert missing == []
