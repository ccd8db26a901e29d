"""A model and its tokenizer → a folder that transformers uses as the engine does: the same tokens, the same logits.

What `transformers.pipeline` and sentence-transformers' CrossEncoder take from the tokenizer is written there: the
maximum length, the padding token and its side, and which inputs the model gets.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.models.batching import batching_of, text_config
from engine.models.files import quiet_transformers

_TYPES = "token_type_ids"


def save_module(
    module: Any, tokenizer: Any, folder: Path, *, max_length: int, beside: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Write both into ``folder``, weights as safetensors; ``tokenizer`` is left as it is.

    Args:
        module: the transformers model; its configuration names the padding token that it was computed with.
        tokenizer: the transformers tokenizer.
        folder: where to.
        max_length: tokens a row.
        beside: tensors by name that are written with those of ``module``.
    """
    quiet_transformers()
    saved = copy.deepcopy(tokenizer)
    saved.model_max_length = max_length
    _pad_as_computed(saved, module)
    _set(saved, "model_input_names", input_names(module, saved))
    state = {**module.state_dict(), **beside} if beside else None
    module.save_pretrained(folder, state_dict=state, safe_serialization=True)
    saved.save_pretrained(folder)


def input_names(module: Any, tokenizer: Any) -> list[str]:
    """What the model gets of what its tokenizer makes of a text, as it is saved: ids, mask and perhaps token types."""
    return [name for name in tokenizer.model_input_names if _takes(module, name)]


def _pad_as_computed(tokenizer: Any, module: Any) -> None:
    """Let the tokenizer pad as the engine does: with the token of the configuration, on the right.

    A model whose rows the engine does not pad at all keeps the side that its tokenizer is made for.
    """
    if batching_of(module).apart in ("nothing", "ends"):
        _set(tokenizer, "padding_side", "right")
    pad_id = text_config(module).pad_token_id
    if pad_id is None or tokenizer.pad_token_id == pad_id:
        return
    token = tokenizer.convert_ids_to_tokens(pad_id)
    # An ordinary word must not become a special token: it would be cut out of longer ones.
    if token is not None and pad_id in tokenizer.added_tokens_decoder:
        tokenizer.pad_token = token


def _takes(module: Any, name: str) -> bool:
    """Whether the model gets the input ``name``; token types only if the engine passes them, or has more than one."""
    return name != _TYPES or batching_of(module).passes_types or getattr(module.config, "type_vocab_size", 0) > 0


def _set(tokenizer: Any, name: str, value: Any) -> None:
    """Set an attribute that is saved only if the tokenizer was made with it."""
    if getattr(tokenizer, name) != value:
        setattr(tokenizer, name, value)
        tokenizer.init_kwargs[name] = value
