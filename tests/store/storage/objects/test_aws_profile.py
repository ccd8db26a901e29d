"""Who signs, and whom a client of S3 asks: the environment first, then the files of the AWS command line."""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store.errors import StoreError
from store.storage.objects import aws_profile
from store.storage.objects.aws_profile import s3_options

CONFIG = '''
[default]
region = eu-north-1

[profile lab]
region = eu-west-1
endpoint_url = http://127.0.0.1:9000
services = own
aws_session_token = token

[profile plain]
endpoint_url = https://objects.example.org

[profile far]
role_arn = arn:aws:iam::1:role/reader
source_profile = lab

[profile asks]
credential_process = {python} -c 'print("""{said}""")'

[profile broken]
credential_process = {python} -c 'print(1)'

[services own]
s3 =
  endpoint_url = http://127.0.0.1:9001
  addressing_style = path
'''
KEYS = """
[default]
aws_access_key_id = of-default
aws_secret_access_key = secret

[lab]
aws_access_key_id = of-lab
aws_secret_access_key = secret%with%percent
"""
SAID = {"Version": 1, "AccessKeyId": "asked", "SecretAccessKey": "s", "SessionToken": "t"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    said = json.dumps({**SAID, "Expiration": "2030-01-01T00:00:00Z"})
    (tmp_path / "config").write_text(CONFIG.format(python=sys.executable, said=said))
    (tmp_path / "credentials").write_text(KEYS)
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


def test_without_a_profile_it_is_the_default_one(files: dict[str, str]) -> None:
    config, credentials = s3_options(files)
    assert config == {"region": "eu-north-1"}
    assert credentials is not None
    assert credentials()["access_key_id"] == "of-default"


def test_a_profile_has_keys_region_and_the_endpoint_of_its_service(files: dict[str, str]) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        config, credentials = s3_options({**files, name: "lab"})
        assert config == {"region": "eu-west-1", "endpoint": "http://127.0.0.1:9001"}
        assert credentials is not None
        assert credentials() == {
            "access_key_id": "of-lab",
            "secret_access_key": "secret%with%percent",
            "token": "token",
            "expires_at": None,
        }
    assert s3_options({**files, "AWS_PROFILE": "plain"}) == ({"endpoint": "https://objects.example.org"}, None)


def test_the_environment_goes_first(files: dict[str, str]) -> None:
    environment = {**files, "AWS_PROFILE": "lab", "AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL": "http://here"}
    config, credentials = s3_options(
        {**environment, "AWS_ENDPOINT_URL_S3": "http://there", "AWS_ACCESS_KEY_ID": "mine"}
    )
    assert config == {"region": "us-west-2", "endpoint": "http://there"}
    assert credentials is None, "obstore reads the keys of the environment itself"
    assert s3_options({**environment, "AWS_SKIP_SIGNATURE": "true"})[1] is None


def test_a_program_gives_keys_and_says_when_they_expire(files: dict[str, str]) -> None:
    _, credentials = s3_options({**files, "AWS_PROFILE": "asks"})
    assert credentials is not None
    assert credentials() == {
        "access_key_id": "asked",
        "secret_access_key": "s",
        "token": "t",
        "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
    }
    _, credentials = s3_options({**files, "AWS_PROFILE": "broken"})
    assert credentials is not None
    with pytest.raises(StoreError, match="the credential_process of the profile broken gives no credentials"):
        credentials()


def test_a_profile_that_is_not_there_is_named_with_those_that_are(files: dict[str, str]) -> None:
    with pytest.raises(StoreError, match=r"AWS_PROFILE is work, .* asks, broken, default, far, lab, plain"):
        s3_options({**files, "AWS_PROFILE": "work"})


def test_a_profile_that_signs_in_elsewhere_needs_boto3(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(StoreError, match=r"pip install boto3. .*aws configure export-credentials --profile far"):
        s3_options({**files, "AWS_PROFILE": "far"})


def test_without_files_nothing_is_said(tmp_path: Path) -> None:
    absent = {"AWS_CONFIG_FILE": str(tmp_path / "no"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    assert s3_options(absent) == ({}, None)


@pytest.mark.parametrize(
    ("damaged", "fault"),
    [
        (b"aws_secret_access_key = wJalrSECRET\n", r"line 1 comes before any \[profile\]"),
        (b"# my keys\naws_secret_access_key = wJalrSECRET\n[default]\n", r"line 2 comes before any \[profile\]"),
        (b"[default]\naws_secret_access_key wJalrSECRET\n", "line 2 is no setting, which is written as: name = value"),
        (b"[default]\naws_secret_access_key = wJalr\xffSECRET\n", "line 2 is not UTF-8"),
    ],
)
def test_a_damaged_file_is_named_with_its_line_and_never_with_a_key(tmp_path: Path, damaged: bytes, fault: str) -> None:
    files = {"AWS_CONFIG_FILE": str(tmp_path / "no"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys")}
    (tmp_path / "keys").write_bytes(damaged)
    with pytest.raises(StoreError, match=f"keys cannot be read as settings of AWS: {fault}$") as refused:
        s3_options(files)
    assert not re.search("SECRET|wJalr", str(refused.value))


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("{python} -c 'raise SystemExit(3)' --key SECRET", "python[0-9.]* ended with exit code 3; run it to see why"),
        ("{python} -c 'print(\"SECRET\")' SECRET", "what python[0-9.]* prints is no JSON object with AccessKeyId"),
        ("{python} -c 'print({{}})' SECRET", "what python[0-9.]* prints is no JSON object with AccessKeyId"),
        ("/nowhere/keys --key SECRET", "keys cannot be run: No such file or directory"),
        ("keys 'SECRET", "No closing quotation in its command"),
        ("{python} -c 'import time; time.sleep(9)' SECRET", "python[0-9.]* did not end within 1 seconds"),
    ],
)
def test_a_program_that_fails_is_named_without_its_arguments_and_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, fault: str
) -> None:
    if "sleep" in command:
        monkeypatch.setattr(aws_profile, "_SECONDS", 1.0)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {command.format(python=sys.executable)}\n")
    absent = str(tmp_path / "none")
    _, credentials = s3_options({"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": absent})
    assert credentials is not None
    with pytest.raises(StoreError, match=f"profile default gives no credentials: {fault}") as refused:
        credentials()
    assert "SECRET" not in str(refused.value)
