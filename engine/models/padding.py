"""A model and its tokenizer → a padding token, and how its rows are batched, without a change to its logits."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from engine.models.batching import Batching, batching_of, name_padding, text_config, vocabulary_size
from engine.models.probe import find_batching
from engine.tokens.frame import Frame, frame_of


def settle_padding(source: str, module: Any, tokenizer: Any) -> None:
    """Find out how rows are batched, and name a padding token in the configuration if it names none.

    The token is for a training, and for the trained model. A classifier whose own configuration names none is computed
    as transformers computes its rows alone, whatever token fills them up. A number that is no token, such as -1, is
    none.

    Raises:
        ModelError: no way to compute several rows gives the model's own logits; says how they differ.
    """
    config, size, frame = text_config(module), vocabulary_size(module), frame_of(tokenizer.backend_tokenizer)
    own = getattr(config, "pad_token_id", None)
    knows_padding = own is not None and 0 <= own < size
    pad_id = own if knows_padding else next((token for token in _candidates(tokenizer, frame) if token < size), None)
    name_padding(module, own if knows_padding else None)
    end_id = getattr(config, "eos_token_id", None)
    given = Batching(
        pad_id=pad_id,
        knows_padding=knows_padding,
        end_id=end_id if isinstance(end_id, int) else tokenizer.eos_token_id,
        frame=frame,
    )
    module.batching = find_batching(source, module, tokenizer, given)
    name_padding(module, pad_id)


def adopt_padding(module: Any) -> None:
    """From now on the padding token in the configuration is the model's own: it is trained, and saved, with it."""
    batching = batching_of(module)
    module.batching = dataclasses.replace(batching, knows_padding=batching.pad_id is not None)


def padding_position(module: Any) -> int | None:
    """The position of padding, behind which others begin; None if they begin at 0."""
    table = getattr(getattr(module.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return None if padding is None else int(padding)


def _candidates(tokenizer: Any, frame: Frame) -> Iterator[int]:
    """Tokens that may fill rows up, the best one first: at the end of every text, one would hide it."""
    around = {*frame.before, *frame.after}
    last = []
    for name in ("pad", "eos", "unk", "bos"):
        token = getattr(tokenizer, f"{name}_token_id")
        if token is None:
            continue
        if name == "pad" or token not in around:
            yield token
        else:
            last.append(token)
    yield from last
