"""A model, its tokenizer and texts → the model's own logits: what transformers gives for each text alone.

Also checks that our token ids and token types are those of the model's tokenizer.
"""

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import ModelError
from engine.models.batching import text_config
from engine.models.files import first_line
from engine.models.state import State
from engine.tokens.encoding import Encoding
from engine.tokens.frame import Frame
from engine.tokens.tokens import Tokens, tokens_of

_LONGEST = 24
_TYPES = "token_type_ids"
_log = logging.getLogger(__name__)

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class OwnLogits:
    """What transformers gives for some texts, one at a time.

    Attributes:
        texts: the texts; those of a special token that the model fails on are left out.
        tokens: of each text.
        logits: (texts, classes).
        uses_types: whether they depend on the token types that the tokenizer gives.
        changes: whether a forward pass changed the module.
    """

    texts: list[str]
    tokens: Tokens
    logits: npt.NDArray[np.float32]
    uses_types: bool
    changes: bool


def own_logits(
    source: str, module: Any, tokenizer: Any, *, ordinary: Sequence[str], special: Sequence[str]
) -> OwnLogits:
    """Compute each text as if the model had just been loaded.

    Args:
        source: names the model in messages.
        module: the classifier, in evaluation mode; it is left as it was.
        tokenizer: of transformers.
        ordinary: texts that the model must be able to compute.
        special: texts that it may fail on.

    Raises:
        ModelError: transformers cannot compute an ordinary text, or our token ids are others than the tokenizer's.
    """
    run, texts, rows, logits = _Alone(module), [], [], []
    for text, inputs in _tokenised(source, module, tokenizer, [*ordinary, *special]):
        try:
            logits.append(run(inputs))
        except Exception as error:  # a model's own code may raise anything
            if text in ordinary:
                raise _cannot(source, text, error) from error
            _log.debug("%s fails on %r: %s", source, text, error)
            continue
        texts.append(text)
        rows.append(inputs)
    if not rows:
        raise ModelError(f"{source}: its tokenizer gives no token for any text that was tried")
    return OwnLogits(
        texts=texts,
        tokens=tokens_of([inputs["input_ids"][0].tolist() for inputs in rows]),
        logits=np.concatenate(logits),
        uses_types=_uses_types(run, rows[0], logits[0]),
        changes=run.changes,
    )


class _Alone:
    """Computes one text after another, each as if the model had just been loaded.

    Args:
        module: the classifier.

    Attributes:
        changes: whether a forward pass changed the module.
    """

    def __init__(self, module: Any) -> None:
        self.changes = False
        self._module = module
        self._state = State(module)

    def __call__(self, inputs: Inputs) -> npt.NDArray[np.float32]:
        """(1, classes) logits."""
        try:
            logits: npt.NDArray[np.float32] = self._module(**inputs).logits.float().numpy()
        finally:
            self.changes |= self._state.restore()
        return logits


def _tokenised(source: str, module: Any, tokenizer: Any, texts: Sequence[str]) -> list[tuple[str, Inputs]]:
    """Each text that gives a token, with what the model is given for it."""
    cut = _cut(module, tokenizer)
    encoding = Encoding(tokenizer.backend_tokenizer, max_length=cut, side=tokenizer.truncation_side, fast=False)
    takes_types = _TYPES in inspect.signature(module.forward).parameters
    found: list[tuple[str, Inputs]] = []
    ours = encoding.encode(list(texts))
    for row, text in enumerate(texts):
        try:
            theirs = tokenizer(text, truncation=True, max_length=cut)
        except Exception as error:  # a tokenizer may ask for more than a text
            raise ModelError(
                f"{source}: its tokenizer does not take a plain text: {type(error).__name__}: {first_line(error)}"
            ) from error
        _check_same(source, text, theirs, ours.row(row).tolist(), encoding.frame)
        if theirs["input_ids"]:
            given = {name: values for name, values in theirs.items() if name != _TYPES or takes_types}
            found.append((text, {name: torch.tensor([values]) for name, values in given.items()}))
    return found


def _cut(module: Any, tokenizer: Any) -> int:
    """Tokens that probed texts have at most: few, so that they are quickly computed."""
    table = getattr(text_config(module), "max_position_embeddings", None) or 0
    table = table if table > 0 else _LONGEST + 2  # XLNet has none, and says -1
    beside = tokenizer.backend_tokenizer.num_special_tokens_to_add(False)
    taken = int(min(_LONGEST, tokenizer.model_max_length, table - 2 if table > 16 else table))
    return max(int(beside) + 1, taken)


def _check_same(source: str, text: str, theirs: Mapping[str, list[int]], ids: list[int], frame: Frame) -> None:
    """Our ids and types are those that transformers gives the model."""
    if theirs["input_ids"] != ids:
        raise ModelError(
            f"{source}: its tokenizer gives the text {short(text)} the token ids {theirs['input_ids'][:8]}, and its "
            f"tokenizer.json {ids[:8]}: it is computed by code of its own, which is not supported"
        )
    ours = frame.types(np.array([len(ids)]))
    if theirs.get(_TYPES, ours.tolist()) != ours.tolist():
        raise ModelError(
            f"{source}: its tokenizer gives the text {short(text)} token types that follow no pattern; such models are "
            "not supported"
        )


def _uses_types(run: _Alone, inputs: Inputs, given: npt.NDArray[np.float32]) -> bool:
    """Whether the logits are others without the token types."""
    if _TYPES not in inputs:
        return False
    without = run({name: tensor for name, tensor in inputs.items() if name != _TYPES})
    return not np.allclose(without, given, rtol=1e-5, atol=1e-6, equal_nan=True)


def _cannot(source: str, text: str, error: Exception) -> ModelError:
    return ModelError(
        f"{source}: transformers itself cannot compute the text {short(text)} with this model and its tokenizer: "
        f"{type(error).__name__}: {first_line(error)}. If it works elsewhere, "
        "compare its config.json with that; or use another model"
    )


def short(text: str) -> str:
    """``text`` in quotation marks, without its middle if it is long."""
    return repr(text if len(text) <= 40 else f"{text[:20]} … {text[-15:]}")
