"""The card of an exported model: that of the model itself, and what was measured of its ONNX files."""

from pathlib import Path
from typing import Any

from engine.export.onnx.compare import TIMED_ROWS, Compared
from engine.export.onnx.config import OnnxExport
from engine.export.onnx.quantize import has_narrow_weights
from engine.models.classifier import Classifier
from engine.models.notes.card_head import base_model, card_body, card_head, licence_of, with_head

FP32, INT8 = "onnx/model.onnx", "onnx/model_quantized.onnx"
_TAGS = ("onnx", "text-classification")


def card(model: Classifier, export: OnnxExport) -> str:
    """The card, in Markdown with the head that hubs read."""
    own = card_body(model.folder)
    title = [] if own.startswith("# ") else [f"# {Path(export.out).resolve().name}", ""]
    return with_head(_head(model), "\n".join([*title, *([own, ""] if own else []), *_section(model, export)]))


def _head(model: Classifier) -> dict[str, Any]:
    """The head of the model's own card, where it has one."""
    own = card_head(model.folder)
    tags = own.get("tags")
    held = [str(tag) for tag in tags] if isinstance(tags, list) else []
    return {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": base_model(model.source, model.folder),
        **licence_of(model.folder),
        "tags": [*dict.fromkeys([*held, *_TAGS])],
        **{name: own[name] for name in ("language", "model-index") if own.get(name)},
    }


def _section(model: Classifier, export: OnnxExport) -> list[str]:
    least, most = export.made_up_lengths
    sizes = "".join(f"\n| `{file}` | {size:,.1f} MB |" for file, size in export.megabytes.items())
    return [
        "## ONNX",
        "",
        (
            f"Exported from `{model.source}`. Inputs, int64, of any number of rows and tokens: "
            f"{', '.join(f'`{name}`' for name in export.inputs)}. Output: `logits`, in the order of the classes "
            f"{', '.join(export.classes)}. Texts are cut at {export.max_length} tokens."
        ),
        "",
        f"| file | size |\n|---|---:|{sizes}",
        "",
        f"In fp32 a logit is off by {export.largest_difference:.2g} at most from those of transformers, on "
        f"{export.made_up_rows:,} made-up rows of {least} to {most} tokens, alone and padded"
        + (f", and on {_rows(export):,} real ones." if export.compared else "."),
        "",
        *_table(export),
        *_int8(export),
    ]


def _rows(export: OnnxExport) -> int:
    return export.compared[FP32].rows


def _table(export: OnnxExport) -> list[str]:
    """All ways on the user's rows."""
    if not export.compared:
        return []
    has_labels = any(one.accuracy is not None for one in export.compared.values())
    head = ["computed by", "same class", "flips", "rows", "largest difference", *["accuracy"] * has_labels, "rows/s"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for name, one in export.compared.items():
        cells = [name, f"{one.agreement:.2%}", f"{one.flips:,}", f"{one.rows:,}", f"{one.largest_difference:.2g}"]
        lines.append(f"| {' | '.join([*cells, *[_share(one)] * has_labels, _speed(one)])} |")
    timed = min(TIMED_ROWS, _rows(export))
    return [
        *lines,
        "",
        (
            f"Rows/s: token ids to logits, {timed:,} of these rows, in turns; {export.threads} cores of "
            f"{export.processor}. transformers: rows sorted by length, padded batches of 32."
        ),
        "",
    ]


def _share(one: Compared) -> str:
    return "" if one.accuracy is None else f"{one.accuracy:.2%}"


def _speed(one: Compared) -> str:
    return "" if one.rows_per_second is None else f"{one.rows_per_second:,.0f}"


_WIDE = "On processors without VNNI it may be further off: compare it there, or export it there."
_NARROW = "Its weights have 7 bits, because it was written on a processor without VNNI: no sum is cut off on any."


def _int8(export: OnnxExport) -> list[str]:
    if not export.quantized:
        return [f"There is no file in int8: {export.not_quantized}."]
    return [
        (
            "The file in int8 rounds activations by the range of each batch, so that its logits of a row depend a "
            f"little on the rows beside it. {_NARROW if has_narrow_weights() else _WIDE}"
        ),
    ]
