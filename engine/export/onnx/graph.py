"""A classifier → an ONNX file: int64 ids, mask and perhaps token types → logits; rows and tokens of a batch are free.

Nothing is known of architectures here: the model's own code is recorded, and `engine.export.onnx.check` says whether
the record gives the model's logits.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from engine.export.onnx.packages import quiet
from engine.models.batching import batching_of, text_config, vocabulary_size
from engine.models.classifier import Classifier, parameters
from engine.models.files import refused
from engine.models.saving import input_names

OPSET = 17
IDS, MASK, TYPES, LOGITS = "input_ids", "attention_mask", "token_type_ids", "logits"
MOST_BYTES = (1 << 31) - (1 << 24)
"""Of the weights of one file: ONNX ends at 2 GiB, and the graph needs a little."""
_AXES = {0: "batch_size", 1: "sequence_length"}
_ROWS, _TOKENS = 3, 19


@dataclass(frozen=True, kw_only=True)
class GraphInputs:
    """What a graph is given.

    Attributes:
        names: of its inputs, in order.
        pad_id: fills short rows.
    """

    names: tuple[str, ...]
    pad_id: int


def graph_inputs(model: Classifier) -> GraphInputs:
    """What the graph of ``model`` is to be given: what those who serve it make with its tokenizer.

    Raises:
        ModelError: they would compute other logits, as they pad rows, or the weights are too many for one file.
    """
    module, batching = model.module, batching_of(model.module)
    size = 4 * parameters(module)
    if size > MOST_BYTES:
        raise ModelError(
            f"{model.source} has {size / 1e9:.1f} GB of weights in fp32, and an ONNX file holds 2 GB at most; distil a "
            "smaller student from it with `engine train`, and export that"
        )
    pad_id = text_config(module).pad_token_id
    if batching.apart != "nothing" or pad_id is None:
        why = "has no padding token" if pad_id is None else "gives other logits for rows that are padded"
        raise ModelError(
            f"{model.source} ({type(module).__name__}) {why}, and servers of ONNX files pad; use `engine predict`, or "
            "distil a student of another architecture with `engine train`"
        )
    types = (TYPES,) if TYPES in input_names(module, model.tokenizer) and _accepts(module, TYPES) else ()
    if batching.passes_types and not types:
        raise ModelError(f"{model.source} needs token types, and its tokenizer gives none; see model_input_names")
    return GraphInputs(names=(IDS, MASK, *types), pad_id=int(pad_id))


def write_graph(model: Classifier, inputs: GraphInputs, file: Path) -> None:
    """Record the computation of ``model`` in ``file``, by tracing it.

    With eager attention, in which ONNX Runtime finds its own fused one; the module is left as it was.

    Args:
        model: the classifier, in fp32 on the CPU.
        inputs: of the graph.
        file: where to.

    Raises:
        ModelError: its code cannot be recorded.
    """
    sample = _sample(model, inputs)
    axes = {**dict.fromkeys(inputs.names, _AXES), LOGITS: {0: _AXES[0]}}
    with (
        refused(f"{model.source} ({type(model.module).__name__}) cannot be written as ONNX"),
        quiet(),
        torch.inference_mode(),
        _eager_attention(model.module),
    ):
        torch.onnx.export(
            _Bare(model.module, inputs.names).eval(),
            sample,
            str(file),
            input_names=list(inputs.names),
            output_names=[LOGITS],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


class _Bare(nn.Module):
    """Tensors in the order of ``names`` → logits, without the names and the wrapping of transformers."""

    def __init__(self, module: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self._module = module
        self._names = names
        self._more = {"use_cache": False} if _accepts(module, "use_cache") else {}

    def forward(self, *given: Tensor) -> Tensor:
        """(rows, classes) logits of (rows, tokens) each."""
        logits: Tensor = self._module(**dict(zip(self._names, given, strict=True)), **self._more).logits
        return logits


def _sample(model: Classifier, inputs: GraphInputs) -> tuple[Tensor, ...]:
    """Rows of several lengths, padded: what a model does with padding alone is recorded too."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary_size(model.module), (_ROWS, _TOKENS), generator=generator)
    ids[ids == inputs.pad_id] = (inputs.pad_id + 1) % vocabulary_size(model.module)
    mask = torch.ones_like(ids)
    for row in range(1, _ROWS):
        mask[row, _TOKENS - 4 * row :] = 0
    ids[mask == 0] = inputs.pad_id
    tensors = {IDS: ids, MASK: mask, TYPES: torch.zeros_like(ids)}
    return tuple(tensors[name] for name in inputs.names)


@contextmanager
def _eager_attention(module: Any) -> Iterator[None]:
    held = module.config._attn_implementation
    module.set_attn_implementation("eager")
    try:
        yield
    finally:
        module.set_attn_implementation(held)


def _accepts(module: Any, name: str) -> bool:
    return name in inspect.signature(module.forward).parameters
