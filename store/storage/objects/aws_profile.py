"""The environment and the files of the AWS command line → how a client of S3 signs, and whom it asks.

obstore itself reads the environment: keys, web identities, containers and the metadata of an instance. What it does not
know is here: profiles, with their keys, region and endpoint. A profile that signs in elsewhere needs boto3.
"""

import configparser
import json
import shlex
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import StoreError

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential

Credentials = Callable[[], "S3Credential"]
_FROM_ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SIGNS_IN_ELSEWHERE = ("role_arn", "sso_session", "sso_start_url", "login_session")
_SECONDS = 60.0  # for a program that gives credentials


def s3_options(environment: Mapping[str, str]) -> tuple["S3Config", Credentials | None]:
    """Region and endpoint, and what gives the keys; None if obstore finds them.

    The environment goes before the profile, as it does for other programs. The profile is that of ``AWS_PROFILE``, else
    ``default``.

    Raises:
        StoreError: there is no such profile, or it signs in elsewhere and there is no boto3.
    """
    name = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    profile, services = _profile(name, environment)
    config: S3Config = {}
    if region := _first(environment, _REGIONS) or profile.get("region"):
        config["region"] = region
    if endpoint := _first(environment, _ENDPOINTS) or services or profile.get("endpoint_url"):
        config["endpoint"] = endpoint
    if _first(environment, _FROM_ENVIRONMENT):
        return config, None
    return config, _credentials(name or "default", profile)


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _profile(name: str | None, environment: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """The settings of the profile ``name``, ``default`` if None, and the endpoint of S3 that its services name.

    Raises:
        StoreError: it is named and not there, or a file cannot be read.
    """
    configured = _read(environment.get("AWS_CONFIG_FILE") or "~/.aws/config")
    keys = _read(environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    chosen = name or "default"
    sections = [(configured, f"profile {chosen}"), (configured, chosen if chosen == "default" else ""), (keys, chosen)]
    found = [dict(file[section]) for file, section in sections if section and file.has_section(section)]
    if name is not None and not found:
        there = sorted({section.removeprefix("profile ") for file in (configured, keys) for section in file.sections()})
        raise StoreError(
            f"AWS_PROFILE is {name}, and no file of ~/.aws has that profile; they have: {', '.join(there) or 'none'}"
        )
    profile = {key: value for one in found for key, value in one.items()}
    section = f"services {profile.get('services')}"
    nested = configured[section].get("s3", "") if configured.has_section(section) else ""
    settings = dict(line.split("=", 1) for line in nested.splitlines() if "=" in line)
    return profile, {key.strip(): value.strip() for key, value in settings.items()}.get("endpoint_url")


def _read(path: str) -> configparser.RawConfigParser:
    """The settings of the file at ``path``; none if there is no such file.

    Raises:
        StoreError: it cannot be read. What stands in it is not said: that may be a key.
    """
    parser = configparser.RawConfigParser(default_section="", strict=False)
    file = Path(path).expanduser()
    try:
        if file.is_file():
            parser.read_string(file.read_text(encoding="utf-8"))
    except configparser.MissingSectionHeaderError as error:
        fault = f"line {error.lineno} comes before any [profile]"
    except configparser.ParsingError as error:
        fault = f"line {error.errors[0][0]} is no setting, which is written as: name = value"
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fault = f"line {line} is not UTF-8"
    except OSError as error:
        fault = error.strerror or type(error).__name__
    else:
        return parser
    raise StoreError(f"{file} cannot be read as settings of AWS: {fault}")


def _credentials(name: str, profile: Mapping[str, str]) -> Credentials | None:
    """What gives the keys of a profile; None if it names none."""
    if any(profile.get(key) for key in _SIGNS_IN_ELSEWHERE):
        return _by_boto3(name)
    if profile.get("aws_access_key_id") and profile.get("aws_secret_access_key"):
        return lambda: _stated(profile)
    if command := profile.get("credential_process"):
        return lambda: _from_program(name, command)
    return None


def _stated(profile: Mapping[str, str]) -> "S3Credential":
    return {
        "access_key_id": profile["aws_access_key_id"],
        "secret_access_key": profile["aws_secret_access_key"],
        "token": profile.get("aws_session_token"),
        "expires_at": None,
    }


def _from_program(name: str, command: str) -> "S3Credential":
    """The keys that a program prints as JSON: the protocol of ``credential_process``.

    Raises:
        StoreError: it fails, or prints something else. Its arguments and what it prints are not said: both may be keys.
    """
    failed = f"the credential_process of the profile {name} gives no credentials"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise StoreError(f"{failed}: {error} in its command") from None
    program = Path(words[0]).name
    try:
        done = subprocess.run(words, capture_output=True, timeout=_SECONDS, check=False)
    except OSError as error:
        raise StoreError(f"{failed}: {program} cannot be run: {error.strerror or type(error).__name__}") from None
    except subprocess.TimeoutExpired:
        raise StoreError(f"{failed}: {program} did not end within {_SECONDS:.0f} seconds") from None
    if done.returncode:
        raise StoreError(f"{failed}: {program} ended with exit code {done.returncode}; run it to see why")
    try:
        return _said(done.stdout)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise StoreError(
            f"{failed}: what {program} prints is no JSON object with AccessKeyId and SecretAccessKey, and, if they "
            "expire, the time as Expiration"
        ) from None


def _said(printed: bytes) -> "S3Credential":
    """The keys in what a program prints."""
    said = json.loads(printed)
    expires = said.get("Expiration")
    return {
        "access_key_id": said["AccessKeyId"],
        "secret_access_key": said["SecretAccessKey"],
        "token": said.get("SessionToken"),
        "expires_at": None if expires is None else datetime.fromisoformat(expires),
    }


def _by_boto3(name: str) -> Credentials:
    try:
        from boto3.session import Session
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ModuleNotFoundError:
        raise StoreError(
            f"the profile {name} signs in elsewhere, which needs boto3: pip install boto3. Or put its keys into the "
            f'environment: eval "$(aws configure export-credentials --profile {name} --format env)"'
        ) from None
    provider: Credentials = Boto3CredentialProvider(Session(profile_name=name))
    return provider
