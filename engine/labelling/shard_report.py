"""What labelling one shard took; sent from workers to their parent. Loads no torch."""

from dataclasses import dataclass

from engine.labelling.exact_check import ExactCheck


@dataclass(frozen=True, kw_only=True)
class ShardReport:
    """What one shard took.

    Attributes:
        shard: its number.
        committed: whether this run's commit was the first.
        rows: labelled and failed ones.
        failed: rows whose logits were not finite.
        tokens: real ones.
        padded_tokens: tokens computed, padding included.
        flops: floating-point operations of the model, padding not counted.
        ceiling: floating-point operations a second that the device can do at most.
        seconds: of all stages, added up.
        busy_seconds: of these, those in which the device computed.
        stages: seconds in ``tokenise``, ``compute`` and ``write``.
        check: of some of its rows.
    """

    shard: int
    committed: bool
    rows: int
    failed: int
    tokens: int
    padded_tokens: int
    flops: float
    ceiling: float
    seconds: float
    busy_seconds: float
    stages: dict[str, float]
    check: ExactCheck | None
