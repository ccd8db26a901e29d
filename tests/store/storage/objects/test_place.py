"""URLs of object stores, and the clients that reach them: nothing is asked here."""

from pathlib import Path

import pytest
from obstore.exceptions import UnauthenticatedError

from store.errors import StoreError, StoreMissingError
from store.storage import open_storage
from store.storage.objects.failures import explained
from store.storage.objects.place import place_of


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_SKIP_SIGNATURE": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ACCOUNT_KEY": "a2V5",
        "GOOGLE_SKIP_SIGNATURE": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("url", "prefix", "key"),
    [
        ("s3://bucket", "", "labels/a"),
        ("s3://bucket/", "", "labels/a"),
        ("gs://bucket/a.store", "a.store", "a.store/labels/a"),
        ("az://bucket/deep/er/ä store/", "deep/er/ä store", "deep/er/ä store/labels/a"),
    ],
)
def test_a_url_is_a_bucket_and_what_keys_begin_with(url: str, prefix: str, key: str) -> None:
    place = place_of(url)
    assert (place.bucket, place.prefix, place.url) == ("bucket", prefix, url.rstrip("/"))
    assert (place.key("labels/a"), place.key("")) == (key, prefix)


@pytest.mark.parametrize(
    ("url", "kind", "variable"),
    [
        ("s3://bucket/a", "S3Store", "AWS_ENDPOINT_URL"),
        ("gs://bucket/a", "GCSStore", "GOOGLE_BASE_URL"),
        ("az://bucket/a", "AzureStore", "AZURE_STORAGE_ENDPOINT"),
    ],
)
def test_only_an_endpoint_that_is_named_so_goes_without_tls(
    url: str, kind: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = place_of(url).client(is_patient=True)
    assert type(client).__name__ == kind
    assert client.client_options["allow_http"] == "false"
    monkeypatch.setenv(variable, "http://127.0.0.1:9000")
    assert place_of(url).client(is_patient=False).client_options["allow_http"] == "true"
    assert place_of(url).server != place_of(url.replace("bucket", "other")).server


@pytest.mark.parametrize(
    "url",
    [
        "s3://user:SECRET@bucket/a",
        "gs://SECRET@bucket",
        "s3://bucket/a?X-Amz-Credential=me&X-Amz-Signature=SECRET",
        "az://container/a?sv=1&sig=SECRET",
        "https://bucket.example.org/a?AWSAccessKeyId=me&Signature=SECRET",
        "https://user:SECRET@example.org/a",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreMissingError) as refused:
        open_storage(url)
    assert "SECRET" not in str(refused.value)


def test_a_key_may_have_what_looks_like_a_query_or_a_name() -> None:
    assert [place_of(f"s3://bucket/{path}").prefix for path in ("a?b=c", "me@home/a")] == ["a?b=c", "me@home/a"]


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("127.0.0.1:9000", "is no address; write it with http:// or https://"),
        ("user:SECRET@objects.example.org", "is no address"),
        ("https://user:SECRET@objects.example.org", "has a name or a password before its @; leave it out"),
    ],
)
def test_an_endpoint_that_is_none_or_has_a_password_is_refused(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, fault: str
) -> None:
    for url, variable in (("s3://b/a", "AWS_ENDPOINT_URL"), ("az://b/a", "AZURE_STORAGE_ENDPOINT")):
        monkeypatch.setenv(variable, endpoint)
        with pytest.raises(StoreError, match=fault) as refused:
            place_of(url).client(is_patient=True)
        assert "SECRET" not in str(refused.value)


def test_what_a_client_says_is_told_without_credentials() -> None:
    said = "PUT http://me:SECRET@objects.example.org/b/a?sig=SECRET&x=1 (why?) https://other.example.org/b?y=SECRET"
    with pytest.raises(StoreError) as told, explained("s3://b", "s3"):
        raise OSError(said)
    assert "SECRET" not in str(told.value)
    assert "PUT http://…@objects.example.org/b/a?… (why?) https://other.example.org/b?…" in str(told.value)


def test_a_program_that_gives_no_keys_is_told_as_the_fault() -> None:
    said = "no valid credentials for path External AWS credential provider: StoreError: aws ended with exit code 3"
    with pytest.raises(StoreError, match="^s3://b: aws ended with exit code 3$"), explained("s3://b", "s3"):
        raise UnauthenticatedError(f"{said}\n\nDebug source:")
