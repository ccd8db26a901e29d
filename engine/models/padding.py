"""A model and its tokenizer → a padding token that changes no logits."""

from typing import Any

import torch

from engine.errors import ModelError


def settle_padding(source: str, module: Any, tokenizer: Any) -> None:
    """Write a padding token into the configuration, and check that it does not change a row's logits.

    Raises:
        ModelError: no such token was found, or it changes them.
    """
    candidates = (module.config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    pad = next((token for token in candidates if token is not None), None)
    if pad is None:
        raise ModelError(f"{source} has neither a padding token nor an end token; set pad_token_id in its config.json")
    module.config.pad_token_id = pad
    token = (pad + 1) % module.get_input_embeddings().num_embeddings
    row, padded = torch.full((1, 3), token), torch.full((1, 7), pad)
    padded[0, :3] = token
    try:
        with torch.inference_mode():
            alone = module(input_ids=row).logits
            beside = module(input_ids=padded, attention_mask=(torch.arange(7) < 3).long()[None]).logits
    except (RuntimeError, LookupError) as error:
        raise ModelError(f"{source} cannot compute a row of 7 tokens: {error}") from None
    if not torch.allclose(alone, beside, atol=1e-3, rtol=1e-3, equal_nan=True):
        raise ModelError(f"{source}: padding on the right changes its logits; such models are not supported")
