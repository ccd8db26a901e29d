"""What a user may choose of how logits are computed. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The user's choices; if None, the card decides, or else the device.

    Attributes:
        max_length: tokens a row.
        dtype: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        tokens_per_batch: the token budget.
        check_rows: rows of each shard that are computed again in fp32; 0 for none.
        backend: name of the backend, as in `engine.compute.backends.BACKENDS`.
    """

    max_length: int | None = None
    dtype: str | None = None
    tokens_per_batch: int | None = None
    check_rows: int | None = None
    backend: str | None = None
