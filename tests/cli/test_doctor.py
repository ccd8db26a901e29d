"""``engine doctor``: what a report of a mistake needs."""

import json
import platform
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.main import OK, run
from engine import doctor
from engine.compute.cpu.limits import usable_cores
from engine.compute.cpu.processor import processor_name

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.fixture
def facts(capsys):
    assert run(["doctor"]) == OK
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def value_of(facts, about, name):
    (found,) = (fact["value"] for fact in facts if (fact["about"], fact["name"]) == (about, name))
    return found


def test_versions_processor_and_cores_are_those_of_this_machine(facts):
    assert value_of(facts, "version", "engine") == version("softlabel-engine")
    assert value_of(facts, "version", "python").startswith(platform.python_version())
    for name in ("torch", "transformers", "tokenizers", "pyarrow", "duckdb"):
        assert value_of(facts, "version", name) == version(name)
    assert value_of(facts, "machine", "processor") == processor_name()
    assert f", {usable_cores()} usable by" in value_of(facts, "machine", "cores")
    assert value_of(facts, "machine", "memory left").endswith(" GiB")


def test_every_extra_of_the_project_is_there_but_for_the_developers_own(facts):
    extras = {name: packages for name, packages in PROJECT["optional-dependencies"].items() if name != "dev"}
    assert doctor.extras() == {
        name: [doctor._REQUIREMENT.match(one)[1] for one in all_] for name, all_ in extras.items()
    }
    assert [fact["name"] for fact in facts if fact["about"] == "extra"] == list(doctor.extras())
    for fact in facts:
        if fact["about"] == "extra":
            is_there = all(doctor._version(name) for name in doctor.extras()[fact["name"]])
            assert fact["value"].startswith("installed: " if is_there else "not installed: ")
            assert fact["remedy"] == (None if is_there else f"pip install 'softlabel-engine[{fact['name']}]'")


def test_a_missing_package_is_said_with_the_command_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "webdataset" else "1.0")
    assert run(["doctor", "--format", "table"]) == OK
    assert "webdataset is not installed. If it is needed: pip install webdataset" in capsys.readouterr().out


def test_variables_of_ours_are_named_without_their_values_and_the_home_folder_is_not_shown(monkeypatch, capsys):
    monkeypatch.setenv("ENGINE_LABEL_TEACHER", "a/secret")
    monkeypatch.setenv("HF_HOME", f"{Path.home()}/models")
    assert run(["doctor"]) == OK
    said = capsys.readouterr().out
    assert '{"about": "setting", "name": "ENGINE_LABEL_TEACHER", "value": "is set", "remedy": null}' in said
    assert "a/secret" not in said
    assert '"~/models"' in said


def test_a_device_is_named_or_why_there_is_none(facts):
    devices = [fact for fact in facts if fact["about"] == "device"]
    assert devices
    assert all(fact["name"].startswith("cuda") and fact["value"] for fact in devices)
