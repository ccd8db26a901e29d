"""The public names → API.md: signatures and docstrings. ``python -m engine.testing.api_page`` writes it.

Signatures are those of the source, so that the page does not depend on the version of Python. A test fails when it
drifts.
"""

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "API.md"
_PACKAGES = ("engine", "store")
_LONG = 100
_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises):$")
_ENTRY = re.compile(r"`?(\*{0,2}\w[\w.]*(?:, \w[\w.]*)*)`?: (.*)", re.DOTALL)
_HEAD = """# From Python

What `import engine` and `import store` offer. Other modules may change from one version to the next.

`python -m engine.testing.api_page` writes this page from the docstrings.
"""


def page() -> str:
    """API.md."""
    exports = {package: _exported(package) for package in _PACKAGES}
    lines = [_HEAD]
    for package, names in exports.items():
        links = {name: f"[`{name}`](#{anchor})" for name, anchor in _anchors(package, names).items()}
        for kind, is_kind in (("functions", inspect.isfunction), ("classes", inspect.isclass)):
            shown = [links[name] for name in names if is_kind(getattr(importlib.import_module(package), name))]
            lines += [f"- {kind} of `{package}`: {', '.join(shown)}"]
    lines += ["- [errors](#errors)", ""]
    for package, names in exports.items():
        lines += [f"## {package}", "", *_text(inspect.getdoc(importlib.import_module(package)) or "")]
        for name in names:
            lines += [f"### {package}.{name}", "", *_described(getattr(importlib.import_module(package), name), name)]
    lines += ["## errors", ""]
    for name in ("engine.errors", "store.errors"):
        lines += [f"### {name}", "", *_text(inspect.getdoc(importlib.import_module(name)) or "")]
    return "\n".join(lines).rstrip("\n") + "\n"


def _exported(package: str) -> list[str]:
    """The names of a package, by the alphabet."""
    return sorted(importlib.import_module(package).__all__, key=lambda name: (name.lower(), name))


def _anchors(package: str, names: list[str]) -> dict[str, str]:
    """The anchor that GitHub gives to the heading of each name: of two that differ by case, the second has a number."""
    seen: list[str] = []
    anchors = {}
    for name in names:
        anchor = f"{package}{name.lower()}"
        anchors[name] = anchor if anchor not in seen else f"{anchor}-{seen.count(anchor)}"
        seen.append(anchor)
    return anchors


def _described(exported: Any, name: str) -> list[str]:
    """Signature and docstring of a function, or of a class with its methods."""
    lines = [*_code(_signature(exported, name)), *_text(inspect.getdoc(exported) or "")]
    if inspect.isclass(exported):
        for method, value in vars(exported).items():
            function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if not method.startswith("_") and inspect.isfunction(function) and function.__doc__:
                title = f"{name}.{method}"
                shown = title if isinstance(value, property) else _signature(function, title)
                lines += [f"#### {title}", "", *_code(shown), *_text(inspect.getdoc(function) or "")]
    return lines


def _signature(exported: Any, name: str) -> str:
    """``name(arguments) -> result``, as the source has them."""
    if dataclasses.is_dataclass(exported) and inspect.isclass(exported):
        fields = _fields(exported)
        keywords = ["*"] if all(field.kw_only for field in dataclasses.fields(exported)) else []
        return _call(name, [*keywords, *fields], "")
    if inspect.isclass(exported):
        return _call(name, _arguments(_node(exported.__init__)), "")
    node = _node(exported)
    return _call(name, _arguments(node), "" if node.returns is None else f" -> {_written(node.returns)}")


def _call(name: str, arguments: list[str], result: str) -> str:
    """In a line if it is short, else with a line for each argument."""
    line = f"{name}({', '.join(arguments)}){result}"
    if len(line) <= _LONG:
        return line
    return "\n".join([f"{name}(", *(f"    {one}," for one in arguments), f"){result}"])


def _node(function: Any) -> ast.FunctionDef:
    """The definition of a function."""
    node = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    assert isinstance(node, ast.FunctionDef), f"{function} is not a function of our own"
    return node


def _arguments(node: ast.FunctionDef) -> list[str]:
    """Each argument but ``self``, with its type and its default, and the marks between them."""
    given = node.args
    places = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(places) - len(given.defaults)), *given.defaults]
    shown = [_argument(one, default) for one, default in zip(places, defaults, strict=True)]
    if places and places[0].arg in ("self", "cls"):
        shown = shown[1:]
    if given.vararg is not None:
        shown.append(f"*{_argument(given.vararg, None)}")
    elif given.kwonlyargs:
        shown.append("*")
    return shown + [_argument(one, value) for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)]


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = "" if argument.annotation is None else f": {_written(argument.annotation)}"
    return f"{argument.arg}{kind}" + ("" if default is None else f" = {ast.unparse(default)}")


def _fields(kind: type) -> list[str]:
    """Each field that its maker takes, with its type and its default."""
    written: dict[str, ast.AnnAssign] = {}
    for parent in reversed(kind.__mro__):
        if dataclasses.is_dataclass(parent):
            node = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0]
            assert isinstance(node, ast.ClassDef)
            assigned = (one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name))
            written.update({ast.unparse(one.target): one for one in assigned})
    fields = [field for field in dataclasses.fields(kind) if field.init]
    return [
        f"{field.name}: {_written(written[field.name].annotation)}{_default(written[field.name])}" for field in fields
    ]


def _default(field: ast.AnnAssign) -> str:
    """`` = value``; of ``field(default_factory=Kind)``, what it makes."""
    if field.value is None:
        return ""
    made = re.fullmatch(r"field\(default_factory=(\w+)\)", ast.unparse(field.value))
    return f" = {made[1]}()" if made else f" = {ast.unparse(field.value)}"


def _written(annotation: ast.expr) -> str:
    """A type, without the quotation marks that keep it from being looked up."""
    quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return annotation.value if quoted else ast.unparse(annotation)  # type: ignore[attr-defined]


def _code(text: str) -> list[str]:
    return ["```python", text, "```", ""]


def _text(docstring: str) -> list[str]:
    """A docstring in Markdown: sections are lists, what is indented is code."""
    lines: list[str] = []
    for part in docstring.split("\n\n"):
        first, _, rest = part.partition("\n")
        if section := _SECTION.match(first):
            lines += [f"**{section[1]}**", "", *_entries(textwrap.dedent(rest)), ""]
        elif first.startswith(("    ", ">>>")):
            lines += ["```", *textwrap.dedent(part).split("\n"), "```", ""]
        else:
            lines += [_marked(part), ""]
    return lines


def _entries(text: str) -> list[str]:
    """The items of a section: a line that is not indented begins one; a section of one sentence is a paragraph."""
    items = [" ".join(item.split()) for item in re.split(r"\n(?! )", text)]
    matched = [_ENTRY.fullmatch(item) for item in items]
    if not matched[0]:
        return [_marked(" ".join(items))]
    return [
        f"- `{one[1]}`: {_marked(one[2])}" if one else f"- {_marked(item)}"
        for one, item in zip(matched, items, strict=True)
    ]


def _marked(text: str) -> str:
    """Text whose quoted names are Markdown's code, on one line."""
    parts = re.split(r"``?([^`]+)``?", " ".join(text.split()))
    parts[::2] = [re.sub(r"([\\*_<>|\[\]])", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [f"`{part}`" for part in parts[1::2]]
    return "".join(parts)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
