"""A classifier → a folder with its ONNX files, tokenizer and configuration, as servers of such files expect it.

OUT/config.json tokenizer.json tokenizer_config.json special_tokens_map.json README.md [model.safetensors]
OUT/onnx/model.onnx             fp32; not written if it gives other logits than the model
OUT/onnx/model_quantized.onnx   int8; only if it keeps the classes of the user's rows
"""

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.compute.cpu.limits import usable_cores
from engine.compute.cpu.processor import processor_name
from engine.errors import ModelError
from engine.export.onnx.card import FP32, INT8, card
from engine.export.onnx.check import MOST_DIFFERENCE, GraphCheck, check_graph, made_up_rows, own_rows
from engine.export.onnx.compare import (
    ENGINE_INT8,
    TORCH,
    Compared,
    Compute,
    Logits,
    by_engine_int8,
    by_transformers,
    compared_with,
    speeds,
)
from engine.export.onnx.config import OnnxConfig, OnnxExport
from engine.export.onnx.graph import GraphInputs, graph_inputs, write_graph
from engine.export.onnx.packages import onnx_packages
from engine.export.onnx.quantize import LEAST_ROWS, RECIPES, quantize, refusal
from engine.export.onnx.rows import CheckRows, read_check_rows
from engine.export.onnx.session import OnnxSession
from engine.export.onnx.smooth import input_ranges
from engine.models.classifier import Classifier, load_classifier, save_classifier
from engine.models.files import CONFIG
from engine.models.notes.card_head import CARD
from engine.models.notes.columns_read import as_read_for, columns_of_model, write_columns
from engine.outputs.folder import output_folder, place_in_words, refuse_used, whole_folder
from engine.progress import Tick, silent
from engine.tokens.tokens import Tokens

ALONE_ROWS = 512
"""Of the user's rows that the file in int8 computes alone, too: the range of its activations is that of a batch."""
_RANGE_ROWS = 64
"""Of the user's rows, of which the file in int8 learns how large its activations are."""
_NO_ROWS = "there are no rows to judge it by; name some with --check"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Made:
    """What the files are made from, and where."""

    model: Classifier
    inputs: GraphInputs
    folder: Path
    max_length: int
    threads: int

    @property
    def files(self) -> dict[str, Path]:
        return {FP32: self.folder / FP32, INT8: self.folder / INT8}

    def session(self, file: str, *, threads: int) -> OnnxSession:
        frame = self.model.encoding(self.max_length).frame
        return OnnxSession(self.folder / file, inputs=self.inputs, frame=frame, threads=threads)


def export_onnx(config: OnnxConfig, *, tick: Tick = silent) -> OnnxExport:
    """Export ``config.model``; the folder appears whole or not at all.

    Raises:
        ModelError: a package is missing, or the model cannot be loaded or exported.
        InputError: the folder is in use, or rows cannot be read.
    """
    onnx_packages()
    refuse_used(config.out)
    model = load_classifier(config.model, revision=config.revision)
    max_length = model.encoding(config.max_length).max_length
    inputs = graph_inputs(model)
    columns = as_read_for(config.rows.columns, config.model)
    rows = read_check_rows(dataclasses.replace(config.rows, columns=columns), model.classes)
    with whole_folder(config.out, last=CONFIG) as folder:
        made = _Made(model=model, inputs=inputs, folder=folder, max_length=max_length, threads=usable_cores())
        _write_model(made, weights=config.weights)
        write_columns(folder, columns_of_model(config.model))
        graph = _write_fp32(made, tick)
        compared, largest, why = _compared(made, rows, tick) if rows is not None else ({}, 0.0, _NO_ROWS)
        export = OnnxExport(
            out=place_in_words(output_folder(config.out), config.out),
            classes=model.classes,
            inputs=list(inputs.names),
            max_length=max_length,
            megabytes=_megabytes(folder),
            made_up_rows=graph.rows,
            made_up_lengths=(int(graph.lengths.min()), int(graph.lengths.max())),
            largest_difference=float(f"{max(graph.largest_difference, largest):.3g}"),
            compared=compared,
            quantized=not why,
            not_quantized=why,
            processor=processor_name(),
            threads=made.threads,
            rejected=0 if rows is None else rows.rejected,
            reasons=[] if rows is None else rows.reasons,
        )
        (folder / CARD).write_text(card(model, export), encoding="utf-8")
    return export


def _write_model(made: _Made, *, weights: bool) -> None:
    """All files but those of ONNX and the card."""
    folder, model = made.folder, made.model
    save_classifier(model, folder, max_length=made.max_length)
    if not weights:
        for path in folder.glob("model*.safetensors*"):
            path.unlink()
    # Servers read these under their own names, and not by the names that an architecture gives them.
    values = json.loads((folder / CONFIG).read_text("utf-8"))
    for name in ("hidden_size", "num_hidden_layers"):
        if isinstance(size := getattr(model.module.config, name, None), int):
            values.setdefault(name, size)
    _write_json(folder / CONFIG, values)
    _write_json(folder / "special_tokens_map.json", _special_tokens(model.tokenizer))


def _special_tokens(tokenizer: Any) -> dict[str, str]:
    return {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}


def _write_json(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_fp32(made: _Made, tick: Tick) -> GraphCheck:
    """Write the file in fp32, and check it on made-up rows."""
    tick("recording the model", 0, None)
    made.files[FP32].parent.mkdir()
    tokens = made_up_rows(made.model, max_length=made.max_length)
    own = own_rows(made.model, tokens, tick=tick)
    write_graph(made.model, made.inputs, made.files[FP32])
    return check_graph(made.model, made.session(FP32, threads=1), tokens, own, tick=tick)


def _compared(made: _Made, rows: CheckRows, tick: Tick) -> tuple[dict[str, Compared], float, str]:
    """Each way on the user's rows, the largest difference of fp32 on them, and why no file in int8 is kept.

    Raises:
        ModelError: the file in fp32 gives other logits than the model.
    """
    tokens = made.model.encoding(made.max_length).encode(rows.texts)
    tokens, labels = _with_tokens(tokens, rows)
    fp32 = made.session(FP32, threads=made.threads)
    ways: dict[str, Compute] = {TORCH: by_transformers(made.model, threads=made.threads), FP32: fp32.in_batches}
    if (engine := by_engine_int8(made.model, longest=made.max_length)) is not None:
        ways[ENGINE_INT8] = engine
    logits: dict[str, Logits] = {}
    for name, compute in ways.items():
        tick(f"comparing, {name}", len(logits), len(ways) + 1)
        logits[name] = compute(tokens)
    own = logits[TORCH]
    compared = {name: compared_with(own, each, labels) for name, each in logits.items()}
    largest = compared[FP32].largest_difference
    if largest > MOST_DIFFERENCE:
        raise ModelError(
            f"{made.model.source} cannot be exported: on the rows of --check the logits of its ONNX file are off by "
            f"{largest:.2g}, and {MOST_DIFFERENCE:g} is the most"
        )
    int8, judged, why = _quantized(made, tokens, own, labels, tick)
    compared |= judged
    for name, speed in speeds({**ways, INT8: int8.in_batches}, tokens, tick=tick).items():
        compared[name] = dataclasses.replace(compared[name], rows_per_second=speed)
    if why:
        made.files[INT8].unlink()
        _log.info("%s is not written: %s", INT8, why)
    return compared, largest, why


def _quantized(
    made: _Made, tokens: Tokens, own: Logits, labels: Any, tick: Tick
) -> tuple[OnnxSession, dict[str, Compared], str]:
    """The fastest file in int8 that keeps the classes of the rows, or the last one tried: open, judged, and why not.

    It is judged by the worse of its two: in batches and row by row, since a batch decides how activations are rounded.
    """
    some = np.arange(min(ALONE_ROWS, len(own)))
    fp32 = made.files[FP32]
    ranges = input_ranges(made.session(FP32, threads=made.threads), fp32, tokens.some(some[:_RANGE_ROWS]))
    for number, recipe in enumerate(RECIPES):
        tick(f"comparing, int8 of {recipe}", number, len(RECIPES))
        quantize(fp32, made.files[INT8], recipe, ranges)
        session = made.session(INT8, threads=made.threads)
        together = compared_with(own, session.in_batches(tokens), labels)
        alone = compared_with(own[some], session.alone(tokens.some(some)), None)
        why = refusal(rows=together.rows, flips=together.flips) or refusal(rows=alone.rows, flips=alone.flips)
        if not why or len(own) < LEAST_ROWS:
            break
        _log.info("in int8, %s: %s", recipe, why)
    return session, {INT8: together, f"{INT8}, rows alone": alone}, why or ""


def _with_tokens(tokens: Tokens, rows: CheckRows) -> tuple[Tokens, Any]:
    """Those rows that have a token: of a text of none there is nothing to compute."""
    there = np.flatnonzero(tokens.lengths)
    if not len(there):
        raise ModelError("no row of --check has a token; name files of texts")
    return tokens.some(there), None if rows.labels is None else rows.labels[there]


def _megabytes(folder: Path) -> dict[str, float]:
    """Sizes of the large files, by their paths in ``folder``."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".onnx", ".safetensors")]
    return {str(path.relative_to(folder)): round(path.stat().st_size / 1e6, 1) for path in paths}
