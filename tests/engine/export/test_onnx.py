import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_models
import transformers
from huggingface_hub import metadata_load

import engine
import engine.export.onnx.quantize
from engine.errors import InputError, ModelError
from engine.export.onnx import export, graph
from engine.export.onnx.check import check_graph, made_up_rows, own_rows
from engine.export.onnx.export import FP32, INT8
from engine.export.onnx.graph import graph_inputs, write_graph
from engine.export.onnx.quantize import ALL, quantize, refusal
from engine.export.onnx.session import OnnxSession
from engine.export.onnx.smooth import input_ranges, smooth
from engine.models.classifier import load_classifier
from engine.outputs.remote import remote_of
from engine.testing.architecture_list import ENCODERS

ROWS = 240
EXPORTED = ("DebertaV2", "DistilBert", "Electra", "MPNet", "ModernBert", "Roberta", "XLMRoberta")
HEAD = "---\nlicense: mit\nlanguage: en\nbase_model: somebody/small\n---\n\n# Small\n\nIts own card.\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    tokens = tiny_models.tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    tiny_models.save(folder, tiny_models.sure_bert(), tokens)
    (folder / "README.md").write_text(HEAD)
    return str(folder)


@pytest.fixture(scope="module")
def rows(tmp_path_factory, model):
    """Labelled by the model itself, but for every tenth."""
    texts = tiny_models.texts(ROWS, seed=3)
    best = tiny_models.logits_alone(model, texts).argmax(axis=1)
    best[::10] = 1 - best[::10]
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    names = ("negative", "positive")
    lines = [
        {"id": str(n), "text": text, "label": names[label]}
        for n, (text, label) in enumerate(zip(texts, best, strict=True))
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(file)


@pytest.fixture(scope="module")
def exported(model, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "small-onnx"
    config = engine.OnnxConfig(model=model, out=str(out), rows=engine.RowsConfig(files=(rows,)))
    return engine.export_onnx(config), out


def served(out, texts, file=FP32, *, rows=None):
    """Logits as a server makes them: the folder's own tokenizer, padded batches, and the inputs that the file has."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(out / file), options, providers=["CPUExecutionProvider"])
    assert {one.type for one in session.get_inputs()} == {"tensor(int64)"}
    found = []
    for start in range(0, len(texts), rows or len(texts)):
        batch = texts[start : start + (rows or len(texts))]
        given = dict(tokenizer(batch, padding=True, truncation=True, return_tensors="np"))
        assert {one.name for one in session.get_inputs()} == given.keys()
        found.append(session.run(["logits"], given)[0])
    return np.concatenate(found)


def test_a_server_gets_the_models_logits_from_the_folder(exported, model):
    _, out = exported
    texts = ["good", "", *tiny_models.texts(30, words=(1, 5, 80), seed=9)]
    expected = tiny_models.logits_alone(model, texts)
    assert np.abs(served(out, texts) - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(served(out, texts[:1]) - expected[:1]).max() < 1e-4 * np.abs(expected).max()


def test_the_folder_has_what_servers_read(exported):
    _, out = exported
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {
        "README.md", "config.json", "model.safetensors", "onnx/model.onnx", "onnx/model_quantized.onnx",
        "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {"0": "negative", "1": "positive"}
    assert config["label2id"] == {"negative": 0, "positive": 1}
    assert (config["hidden_size"], config["num_hidden_layers"], config["model_type"]) == (16, 2, "bert")
    assert json.loads((out / "special_tokens_map.json").read_text())["pad_token"] == "[PAD]"
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in out.rglob("*")), "a server is another user"
    assert [path.name for path in out.parent.iterdir()] == [out.name], "nothing is left beside it"


@pytest.mark.parametrize("has_vnni", [True, False])
def test_weights_have_7_bits_where_the_processor_cuts_sums_off(tmp_path, monkeypatch, model, rows, has_vnni):
    """Two products of 8 and 7 bits have a sum that 16 bits hold."""
    monkeypatch.setattr(engine.export.onnx.quantize, "int8_problem", lambda: None if has_vnni else "no VNNI")
    fp32, int8 = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    loaded = load_classifier(model)
    write_graph(loaded, graph_inputs(loaded), fp32)
    quantize(fp32, int8, ALL, {})
    made = onnx.load(str(int8)).graph
    products = {node.input[1] for node in made.node if node.op_type == "MatMulInteger"}
    weights = [onnx.numpy_helper.to_array(one) for one in made.initializer if one.name in products]
    assert weights
    assert {one.dtype for one in weights} == {np.dtype(np.int8)}
    largest = max(int(np.abs(one.astype(np.int64)).max()) for one in weights)
    assert largest == 127 if has_vnni else largest <= 64
    assert 2 * 255 * 64 < 2**15
    config = engine.OnnxConfig(model=model, out=str(tmp_path / "out"), rows=engine.RowsConfig(files=(rows,)))
    summary, card = engine.export_onnx(config), (tmp_path / "out" / "README.md").read_text()
    assert summary.quantized or has_vnni, "what is cut off here may change too many classes"
    assert ("Its weights have 7 bits" in card) == (not has_vnni)


def test_the_graph_has_free_rows_and_tokens(exported):
    _, out = exported
    found = onnx.load(str(out / FP32))
    onnx.checker.check_model(found, full_check=True)
    sizes = {
        one.name: [axis.dim_param or axis.dim_value for axis in one.type.tensor_type.shape.dim]
        for one in (*found.graph.input, *found.graph.output)
    }
    free = ["batch_size", "sequence_length"]
    assert sizes == {"input_ids": free, "attention_mask": free, "token_type_ids": free, "logits": ["batch_size", 2]}


def test_the_summary_counts_what_was_compared(exported, model, rows):
    summary, out = exported
    ways = summary.compared
    assert {FP32, INT8, "transformers", f"{INT8}, rows alone"} <= ways.keys()
    assert ways["transformers"].accuracy == pytest.approx(0.9)
    assert (ways[FP32].rows, ways[FP32].flips, ways[FP32].accuracy) == (ROWS, 0, ways["transformers"].accuracy)
    assert 0 < summary.largest_difference < 1e-3
    assert ways[FP32].rows_per_second > 0
    texts = [json.loads(line)["text"] for line in Path(rows).read_text().splitlines()]
    alone = served(out, texts, INT8, rows=1)
    expected = tiny_models.logits_alone(model, texts)
    flips = int((alone.argmax(axis=1) != expected.argmax(axis=1)).sum())
    assert (ways[f"{INT8}, rows alone"].flips, summary.quantized) == (flips, True)
    assert ways[f"{INT8}, rows alone"].largest_difference == pytest.approx(np.abs(alone - expected).max(), rel=1e-2)
    assert summary.megabytes[FP32] > 0


def test_the_card_keeps_the_models_own_and_says_what_was_measured(exported):
    summary, out = exported
    head = metadata_load(out / "README.md")
    assert (head["license"], head["language"], head["base_model"]) == ("mit", "en", "somebody/small")
    assert {"onnx", "text-classification"} <= set(head["tags"])
    card = (out / "README.md").read_text()
    assert "Its own card." in card
    assert f"| {INT8} |" in card
    assert summary.processor in card


@pytest.mark.parametrize("name", EXPORTED)
def test_architectures_give_their_logits(name, tmp_path):
    architecture = next(one for one in ENCODERS if one.name == name and not one.variant)
    architecture.save(tmp_path / "model")
    model = load_classifier(str(tmp_path / "model"))
    inputs, tokens = graph_inputs(model), made_up_rows(model, max_length=24)
    write_graph(model, inputs, tmp_path / "model.onnx")
    session = OnnxSession(tmp_path / "model.onnx", inputs=inputs, frame=model.encoding().frame, threads=1)
    own = own_rows(model, tokens)
    assert {2, 3, 24} <= set(tokens.lengths.tolist())
    assert own.std() > 0.01
    assert check_graph(model, session, tokens, own).largest_difference < 1e-5
    with pytest.raises(ModelError, match="gives other logits than the model: alone, those of a row of"):
        check_graph(model, session, tokens, own + np.float32([0, 0, 2e-3]))


def refuse(model, out, match, **more):
    with pytest.raises((ModelError, InputError), match=match):
        engine.export_onnx(engine.OnnxConfig(model=str(model), out=str(out), **more))


def test_a_model_that_padding_changes_is_refused(tmp_path):
    next(one for one in ENCODERS if one.name == "FNet").save(tmp_path / "model")
    refuse(tmp_path / "model", tmp_path / "out", "FNetForSequenceClassification.* gives other logits .* padded")
    assert not (tmp_path / "out").exists()


def test_a_graph_that_gives_other_logits_is_not_kept(model, tmp_path, monkeypatch):
    def wrong(model, inputs, file):
        write_graph(model, inputs, file)
        found = onnx.load(str(file))
        bias = next(one for one in found.graph.initializer if one.name.endswith("classifier.bias"))
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(2e-3), bias.name))
        onnx.save(found, str(file))

    monkeypatch.setattr(export, "write_graph", wrong)
    refuse(model, tmp_path / "out", "gives other logits than the model")
    assert not list(tmp_path.iterdir())


def test_ranges_that_are_made_even_leave_the_logits_and_bring_int8_nearer(model, tmp_path):
    loaded = load_classifier(model)
    for layer in loaded.module.bert.encoder.layer:  # as trained models have it: a channel far above the others
        layer.attention.output.LayerNorm.weight.data[3] = 20
        layer.intermediate.dense.weight.data[:, 3] /= 20
    inputs, encoding = graph_inputs(loaded), loaded.encoding()
    tokens = encoding.encode(tiny_models.texts(60, words=(5, 20), seed=1))
    fp32, int8, plain = (tmp_path / name for name in ("model.onnx", "int8.onnx", "plain.onnx"))
    write_graph(loaded, inputs, fp32)
    session = OnnxSession(fp32, inputs=inputs, frame=encoding.frame, threads=1)
    ranges = input_ranges(session, fp32, tokens.some(np.arange(20)))
    assert max(values.max() / np.median(values) for values in ranges.values()) > 5
    own = session.alone(tokens)
    even = onnx.load(str(fp32))
    smooth(even.graph, ranges, kept=())
    onnx.save(even, str(tmp_path / "smoothed.onnx"))
    assert np.abs(session.of(tmp_path / "smoothed.onnx").alone(tokens) - own).max() < 1e-4 * np.abs(own).max()
    quantize(fp32, int8, ALL, ranges)
    quantize(fp32, plain, ALL, {})
    off = [np.abs(session.of(file).alone(tokens) - own).mean() for file in (int8, plain)]
    assert off[0] < 0.8 * off[1]
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "int8.onnx", "plain.onnx", "smoothed.onnx"}


def test_int8_that_changes_too_many_classes_is_not_kept(model, rows, tmp_path, monkeypatch):
    def turned(fp32, int8, recipe, ranges):
        found = onnx.load(str(fp32))
        for one in found.graph.initializer:
            if ".classifier." in f".{one.name}":
                one.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(one), one.name))
        onnx.save(found, str(int8))

    monkeypatch.setattr(export, "quantize", turned)
    config = engine.OnnxConfig(model=model, out=str(tmp_path / "out"), rows=engine.RowsConfig(files=(rows,)))
    summary = engine.export_onnx(config)
    assert not summary.quantized
    assert summary.not_quantized == f"it changes the class of {ROWS} of {ROWS} rows, and 0.5% is the most"
    assert [path.name for path in (tmp_path / "out" / "onnx").iterdir()] == ["model.onnx"]
    assert INT8 not in summary.megabytes
    assert "There is no file in int8: it changes the class" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("rows", "flips", "why"), [(199, 0, "too few"), (200, 1, None), (200, 2, "2 of 200"), (2000, 10, None)]
)
def test_the_bound_of_int8(rows, flips, why):
    found = refusal(rows=rows, flips=flips)
    assert found is None if why is None else why in found


def test_without_rows_there_is_no_int8_and_without_weights_no_weights(model, tmp_path, capsys):
    from cli.main import run

    out = tmp_path / "out"
    out.mkdir()  # an empty one may be there
    assert run(["export", model, "--to", "onnx", "--out", str(out), "--no-weights", "--max-length", "16"]) == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert (summary["quantized"], summary["compared"], summary["max_length"]) == (False, [], 16)
    assert "--check" in printed.err
    assert not list(out.glob("*.safetensors"))
    assert json.loads((out / "tokenizer_config.json").read_text())["model_max_length"] == 16
    assert run(["export", model, "--to", "onnx", "--out", str(out)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_rows_without_labels_and_bad_rows(model, tmp_path, capsys):
    from cli.main import run

    (tmp_path / "rows.csv").write_text("id,text\n1,good food\n2,\n3,bad room\n")
    arguments = ["export", model, "--to", "onnx", "--out", str(tmp_path / "out"), "--check", str(tmp_path / "rows.csv")]
    assert run(arguments) == 3
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert summary["not_quantized"].startswith("2 rows are too few")
    assert {way["accuracy"] for way in summary["compared"]} == {None}
    assert "rows.csv row 2" in printed.err


def test_a_missing_package_is_named_with_its_install_line(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refuse(model, tmp_path / "out", r"onnxruntime.*pip install 'softlabel-engine\[onnx\]'")


def test_weights_of_more_than_a_file_holds_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "MOST_BYTES", 1000)
    refuse(model, tmp_path / "out", "2 GB at most; distil a smaller student")


def test_a_place_that_is_taken_is_refused(model, tmp_path):
    (tmp_path / "file").write_text("")
    refuse(model, tmp_path / "file", "is a file")
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "mine").write_text("kept")
    refuse(model, folder, "not empty")
    assert (folder / "mine").read_text() == "kept"


def test_behind_a_url_it_is_what_it_is_on_a_disk(model, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    exported = [
        engine.export_onnx(engine.OnnxConfig(model=model, out=out))
        for out in (str(tmp_path / "out"), "memory://onnx/out")
    ]
    assert exported[1].out == "memory://onnx/out"
    place = remote_of("memory://onnx/out")
    local = {str(path.relative_to(tmp_path / "out")): path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert place.sizes().keys() == local.keys()
    assert all(place.holds(path, name) for name, path in local.items())
    refuse(model, "memory://onnx/out", "memory://onnx/out is not empty")


def test_what_a_killed_run_left_is_taken_away(model, tmp_path):
    left = tmp_path / "out.exporting" / "made" / "onnx"
    left.mkdir(parents=True)
    (left / "model.onnx").write_text("half")
    engine.export_onnx(engine.OnnxConfig(model=model, out=str(tmp_path / "out")))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert onnx.load(str(tmp_path / "out" / FP32)).graph.node


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_is_exported_merged(tmp_path):
    peft = pytest.importorskip("peft")
    base = tiny_models.save(tmp_path / "base")
    start = transformers.AutoModelForSequenceClassification.from_pretrained(base)
    settings = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"], init_lora_weights=False)
    adapted = peft.get_peft_model(start, settings).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    shutil.copy(Path(base) / "config.json", tmp_path / "adapter")
    engine.export_onnx(engine.OnnxConfig(model=str(tmp_path / "adapter"), out=str(tmp_path / "out")))
    texts = tiny_models.texts(10)
    tokens = transformers.AutoTokenizer.from_pretrained(base)(texts, padding=True, return_tensors="pt")
    found = served(tmp_path / "out", texts)
    assert np.abs(found - adapted(**tokens).logits.detach().numpy()).max() < 1e-4
    assert np.abs(found - tiny_models.logits_alone(base, texts)).max() > 1e-2
