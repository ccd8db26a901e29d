"""Which rows of a model may share a batch, and how it is padded; rows of token ids → logits by the model's own code.

`engine.models.probe` finds it out when a model is loaded. It is kept with the module, as its attribute ``batching``.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import EngineError, ModelError
from engine.models.files import first_line
from engine.models.state import State
from engine.tokens.batches import flat, pad
from engine.tokens.frame import NO_FRAME, Frame
from engine.tokens.tokens import Tokens

Apart = Literal["nothing", "ends", "lengths", "rows"]
"""What keeps rows out of one batch: nothing; another number of end tokens; another length; being another row."""


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Which rows may share a batch, and how it is padded.

    Attributes:
        pad_id: fills short rows; any token that a batch lacks if None.
        knows_padding: whether the model's configuration names ``pad_id``. The head of a decoder takes the last token
            that is another one; if the model names none, the last token of all, which padding must not be taken for.
        apart: what keeps rows out of one batch.
        end_id: the model's end token.
        resets: whether a forward pass changes the model, which is put back after each batch then.
        frame: what the tokenizer puts around a text.
        passes_types: whether the model is given token types.
        tried: tokens of the longest row that padding was tried with.
    """

    pad_id: int | None = None
    knows_padding: bool = True
    apart: Apart = "nothing"
    end_id: int | None = None
    resets: bool = False
    frame: Frame = NO_FRAME
    passes_types: bool = False
    tried: int = 0

    def kinds(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
        """(rows,) numbers: rows that differ in theirs never share a batch. None if all may."""
        if self.apart == "nothing":
            return None
        if self.apart == "rows":
            return np.arange(len(rows))
        ends = _counts(tokens, self.end_id)[rows]
        return ends if self.apart == "ends" else tokens.lengths[rows] * (1 + ends.max(initial=0)) + ends

    def fill(self, ids: npt.NDArray[Any], vocabulary: int) -> int | None:
        """The token that fills short rows beside ``ids``; None if every token of the vocabulary is among them."""
        if self.knows_padding or (self.pad_id is not None and not (ids == self.pad_id).any()):
            return self.pad_id
        absent = np.setdiff1d(np.arange(min(vocabulary, len(ids) + 1)), ids)
        return int(absent[0]) if len(absent) else None


def batching_of(module: Any) -> Batching:
    """That of ``module``; of one that was not probed, what its configuration says."""
    found = getattr(module, "batching", None)
    if isinstance(found, Batching):
        return found
    pad_id = text_config(module).pad_token_id
    return Batching(pad_id=pad_id, knows_padding=pad_id is not None)


def text_config(module: Any) -> Any:
    """The part of a configuration that names the padding token: all of it, unless the model reads more than text."""
    try:
        return module.config.get_text_config()
    except ValueError:  # several parts
        return module.config


def name_padding(module: Any, token: int | None) -> None:
    """Write the padding token into the configuration, also into one that checks types and knows no None."""
    vars(text_config(module))["pad_token_id"] = token


def vocabulary_size(module: Any) -> int:
    """Number of its token embeddings; as its configuration says if it has no single table of them."""
    try:
        table = module.get_input_embeddings()
        return int(getattr(table, "weight", table).shape[0])
    except (NotImplementedError, AttributeError):
        return int(text_config(module).vocab_size)


def padded_logits(module: Any, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Tensor:
    """(rows, classes) logits of ``module`` in one rectangle; without a mask if nothing is padded.

    Raises:
        ModelError: the model's own code raises something; names both.
    """
    batching = batching_of(module)
    fill = batching.fill(flat(tokens.ids, tokens.offsets, rows), vocabulary_size(module))
    if fill is None and len(rows) > 1:
        return torch.cat([padded_logits(module, tokens, rows[[row]]) for row in range(len(rows))])
    ids, real = pad(tokens.ids, tokens.offsets, rows, pad_id=fill or 0)
    given = {"input_ids": torch.from_numpy(ids)}
    if batching.passes_types:
        types = np.zeros_like(ids)
        types[real] = batching.frame.types(tokens.lengths[rows])
        given["token_type_ids"] = torch.from_numpy(types)
    real[:, 0] = True  # a row of no tokens is computed as one of padding, whatever is beside it
    if not real.all():
        given["attention_mask"] = torch.from_numpy(real.astype(np.int64))
    given = {name: tensor.to(module.device) for name, tensor in given.items()}
    with _padding_token(module, batching, fill), _put_back(module, batching), own_errors(module):
        logits: Tensor = module(**given).logits
    return logits


@contextlib.contextmanager
def own_errors(module: Any) -> Iterator[None]:
    """An error that the model's own code raises becomes a `ModelError` that names both.

    What a device raises, such as too little memory, stays as it is: another try may help.
    """
    try:
        yield
    except EngineError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError) as error:
        if _of_device(error):
            raise
        name = getattr(module.config, "_name_or_path", "") or "the model"
        raise ModelError(
            f"{name} ({type(module).__name__}) fails in its own code: {type(error).__name__}: {first_line(error)}. "
            "Use another model, or drop the text if it is only one"
        ) from error


def _of_device(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | torch.AcceleratorError):
        return True
    return "can't allocate memory" in str(error) or "CUDA" in str(error)


@contextlib.contextmanager
def _padding_token(module: Any, batching: Batching, fill: int | None) -> Iterator[None]:
    """The configuration names ``fill`` as long as a batch is computed, if the model knows no padding."""
    if batching.knows_padding:
        yield
        return
    held = text_config(module).pad_token_id
    name_padding(module, fill)
    try:
        yield
    finally:
        name_padding(module, held)


@contextlib.contextmanager
def _put_back(module: Any, batching: Batching) -> Iterator[None]:
    state = State(module) if batching.resets else None
    try:
        yield
    finally:
        if state is not None:
            state.restore()


def _counts(tokens: Tokens, token: int | None) -> npt.NDArray[np.int64]:
    """(rows,) how often ``token`` is in each row."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(tokens.ids == (-1 if token is None else token))])
    counts: npt.NDArray[np.int64] = before[tokens.offsets[1:]] - before[tokens.offsets[:-1]]
    return counts
