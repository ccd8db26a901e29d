"""What an installed package has: each file that the code reads, and each package, but no test."""

import shlex
import tomllib
from pathlib import Path

import click
import pytest

from cli.main import cli

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = ("cli", "engine", "store")
DEPLOY = (ROOT / "engine" / "DEPLOY.md").read_text()
LINES = [line for line in DEPLOY.splitlines() if not line.startswith(("-", "#", " "))]


def files(*, python):
    """Files in the packages, by their path."""
    return {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and (path.suffix == ".py") == python
    }


def test_package_data_has_every_file_that_is_no_python_and_no_page():
    packed = {
        path.relative_to(ROOT)
        for package, patterns in SETTINGS["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert files(python=False) - packed == {path for path in files(python=False) - packed if path.suffix == ".md"}
    assert {path.suffix for path in packed} == {".md", ".sql", ".css", ".html", ".js", ".typed"}


@pytest.mark.parametrize(("package", "patterns"), list(SETTINGS["package-data"].items()))
def test_every_pattern_of_package_data_finds_a_file(package, patterns):
    for pattern in patterns:
        assert list((ROOT / package.replace(".", "/")).glob(pattern)), pattern


def test_every_folder_of_modules_is_a_package_and_every_package_is_found():
    folders = {path.parent for path in files(python=True)}
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").is_file()] == []
    assert SETTINGS["packages"]["find"]["include"] == [f"{package}*" for package in PACKAGES]
    others = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()} - set(PACKAGES)
    assert not any(name.startswith(PACKAGES) for name in others), "it would be installed, too"


def test_the_recipe_of_a_container_copies_what_a_wheel_is_made_of():
    copied = [
        name for line in LINES if line.startswith("COPY ") and "--from" not in line for name in shlex.split(line)[1:-1]
    ]
    assert sorted(copied) == sorted(["pyproject.toml", "README.md", *PACKAGES])
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_recipe_of_a_container_ends_with_the_command_itself_as_a_user_without_rights():
    recipe = DEPLOY.partition("```dockerfile\n")[2].partition("```")[0].splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert recipe[-1] == 'ENTRYPOINT ["engine"]'
    assert "engine" in project["scripts"]
    assert recipe.index("USER engine") < len(recipe) - 1
    (extras,) = (line.partition("EXTRAS=")[2] for line in recipe if line.startswith("ARG EXTRAS="))
    assert extras in project["optional-dependencies"]


def commands():
    """What is given to ``engine`` in the page."""
    for line in LINES:
        words = shlex.split(line.partition(" < ")[0]) if line.startswith("docker run ") else []
        image = next((word for word in words if word in ("engine", "engine:gpu")), None)
        if image is not None:
            yield words[words.index(image) + 1 :]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_the_commands_that_are_run_in_a_container_have_options_that_exist(words):
    name, *arguments = words
    command = cli.get_command(click.Context(cli), name)
    assert command.make_context(name, arguments).params is not None


def test_the_commands_in_a_container_are_found():
    assert [words[0] for words in commands()] == ["doctor", "label", "predict", "label"]
