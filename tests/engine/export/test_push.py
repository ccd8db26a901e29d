"""`--push`: what the Hub is asked for, and what is said where it cannot be asked."""

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import store_factory
import yaml
from huggingface_hub.utils import filter_repo_objects

from engine.errors import EngineError, InputError
from engine.export.config import ExportConfig
from engine.export.export import export_store
from store import Store


class FakeHub:
    """Takes what an `HfApi` is given, or raises; a data set keeps what is not deleted.

    Attributes:
        calls: what was asked.
        there: the files of the data set.
    """

    calls: list[tuple[str, dict[str, Any]]]
    there: set[str]
    error: Exception | None = None

    def create_repo(self, repo_id: str, **options: Any) -> huggingface_hub.RepoUrl:
        self.calls.append(("create_repo", {"repo_id": repo_id, **options}))
        return huggingface_hub.RepoUrl(f"https://huggingface.co/datasets/{repo_id}")

    def upload_folder(self, **options: Any) -> None:
        if self.error is not None:
            raise self.error
        files = sorted(
            str(path.relative_to(options["folder_path"])) for path in Path(options["folder_path"]).rglob("*.*")
        )
        self.calls.append(("upload_folder", {**options, "files": files}))
        deleted = filter_repo_objects(list(self.there), allow_patterns=options.get("delete_patterns") or [])
        self.there.difference_update(deleted)
        self.there.update(files)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[FakeHub]:
    monkeypatch.setattr(FakeHub, "calls", [], raising=False)
    monkeypatch.setattr(FakeHub, "there", {".gitattributes"}, raising=False)
    monkeypatch.setattr(FakeHub, "error", None)
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return FakeHub


@pytest.fixture(scope="module")
def made() -> Store:
    return store_factory.make_store(rows=5, shards=1)


def config(made: Store, out: Path, **options: Any) -> ExportConfig:
    return ExportConfig(**{"store": made.storage, "out": str(out), "format": "hf", "push": "me/reviews", **options})


def test_the_folder_is_uploaded_to_a_private_data_set(made: Store, tmp_path: Path, hub: type[FakeHub]) -> None:
    exported = export_store(config(made, tmp_path / "out"))
    assert exported.pushed == "https://huggingface.co/datasets/me/reviews"
    (created, asked), (uploaded, given) = hub.calls
    assert (created, uploaded) == ("create_repo", "upload_folder")
    assert asked == {"repo_id": "me/reviews", "repo_type": "dataset", "private": True, "exist_ok": True}
    assert (given["repo_id"], given["repo_type"]) == ("me/reviews", "dataset")
    assert given["files"] == ["README.md", "_export.json", "data/train-00000-of-00001.parquet"]


def test_another_export_takes_the_place_of_the_one_before(made: Store, tmp_path: Path, hub: type[FakeHub]) -> None:
    """Shards of both would match the pattern of the card, and rows be there twice."""
    for most in (2, 1):
        export_store(config(made, tmp_path / f"of-{most}", rows_per_file=most))
    head = yaml.safe_load((tmp_path / "of-1" / "README.md").read_text().split("---")[1])
    (split,) = head["configs"][0]["data_files"]
    assert sorted(filter_repo_objects(hub.there, allow_patterns=split["path"])) == [
        f"data/train-{number:05d}-of-00005.parquet" for number in range(5)
    ]
    assert {".gitattributes", "README.md"} < hub.there


def test_an_upload_that_fails_leaves_the_folder_and_the_same_command_uploads_it(
    made: Store, tmp_path: Path, hub: type[FakeHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "error", ConnectionError("no route"))
    with pytest.raises(
        EngineError, match="cannot be reached .*no route. The folder is whole; run the same command again"
    ):
        export_store(config(made, tmp_path / "out"))
    assert (tmp_path / "out" / "README.md").exists()
    monkeypatch.setattr(hub, "error", None)
    again = export_store(config(made, tmp_path / "out"))
    assert (again.written, again.pushed is not None) == (0, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("get_token", lambda: None), "needs a token .* run `hf auth login`, or set HF_TOKEN"),
        (("constants.HF_HUB_OFFLINE", True), "HF_HUB_OFFLINE switches it off"),
    ],
)
def test_what_could_not_be_uploaded_is_not_begun(
    made: Store,
    tmp_path: Path,
    hub: type[FakeHub],
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, Any],
    message: str,
) -> None:
    monkeypatch.setattr(f"huggingface_hub.{change[0]}", change[1])
    with pytest.raises(EngineError, match=message):
        export_store(config(made, tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_an_id_that_is_none_is_refused(made: Store, tmp_path: Path, hub: type[FakeHub]) -> None:
    with pytest.raises(EngineError, match="--push a/b/c: "):
        export_store(config(made, tmp_path / "out", push="a/b/c"))


def test_other_formats_are_not_uploaded(made: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--push uploads a Hugging Face data set; give --to hf"):
        config(made, tmp_path / "out", format="parquet")
