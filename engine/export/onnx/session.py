"""An ONNX file → logits of rows of token ids, by ONNX Runtime on the CPU, as those who serve it compute them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.compute.device import CPU_BUDGET
from engine.errors import ModelError
from engine.export.onnx.graph import IDS, LOGITS, MASK, TYPES, GraphInputs
from engine.export.onnx.packages import onnx_packages
from engine.models.files import first_line
from engine.progress import Tick, silent
from engine.tokens.batches import pad, plan, restore
from engine.tokens.frame import Frame
from engine.tokens.tokens import Tokens

Logits = npt.NDArray[np.float32]
_FATAL_ALONE = 4  # an error comes as an exception, too


class OnnxSession:
    """A file that is open for computing.

    Args:
        file: where it is.
        inputs: of its graph.
        frame: what the tokenizer puts around a text, with its token types.
        threads: with which it computes; as many as there are cores if None.

    Raises:
        ModelError: ONNX Runtime cannot open it, or it has other inputs.
    """

    def __init__(self, file: Path, *, inputs: GraphInputs, frame: Frame, threads: int | None = None) -> None:
        self._threads = threads
        runtime = onnx_packages().runtime
        options = runtime.SessionOptions()
        options.log_severity_level = _FATAL_ALONE
        options.intra_op_num_threads = threads or 0
        try:
            self._session: Any = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class
            raise ModelError(f"{file}: ONNX Runtime cannot open it: {first_line(error)}") from error
        self._inputs = inputs
        self._frame = frame
        found = {one.name for one in self._session.get_inputs()}
        if found != {*inputs.names}:
            lost = ", ".join(sorted({*inputs.names} - found))
            raise ModelError(f"{file.name}: the model's logits do not depend on {lost}, which servers give it")

    def logits(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> Logits:
        """(rows, classes) of chosen rows, in one padded batch.

        Raises:
            ModelError: ONNX Runtime fails on it.
        """
        (computed,) = self._run([LOGITS], tokens, rows)
        return np.asarray(computed, np.float32)

    def _run(self, outputs: list[str], tokens: Tokens, rows: npt.NDArray[np.int64]) -> list[Any]:
        ids, real = pad(tokens.ids, tokens.offsets, rows, pad_id=self._inputs.pad_id)
        types = np.zeros_like(ids)
        types[real] = self._frame.types(tokens.lengths[rows])
        given = {IDS: ids, MASK: real.astype(np.int64), TYPES: types}
        try:
            computed: list[Any] = self._session.run(outputs, {name: given[name] for name in self._inputs.names})
        except Exception as error:  # its errors have no common class
            shape = f"{len(rows)} rows of {ids.shape[1]} tokens"
            raise ModelError(f"ONNX Runtime fails on a batch of {shape}: {first_line(error)}") from error
        return computed

    def of(self, file: Path) -> "OnnxSession":
        """The same for another file of the same inputs."""
        return OnnxSession(file, inputs=self._inputs, frame=self._frame, threads=self._threads)

    def inner(self, tokens: Tokens, names: list[str]) -> Iterator[dict[str, Any]]:
        """Of each row, alone: what ``names``, outputs of the graph, are."""
        for row in range(len(tokens.lengths)):
            yield dict(zip(names, self._run(names, tokens, np.array([row])), strict=True))

    def alone(self, tokens: Tokens, *, tick: Tick = silent) -> Logits:
        """(rows, classes) of all rows, each in a batch of its own."""
        found = []
        for row in range(len(tokens.lengths)):
            found.append(self.logits(tokens, np.array([row])))
            tick("computing rows alone", row + 1, len(tokens.lengths))
        return np.concatenate(found)

    def in_batches(self, tokens: Tokens, *, budget: int = CPU_BUDGET, tick: Tick = silent) -> Logits:
        """(rows, classes) of all rows, those of similar lengths together."""
        batches = plan(tokens.lengths, budget=budget)
        found, done = [], 0
        for batch in batches:
            found.append(self.logits(tokens, batch))
            done += len(batch)
            tick("computing batches", done, len(tokens.lengths))
        return restore(batches, found)
