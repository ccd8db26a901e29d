"""A folder → its fast tokenizer, when it belongs to a model with so many embeddings."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.models.files import refused
from engine.models.loading.places import without_tokenizer
from engine.models.loading.remedies import saved_again
from engine.models.loading.transformers_parts import AutoTokenizer

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
_PIECES = ("sentencepiece", "google.protobuf")


def has_vocabulary(folder: Path) -> bool:
    """Whether ``folder`` has a file of which a tokenizer can be made."""
    return any(any(folder.glob(pattern)) for pattern in VOCABULARIES)


def load_tokenizer(source: str, folder: Path) -> Any:
    """The tokenizer in ``folder``.

    Raises:
        ModelError: there is none, it is not a fast one, or it needs a package that is not installed.
    """
    if not has_vocabulary(folder):
        way = without_tokenizer(source, folder, VOCABULARIES)
        raise ModelError(f"{source} has no tokenizer: none of {', '.join(VOCABULARIES)} is there; {way}")
    pieces = _lone_pieces(folder)
    if pieces is not None and not all(map(_is_installed, _PIECES)):
        # Without them transformers takes the file for one of tiktoken, and asks for that package.
        raise ModelError(
            f"{source} has its tokenizer as {pieces} and not as tokenizer.json; reading it needs the packages "
            "sentencepiece and protobuf: pip install 'softlabel-engine[sentencepiece]'"
        )
    with refused(f"{source}: its tokenizer cannot be loaded{f' from {pieces}, its only file' if pieces else ''}"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, use_fast=True)
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise ModelError(f"{source}: its tokenizer is not a fast one (there is no tokenizer.json)")
    if not tokenizer.get_vocab().keys() - set(tokenizer.all_special_tokens):
        # transformers makes one of special tokens alone if it does not find the file that this kind reads.
        raise ModelError(
            f"{source}: its tokenizer has no words: what a {type(tokenizer).__name__} reads is not there; put the "
            "files that were saved with the tokenizer beside the model"
        )
    return tokenizer


def refuse_unknown_tokens(source: str, folder: Path, tokenizer: Any, embeddings: int) -> None:
    """Refuse a tokenizer whose tokens the model does not all know.

    Raises:
        ModelError: it gives ids that have no embedding.
    """
    size = max(tokenizer.get_vocab().values(), default=-1) + 1
    if size <= embeddings:
        return
    if source.endswith(".json"):
        raise ModelError(
            f"{source}: its tokenizer has {size:,} tokens and the model {embeddings:,} embeddings; they do not belong "
            f"together. Write vocab_size {size} into it, or put another tokenizer beside it"
        )
    command = saved_again(source, folder, f"m.resize_token_embeddings({size}); ")
    raise ModelError(
        f"{source}: its tokenizer has {size:,} tokens and the model {embeddings:,} embeddings, so that some tokens "
        "have none. If they do not belong together, put the model's own tokenizer beside it; if tokens were added, "
        f"give them embeddings: {command}"
    )


def _lone_pieces(folder: Path) -> str | None:
    """The name of a SentencePiece file that is all there is of a tokenizer; None if there is more, or none."""
    pieces = sorted(path.name for path in folder.glob("*.model"))
    others = [pattern for pattern in VOCABULARIES if pattern != "*.model" and (folder / pattern).exists()]
    return pieces[0] if pieces and not others else None


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package that it is inside of
        return False
