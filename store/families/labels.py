"""A label set: its schema, statistics and check, and logits → its columns.

The derived columns come from the stored fp16 logits, not from finer ones. Knows nothing of models.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from store.families.kind import FamilyKind
from store.format.names import LABELS
from store.format.shard import one_batch

NON_FINITE = "non-finite logits"
_TOLERANCE = 1e-5  # another machine's exp differs in the last bits


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The columns that are computed from the logits.

    Attributes:
        prediction: (rows,) int16, index of the largest logit; the first of equal ones.
        confidence: (rows,) float32, the largest softmax probability.
        margin: (rows,) float32, the largest probability minus the second.
        entropy: (rows,) float32, of the softmax, in nats.
    """

    prediction: npt.NDArray[np.int16]
    confidence: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Probabilities, (rows, classes) float64, of ``logits``, (rows, classes) of any float type."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def derive(logits: npt.NDArray[np.float16]) -> Derived:
    """The derived columns of ``logits``, (rows, classes) float16, all finite, at least two classes."""
    probabilities = softmax(logits)
    top_two = np.partition(probabilities, -2, axis=1)[:, -2:]
    logs = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    return Derived(
        prediction=logits.argmax(axis=1).astype(np.int16),
        confidence=top_two[:, 1].astype(np.float32),
        margin=(top_two[:, 1] - top_two[:, 0]).astype(np.float32),
        entropy=np.maximum(0, -(probabilities * logs).sum(axis=1)).astype(np.float32),
    )


def label_batch(
    *,
    first_row: int,
    logits: npt.NDArray[np.float16],
    n_tokens: npt.NDArray[np.uint16],
    truncated: npt.NDArray[np.bool_],
    failures: npt.NDArray[np.object_] | None = None,
) -> pa.RecordBatch:
    """One record batch of the labels family. A row whose logits are not all finite becomes a failure.

    Args:
        first_row: row number of the first row; the others follow it without a gap.
        logits: (rows, classes) float16, in the store's class order.
        n_tokens: (rows,) tokens that the model saw, special ones included.
        truncated: (rows,) whether the text had more.
        failures: (rows,) strings, why a row has no logits, if it has none; they are said to be non-finite if None.
    """
    rows, classes = logits.shape
    failed = ~np.all(np.isfinite(logits), axis=1)
    kept = np.where(failed[:, None], np.float16(0), logits)
    derived = derive(kept)
    reasons = np.where(failed, NON_FINITE if failures is None else failures, "")
    schema = labels_schema(classes)
    values = pa.array(kept.reshape(-1), type=pa.float16())
    return pa.record_batch(
        [
            pa.array(np.arange(first_row, first_row + rows)),
            pa.FixedSizeListArray.from_arrays(values, type=schema.field("logits").type, mask=pa.array(failed)),
            pa.array(derived.prediction, mask=failed),
            pa.array(derived.confidence, mask=failed),
            pa.array(derived.margin, mask=failed),
            pa.array(derived.entropy, mask=failed),
            pa.array(n_tokens, type=pa.uint16()),
            pa.array(truncated),
            pa.array(reasons, mask=~failed, type=pa.string()),
        ],
        schema=schema,
    )


def label_statistics(batch: pa.RecordBatch) -> dict[str, Any]:
    """The statistics of a label shard. A pure function of its rows."""
    classes = batch.schema.field("logits").type.list_size
    prediction = batch.column("prediction").drop_null().to_numpy(zero_copy_only=False)
    confidence = batch.column("confidence").drop_null().to_numpy(zero_copy_only=False)
    return {
        "failed": batch.column("prediction").null_count,
        "truncated": int(batch.column("truncated").to_numpy(zero_copy_only=False).sum()),
        "tokens": int(batch.column("n_tokens").to_numpy().astype(np.int64).sum()),
        "predictions": np.bincount(prediction, minlength=classes).tolist(),
        "mean_confidence": round(float(confidence.astype(np.float64).mean()), 6) if len(confidence) else None,
    }


def labels_schema(classes: int) -> pa.Schema:
    """Soft labels of one model for so many ``classes``."""
    return pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("logits", pa.list_(pa.field("item", pa.float16(), nullable=False), classes)),
            pa.field("prediction", pa.int16()),
            pa.field("confidence", pa.float32()),
            pa.field("margin", pa.float32()),
            pa.field("entropy", pa.float32()),
            pa.field("n_tokens", pa.uint16(), nullable=False),
            pa.field("truncated", pa.bool_(), nullable=False),
            pa.field("failure", pa.string()),
        ]
    )


def check_derived(table: pa.Table) -> str:
    """Whether the derived columns follow from the stored logits, and a failed row has a reason and nothing else.

    Returns:
        The problem in words; empty if there is none.
    """
    rows = one_batch(table)
    failed = rows.column("failure").is_valid()
    for name in ("logits", "prediction", "confidence", "margin", "entropy"):
        if not rows.column(name).is_null().equals(failed):
            return f"{name} is null in other rows than those that have a failure"
    kept = rows.filter(pc.invert(failed))
    classes = kept.schema.field("logits").type.list_size
    logits = kept.column("logits").flatten().to_numpy(zero_copy_only=False).reshape(-1, classes)
    if not np.isfinite(logits).all():
        return "has logits that are not finite"
    if len(logits) == 0:
        return ""
    derived = derive(logits)
    if not np.array_equal(derived.prediction, kept.column("prediction").to_numpy()):
        return "its predictions do not follow from its logits"
    for name in ("confidence", "margin", "entropy"):
        if not np.allclose(getattr(derived, name), kept.column(name).to_numpy(), rtol=0, atol=_TOLERANCE):
            return f"its {name} does not follow from its logits"
    return ""


LABELS_KIND = FamilyKind(
    name=LABELS,
    schema=lambda header, _: labels_schema(len(header.classes)),
    statistics=lambda rows: label_statistics(one_batch(rows)),
    check_rows=check_derived,
    is_named=True,
    has_card=True,
)
