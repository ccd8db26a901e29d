"""A graph in fp32 → an equal one whose products are given inputs of more even ranges, which 8 bits hold better.

By how much each channel is divided, and why, is said in `engine.compute.cpu.smoothing`.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.compute.cpu.smoothing import smoothing_factors
from engine.export.onnx.packages import onnx_packages
from engine.export.onnx.session import OnnxSession
from engine.tokens.tokens import Tokens

_PROBE = "probe.onnx"

Ranges = Mapping[str, npt.NDArray[np.float32]]


def products(graph: Any) -> Iterator[tuple[Any, Any]]:
    """Each product of ``graph`` with a matrix of weights, and these: (inputs, outputs)."""
    weights = {one.name: one for one in graph.initializer if len(one.dims) == 2}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            yield node, weights[node.input[1]]


def input_ranges(session: OnnxSession, file: Path, tokens: Tokens) -> Ranges:
    """The largest absolute value that each channel of each product's input has, by the name of the input.

    Args:
        session: of ``file``.
        file: in fp32.
        tokens: rows to compute.
    """
    onnx = onnx_packages().onnx
    model = onnx.load(str(file))
    names = sorted({node.input[0] for node, _ in products(model.graph)})
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    probe = file.with_name(_PROBE)
    try:
        onnx.save(model, str(probe))
        found: dict[str, npt.NDArray[np.float32]] = {}
        for values in session.of(probe).inner(tokens, names):
            for name, value in values.items():
                largest = np.abs(value.reshape(-1, value.shape[-1])).max(axis=0)
                found[name] = np.maximum(largest, found.get(name, largest))
    finally:
        probe.unlink(missing_ok=True)
    return found


def smooth(graph: Any, ranges: Ranges, *, kept: Collection[str]) -> None:
    """Change ``graph`` so; products whose names are ``kept`` stay, and so do those whose weights others share."""
    onnx = onnx_packages().onnx
    groups: dict[str, list[tuple[Any, Any]]] = {}
    for node, weight in products(graph):
        groups.setdefault(node.input[0], []).append((node, weight))
    uses = [name for node in graph.node for name in node.input]
    for name, group in groups.items():
        if name not in ranges or any(node.name in kept or uses.count(weight.name) > 1 for node, weight in group):
            continue
        weights = [onnx.numpy_helper.to_array(weight) for _, weight in group]
        of_weights = np.max([np.abs(one).max(axis=1) for one in weights], axis=0)
        factors = smoothing_factors(ranges[name], of_weights)
        smoothed = f"{name}_smoothed"
        graph.initializer.append(onnx.numpy_helper.from_array(1 / factors, f"{name}_factors"))
        first = min(at for at, node in enumerate(graph.node) if any(node is one for one, _ in group))
        graph.node.insert(first, onnx.helper.make_node("Mul", [name, f"{name}_factors"], [smoothed], name=smoothed))
        for (node, weight), values in zip(group, weights, strict=True):
            weight.CopyFrom(onnx.numpy_helper.from_array(values * factors[:, None], weight.name))
            node.input[0] = smoothed
