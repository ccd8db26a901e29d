"""A folder of `engine export --to onnx`, opened by transformers.js in node: the model's logits, classes, probabilities.

The variable TRANSFORMERS_JS names a folder in whose node_modules the package is: npm install @huggingface/transformers.
Without it these tests are skipped.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from transformers import BertTokenizerFast

import engine
from engine.export.onnx.card import INT8
from engine.export.onnx.check import own_rows
from engine.export.onnx.graph import graph_inputs
from engine.export.onnx.session import OnnxSession
from engine.models.classifier import load_classifier
from engine.testing.architecture_list import ENCODERS

PACKAGES = os.environ.get("TRANSFORMERS_JS", "")
SCRIPT = Path(__file__).parent / "transformers_js.mjs"
ARCHITECTURES = ("Bert", "DebertaV2", "DistilBert", "Electra", "MPNet", "ModernBert", "Roberta", "XLMRoberta")
TEXTS = [
    "good",
    "",
    "  Two  spaces,\ta tab\nand a line. ",
    "Café naïve ünïcödé ﬁ",
    "日本語のレビュー 👍🏽",
    "don't 3.5/5 http://x.y?z=1",
    *tiny_models.texts(20, words=(1, 30), seed=5),
]
LONG = "good food, bad staff. " * 200
"""Longer than any of the models reads."""
pytestmark = pytest.mark.skipif(
    not PACKAGES, reason="npm install @huggingface/transformers in a folder, and name the folder by TRANSFORMERS_JS"
)


def opened(out: Path, *dtypes: str) -> dict[str, Any]:
    """What transformers.js says of `TEXTS` and `LONG`, by dtype."""
    node = shutil.which("node")
    assert node is not None, "TRANSFORMERS_JS is set, and there is no node"
    command = [node, str(SCRIPT), PACKAGES, str(out), *dtypes]
    asked = json.dumps({"texts": TEXTS, "long": LONG})
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def export(model: str, out: Path, *check: str) -> engine.OnnxExport:
    return engine.export_onnx(engine.OnnxConfig(model=model, out=str(out), rows=engine.RowsConfig(files=check)))


def agrees(found: dict[str, Any], expected: Any, classes: list[str]) -> None:
    """Logits in a batch and alone, and the answers of the pipeline, are those of ``expected``.

    Args:
        found: by transformers.js.
        expected: (texts, classes) of `TEXTS`, and of `LONG` in the last row.
        classes: their names.
    """
    expected, long = expected[:-1], expected[-1:]
    for way, truth in (("logits", expected), ("alone", expected), ("long", long)):
        assert np.abs(np.array(found[way]) - truth).max() <= 1e-4 * max(1, np.abs(truth).max()), way
    exponentials = np.exp(expected - expected.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    for answer, truth in zip(found["answers"], probabilities, strict=True):
        assert [one["label"] for one in answer] == [classes[at] for at in np.argsort(-truth)]
        assert {one["label"]: one["score"] for one in answer} == pytest.approx(
            dict(zip(classes, map(float, truth), strict=True)), abs=1e-4
        )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_transformers_js_gives_the_models_logits(name: str, tmp_path: Path) -> None:
    architecture = next(one for one in ENCODERS if one.name == name and not one.variant)
    architecture.save(tmp_path / "model")
    export(str(tmp_path / "model"), tmp_path / "out")
    model = load_classifier(str(tmp_path / "model"))
    expected = own_rows(model, model.encoding().encode([*TEXTS, LONG]))
    agrees(opened(tmp_path / "out", "fp32")["fp32"], expected, model.classes)


def test_transformers_js_opens_the_file_in_int8(tmp_path: Path) -> None:
    folder = tiny_models.save(tmp_path / "model", tiny_models.sure_bert(), tiny_models.tokenizer(BertTokenizerFast))
    check = tmp_path / "rows.jsonl"
    check.write_text("".join(json.dumps({"text": text}) + "\n" for text in tiny_models.texts(240, seed=3)))
    assert export(folder, tmp_path / "out", str(check)).quantized
    found = opened(tmp_path / "out", "fp32", "q8")
    agrees(found["fp32"], tiny_models.logits_alone(folder, [*TEXTS, LONG]), ["negative", "positive"])
    model = load_classifier(folder)
    encoding = model.encoding()
    session = OnnxSession(tmp_path / "out" / INT8, inputs=graph_inputs(model), frame=encoding.frame, threads=1)
    alone = session.alone(encoding.encode(TEXTS))
    assert np.abs(np.array(found["q8"]["alone"]) - alone).max() <= 1e-3 * np.abs(alone).max()
