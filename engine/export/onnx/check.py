"""A model and its ONNX file → whether both give the same logits, for rows of every kind that a server may give them.

The model's own logits are those of transformers for each row alone. The file's are computed alone, in batches of rows
of similar lengths, and in one where a short row is padded to the longest.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engine.errors import ModelError
from engine.export.onnx.session import Logits, OnnxSession
from engine.models.batching import padded_logits, vocabulary_size
from engine.models.classifier import Classifier
from engine.models.probe import within
from engine.progress import Tick, silent
from engine.tokens.probe_texts import ordinary_texts, special_texts
from engine.tokens.tokens import Tokens, put_frame, tokens_of

MOST_DIFFERENCE = 1e-3
"""Of a logit of the file in fp32 from the model's."""
_RELATIVE = 5e-4
_SHORT = 9
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GraphCheck:
    """What a file was found to give.

    Attributes:
        rows: that were compared.
        lengths: (rows,) their tokens.
        largest_difference: of a logit.
    """

    rows: int
    lengths: npt.NDArray[np.int64]
    largest_difference: float


def made_up_rows(model: Classifier, *, max_length: int) -> Tokens:
    """Rows of token ids of all kinds: texts with special tokens, the shortest ones, powers of two and their neighbours.

    Args:
        model: whose tokenizer makes them; a row has what the tokenizer puts around a text.
        max_length: tokens of the longest row.
    """
    encoding = model.encoding(max_length)
    texts = encoding.encode([*ordinary_texts(model.tokenizer), *special_texts(model.tokenizer), ""])
    rows = [texts.row(int(row)).tolist() for row in np.flatnonzero(texts.lengths)]
    least = max(1, len(encoding.frame.before) + len(encoding.frame.after))
    special = {*model.tokenizer.all_special_ids}
    plain = np.array([token for token in range(vocabulary_size(model.module)) if token not in special])
    chance = np.random.default_rng(0)
    for length in _lengths(least, max_length):
        ids = chance.choice(plain, length).astype(np.uint32)
        put_frame(ids, np.array([0, length]), encoding.frame)
        rows.append(ids.tolist())
    return tokens_of(rows)


def _lengths(least: int, most: int) -> list[int]:
    """All short ones from ``least`` on, those around powers of two, and the longest."""
    near = [2**power + step for power in range(3, most.bit_length()) for step in (-1, 0, 1)]
    return sorted({least, most, *range(least, min(_SHORT, most) + 1), *(size for size in near if least <= size < most)})


def own_rows(model: Classifier, tokens: Tokens, *, tick: Tick = silent) -> Logits:
    """(rows, classes) of each row alone, by transformers.

    Raises:
        ModelError: its own code fails.
    """
    found = []
    with torch.inference_mode():
        for row in range(len(tokens.lengths)):
            found.append(padded_logits(model.module, tokens, np.array([row])).float().numpy())
            tick("computing the model's own logits", row + 1, len(tokens.lengths))
    return np.concatenate(found)


def check_graph(
    model: Classifier, session: OnnxSession, tokens: Tokens, own: Logits, *, tick: Tick = silent
) -> GraphCheck:
    """Compare the file's logits of ``tokens`` with the model's ``own``.

    Raises:
        ModelError: a logit is further off than `MOST_DIFFERENCE`, or the file cannot be computed; names the row.
    """
    largest = 0.0
    for how, compute in _ways(session, tokens, tick):
        rows, logits = compute()
        truth = own[rows]
        if logits.shape != truth.shape:
            raise ModelError(f"{_refusal(model)}: {how}, the shape of its logits is {logits.shape}")
        difference = np.abs(logits - truth)
        is_same = within(logits, truth, relative=_RELATIVE) & (difference <= MOST_DIFFERENCE)
        if not is_same.all():
            row = int(np.flatnonzero(~is_same.all(axis=1))[0])
            raise ModelError(
                f"{_refusal(model)}: {how}, those of a row of {tokens.lengths[rows[row]]} tokens are "
                f"{_numbers(logits[row])}, and by transformers {_numbers(truth[row])}"
            )
        largest = max(largest, float(difference.max()))
        _log.debug("%s: %s: %d rows, off by %.3g at most", model.source, how, len(rows), difference.max())
    return GraphCheck(rows=len(own), lengths=tokens.lengths, largest_difference=largest)


def _ways(
    session: OnnxSession, tokens: Tokens, tick: Tick
) -> Iterator[tuple[str, Callable[[], tuple[npt.NDArray[np.int64], Logits]]]]:
    """Each way to compute rows: in words, and what gives their numbers and logits."""
    rows = np.arange(len(tokens.lengths))
    order = np.argsort(tokens.lengths, kind="stable")
    short = rows[tokens.lengths <= max(64, int(np.median(tokens.lengths)))]
    ends = np.concatenate([order[:_SHORT], order[-1:]])
    yield "alone", lambda: (rows, session.alone(tokens, tick=tick))
    yield "in batches", lambda: (rows, session.in_batches(tokens, tick=tick))
    yield "all short ones in one batch", lambda: (short, session.logits(tokens, short))
    yield "short ones beside the longest", lambda: (ends, session.logits(tokens, ends))


def _refusal(model: Classifier) -> str:
    return (
        f"{model.source} ({type(model.module).__name__}) cannot be exported: its ONNX file gives other logits than the "
        "model"
    )


def _numbers(logits: Logits) -> str:
    return ", ".join(f"{logit:.5g}" for logit in logits[:8])
