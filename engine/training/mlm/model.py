"""The start of a fine-tuning → the masked language model of the same weights, with the head of its pretraining.

Its encoder, tokenizer and batching were looked at when the start was loaded as a classifier.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.errors import ModelError
from engine.models.batching import batching_of, vocabulary_size
from engine.models.classifier import Classifier
from engine.models.files import refused
from engine.models.layers import keep_layers
from engine.models.loading.chosen_layers import split_layers
from engine.models.loading.transformers_parts import MODEL_FOR_MASKED_LM_MAPPING, AutoModelForMaskedLM
from engine.models.loading.weights import load_module, read_config
from engine.models.probe import settle_length
from engine.models.saving import save_module
from engine.tokens.masking import Masking

_OTHERWISE = "name a model that has one, such as bert-base-uncased, or leave --mlm out"


def load_masked(start: Classifier, *, longest: int, seed: int) -> Any:
    """The masked language model of ``start``, in fp32 and evaluation mode.

    Args:
        start: as `engine.models.initialize.load_start` gave it.
        longest: tokens of the longest text.
        seed: of the weights of a plain configuration.

    Raises:
        ModelError: it was not pretrained so, and has no head for it; or its tokenizer has no mask token.
    """
    _refuse_tokenizer(start)
    if start.source.endswith(".json"):
        module, layers = _from_config(Path(start.source), seed), None
    else:
        place, layers = split_layers(start.source)
        module = _from_weights(place, start.folder)
    if layers is not None:
        module = keep_layers(module, layers, source=place)
    settle_length(start.module, longest)
    module.batching = batching_of(start.module)
    return module


def masking_of(start: Classifier, *, seed: int) -> Masking:
    """How tokens of the texts of ``start`` are hidden; ``seed`` is that of the training."""
    tokenizer, frame = start.tokenizer, batching_of(start.module).frame
    special = np.unique([*tokenizer.all_special_ids, *frame.before, *frame.after]).astype(np.int64)
    size = min(len(tokenizer), vocabulary_size(start.module))
    return Masking(mask_id=int(tokenizer.mask_token_id), special=special, vocabulary=size, seed=seed)


def save_masked(start: Classifier, module: Any, folder: Path) -> None:
    """Write the masked language model with what it lacks of the encoder of ``start``, such as BERT's pooler.

    So it is a start like any other: for classifiers, and for more masked language modelling.
    """
    encoder, own = f"{start.module.base_model_prefix}.", module.state_dict()
    whole = start.module.state_dict()
    lacking = {name: tensor for name, tensor in whole.items() if name.startswith(encoder) and name not in own}
    save_module(module, start.tokenizer, folder, max_length=start.longest, beside=lacking)


def _refuse_tokenizer(start: Classifier) -> None:
    if start.tokenizer.mask_token_id is None:
        raise ModelError(f"{start.source}: its tokenizer has no mask token, which --mlm puts over words; {_OTHERWISE}")
    if batching_of(start.module).pad_id is None:
        raise ModelError(f"{start.source}: its tokenizer has no token to fill short texts up with; {_OTHERWISE}")


def _from_config(file: Path, seed: int) -> Any:
    config = read_config(str(file), file)
    _refuse_kind(str(file), config)
    torch.manual_seed(seed)
    with refused(f"{file} makes no masked language model"):
        return AutoModelForMaskedLM.from_config(config, trust_remote_code=False).float().eval()


def _from_weights(source: str, folder: Path) -> Any:
    config = read_config(source, folder)
    _refuse_kind(source, config)
    loaded = load_module(source, folder, config, auto=AutoModelForMaskedLM)
    prefix = f"{loaded.module.base_model_prefix}."
    if absent := [name for name in loaded.missing if not name.startswith(prefix)]:
        raise ModelError(
            f"{source} has no head that finds masked words out ({', '.join(absent[:3])} are not in its weights), which "
            f"--mlm trains with the encoder; {_OTHERWISE}"
        )
    return loaded.module


def _refuse_kind(source: str, config: Any) -> None:
    if type(config) not in MODEL_FOR_MASKED_LM_MAPPING or config.is_encoder_decoder:
        raise ModelError(f"{source} is a {config.model_type}, which is no masked language model; {_OTHERWISE}")
