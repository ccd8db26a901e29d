"""The choices of an export to ONNX, and its summary."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.export.onnx.rows import RowsConfig

if TYPE_CHECKING:
    from engine.export.onnx.compare import Compared


@dataclass(frozen=True, kw_only=True)
class OnnxConfig:
    """A classifier, and the folder that it is exported to.

    Attributes:
        model: hub id or path of a fine-tuned classifier, or of an adapter, which is merged.
        out: the folder, or its URL; it must not exist, or be empty.
        revision: of the hub id.
        max_length: tokens a row; as of labelling if None.
        rows: the user's own rows, on which the files are compared with the model: without them none is written in int8.
        weights: whether the weights themselves are put beside them, as ``model.safetensors``.
    """

    model: str
    out: str
    revision: str | None = None
    max_length: int | None = None
    rows: RowsConfig = field(default_factory=RowsConfig)
    weights: bool = True


@dataclass(frozen=True, kw_only=True)
class OnnxExport:
    """What was exported.

    Attributes:
        out: the folder.
        classes: names, in the order of the logits.
        inputs: names of the inputs of the files.
        max_length: tokens a row.
        megabytes: by file, in 10⁶ bytes.
        made_up_rows: rows of token ids of every length on which the file in fp32 was checked.
        made_up_lengths: tokens of the shortest and of the longest of them.
        largest_difference: of a logit of that file, from the model's: of these rows and of the user's.
        compared: by way of computing, on the user's rows; empty without any.
        quantized: whether a file in int8 was written.
        not_quantized: why not; empty if it was.
        processor: on which all was measured.
        threads: of it.
        rejected: number of the user's rows that were refused.
        reasons: of the first of these.
    """

    out: str
    classes: list[str]
    inputs: list[str]
    max_length: int
    megabytes: dict[str, float]
    made_up_rows: int
    made_up_lengths: tuple[int, int]
    largest_difference: float
    compared: "dict[str, Compared]"
    quantized: bool
    not_quantized: str
    processor: str
    threads: int
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    def headline(self) -> dict[str, Any]:
        """The figures that fit in one table."""
        shown: dict[str, Any] = {
            "out": self.out,
            "classes": self.classes,
            "inputs": self.inputs,
            "max_length": self.max_length,
            "megabytes": self.megabytes,
            "made_up_rows": self.made_up_rows,
            "largest_difference": self.largest_difference,
            "quantized": self.quantized,
        }
        if self.not_quantized:
            shown["not_quantized"] = self.not_quantized
        return {**shown, "processor": self.processor, "threads": self.threads, "rejected": self.rejected}
