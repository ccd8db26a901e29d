"""URLs of object stores, and the clients that reach them: nothing is asked here."""

from pathlib import Path

import pytest

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
