"""The folder of a data set → the Hugging Face Hub, by huggingface_hub."""

from pathlib import Path

from engine.errors import EngineError, OutputPlaceError
from engine.outputs.remote import Remote

_SHARDS = "data/*.parquet"
_WAY = "The folder is whole; run the same command again to upload it"


def check_can_push(repository: str, out: Path | Remote) -> None:
    """Refuse to begin what could not be uploaded.

    Raises:
        OutputPlaceError: ``out`` is behind a URL.
        EngineError: ``repository`` is no id of a data set, the Hub is switched off, or there is no token.
    """
    if not isinstance(out, Path):
        raise OutputPlaceError(f"--push uploads a folder of this machine, and --out is {out}; name a folder here")
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined] # public, but not in __all__

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise EngineError(f"--push {repository}: {error}") from error
    if constants.HF_HUB_OFFLINE:
        raise EngineError(
            "--push needs the network, and HF_HUB_OFFLINE switches it off; take it out of the environment"
        )
    if huggingface_hub.get_token() is None:
        raise EngineError(
            "--push needs a token that may write to the Hugging Face Hub: run `hf auth login`, or set HF_TOKEN; "
            "huggingface.co/settings/tokens makes one"
        )


def push(folder: Path, repository: str) -> str:
    """Upload ``folder`` to the data set ``repository``, which is made, private, if it does not exist; its address.

    Shards of an earlier export go, as the card would take them in beside the new ones; the Hub keeps the history.

    Raises:
        EngineError: it cannot be uploaded.
    """
    from huggingface_hub import HfApi, errors

    no_connection: type[Exception] = vars(errors)["HTTPError"]  # of httpx, or in later versions of httpx2
    api = HfApi()
    try:
        made = api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=made.repo_id,
            repo_type="dataset",
            folder_path=folder,
            delete_patterns=_SHARDS,
            commit_message="Export of a store",
        )
    except errors.HfHubHTTPError as error:
        raise EngineError(f"{folder} could not be uploaded to {repository}: {error}. {_WAY}") from error
    except (no_connection, OSError) as error:
        raise EngineError(f"the Hugging Face Hub cannot be reached to upload {folder}: {error}. {_WAY}") from error
    return str(made)
