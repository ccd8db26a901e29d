"""A model and its tokenizer → how its rows may be batched: found by comparing batches with rows alone, not by names.

The model's own logits are what transformers gives for each text alone, tokenised by the model's tokenizer. The texts
contain what has gone wrong with some model: special tokens inside and at the end, texts that are cut, equal words.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.errors import ModelError
from engine.models.batching import Apart, Batching, batching_of, padded_logits, vocabulary_size
from engine.models.files import first_line
from engine.models.layers import shared_copy
from engine.models.own import OwnLogits, own_logits, short
from engine.models.state import State
from engine.tokens.batches import alike
from engine.tokens.probe_texts import ordinary_texts, special_texts
from engine.tokens.tokens import Tokens, put_frame, tokens_of

_SHORT = (9, 30)
_ABSOLUTE, _RELATIVE = 5e-5, 2.5e-4  # half of what a logit may be off: long rows are further off than short ones
_HALF_PRECISION = 3e-2
_OF_SPREAD, _NOISE = 1e-2, 1e-6
_WAYS: tuple[Apart, ...] = ("nothing", "ends", "lengths", "rows")
_SLOWER = {
    "lengths": "%s: padding changes its logits, so only rows of equal length are computed together, which is slower",
    "rows": "%s: other rows in a batch change its logits, so each row is computed alone, which is much slower",
}
_log = logging.getLogger(__name__)

Logits = npt.NDArray[np.float32]


def find_batching(source: str, module: Any, tokenizer: Any, given: Batching) -> Batching:
    """The fastest way to batch rows that gives the model's own logits.

    Args:
        source: names the model in messages.
        module: the classifier, as it was loaded, in evaluation mode; it is left so.
        tokenizer: of transformers.
        given: the padding token, the end token and what is around a text.

    Raises:
        ModelError: no way does, or transformers cannot compute the model.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode(), _one_thread():
        own = own_logits(
            source, module, tokenizer, ordinary=ordinary_texts(tokenizer), special=special_texts(tokenizer)
        )
        given = dataclasses.replace(
            given, passes_types=own.uses_types, resets=own.changes, tried=int(own.tokens.lengths.max())
        )
        batching = _first_that_fits(source, module, own, given)
        if batching.resets and not _must_reset(module, own, batching):
            batching = dataclasses.replace(batching, resets=False)
    if batching.apart in _SLOWER:
        _log.info(_SLOWER[batching.apart], source)
    return batching


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: rows are short, and threads of a busy machine wait for one another ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _first_that_fits(source: str, module: Any, own: OwnLogits, given: Batching) -> Batching:
    problem = ""
    for apart in _WAYS:
        batching = dataclasses.replace(given, apart=apart)
        if apart == "ends" and given.end_id is None:
            continue
        problem = _difference(partial(_together, module, own.tokens, batching), own) or ""
        if not problem:
            return batching
        _log.debug("%s: rows apart by %s: %s", source, apart, problem)
    raise ModelError(
        f"{source}: its logits cannot be computed as transformers computes them: {problem}. Use another model, or "
        "report this one"
    )


def _difference(compute: Callable[[], Logits], own: OwnLogits) -> str | None:
    """How computed logits differ from the model's own; None if they do not."""
    try:
        ours = compute()
    except ModelError as error:
        return first_line(error)
    wrong = np.flatnonzero(~within(ours, own.logits).all(axis=1))
    if not len(wrong):
        return None
    row = int(wrong[0])
    theirs = _shown(own.logits[row])
    return f"for the text {short(own.texts[row])} they are {theirs}, and by the engine {_shown(ours[row])}"


def within(ours: Logits, theirs: Logits, *, relative: float = _RELATIVE) -> npt.NDArray[np.bool_]:
    """(rows, classes) whether logits are the same, for this precision.

    Those of a new head hardly differ from row to row, and a fault must show all the same: they may be off by a
    hundredth of the largest difference between rows.
    """
    size = np.abs(theirs)
    spread = float(np.ptp(theirs, axis=0).max()) if len(theirs) > 1 and np.isfinite(theirs).all() else np.inf
    allowed = np.minimum(_ABSOLUTE * relative / _RELATIVE + relative * size, _OF_SPREAD * spread)
    near = np.abs(ours - theirs) <= np.maximum(allowed, _NOISE * max(1.0, float(size.max(initial=0.0))))
    same: npt.NDArray[np.bool_] = near | (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
    return same


def _together(module: Any, tokens: Tokens, batching: Batching) -> Logits:
    """(rows, classes) logits, as many rows in a batch as ``batching`` allows."""
    rows = np.arange(len(tokens.truncated))
    kinds = batching.kinds(tokens, rows)
    parts = [rows] if kinds is None else alike(kinds)
    held = getattr(module, "batching", None)
    module.batching = batching
    try:
        computed = [padded_logits(module, tokens, part).float().cpu().numpy() for part in parts]
    finally:
        module.batching = held
    logits = np.concatenate(computed)
    logits[np.concatenate(parts)] = logits.copy()
    return logits


def _must_reset(module: Any, own: OwnLogits, batching: Batching) -> bool:
    """Whether a changed model computes other logits, or may do so for longer rows: a part of it was replaced."""
    state, kept = State(module), dataclasses.replace(batching, resets=False)
    swayed = any(_difference(partial(_together, module, own.tokens, kept), own) for _ in range(2))
    state.restore()
    return state.replaced or swayed


def settle_length(module: Any, longest: int) -> None:
    """Find out whether padding leaves the logits of a short row alone beside one of ``longest`` tokens too.

    A model may compute long rows in another way than short ones.

    Args:
        module: the classifier, in evaluation mode; its ``batching`` is set.
        longest: tokens of the longest row that will be computed.
    """
    batching = batching_of(module)
    if longest <= max(batching.tried, *_SHORT):
        return
    if batching.apart != "rows" and batching.apart != "lengths":
        tokens = made_up_rows(module, (*_SHORT, longest))
        short_rows, state = np.arange(len(_SHORT)), State(module)
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            ours = padded_logits(module, tokens, np.arange(len(_SHORT) + 1))[:-1].float().cpu().numpy()
            state.restore()
            theirs = [padded_logits(module, tokens, short_rows[[row]]).float().cpu().numpy() for row in short_rows]
            state.restore()
        relative = _RELATIVE if module.dtype == torch.float32 else _HALF_PRECISION
        if not within(ours, np.concatenate(theirs), relative=relative).all():
            batching = dataclasses.replace(batching, apart="lengths")
            _log.info(_SLOWER["lengths"], getattr(module.config, "_name_or_path", None) or type(module).__name__)
    module.batching = dataclasses.replace(batching, tried=longest)


def settled(module: Any, longest: int) -> Any:
    """``module``; of a model that changes itself, a copy that has done so, if rows of every length make it do so.

    BigBird's attention is full for all rows up to some length: one change, before the first batch, is enough then.

    Args:
        module: the classifier.
        longest: tokens of the longest row that will be computed.
    """
    batching = batching_of(module)
    if not batching.resets:
        return module
    copy = shared_copy(module)
    copy.batching = dataclasses.replace(batching, resets=False)
    state = State(copy)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        padded_logits(copy, made_up_rows(module, (longest,)), np.arange(1))
    return copy if state.was_replaced() else module


def made_up_rows(module: Any, lengths: tuple[int, ...]) -> Tokens:
    """Rows of tokens drawn by chance, between what the tokenizer puts around a text."""
    batching, size = batching_of(module), vocabulary_size(module)
    special = {batching.pad_id, batching.end_id, *batching.frame.before, *batching.frame.after}
    usual = np.setdiff1d(np.arange(size), [token for token in special if token is not None])
    chance = np.random.default_rng(0)
    tokens = tokens_of([chance.choice(usual, length).tolist() for length in lengths])
    put_frame(tokens.ids, tokens.offsets, batching.frame)
    return tokens


def _shown(logits: Logits) -> str:
    return ", ".join(f"{logit:.4g}" for logit in logits[:4])
