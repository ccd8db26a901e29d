"""How much faster is labelling than what people do today? Everybody runs in the same process, in turn.

    python -m benchmarks.labelling.throughput --model TEACHER --input reviews.parquet --rows 800 --rounds 5
    python -m benchmarks.labelling.throughput --shape bert-base --tokenizer TEACHER --input reviews.parquet --rows 160
    python -m benchmarks.labelling.throughput --part workers --model TEACHER --input reviews.parquet --rows 800
    python -m benchmarks.labelling.throughput --part busy --model TEACHER --input reviews.parquet --rows 400

What a time includes. ``engine``: labelling as `--devices auto` does, by a worker process for each core, from reading
the store's texts through tokenising, computing, checking and writing to the commit of the last shard, in fp32 and in
each other dtype that the machine computes the model in. A peer: tokenising and computing; it stores nothing. Those that
can, use the cores in both ways: all for a batch, and one for each of several. Loading a model, starting processes,
making the store's corpus and exporting are timed for nobody. Before the rounds everybody labels a few rows, and the
logits of every peer are checked against transformers in fp32, one row at a time. Ratios are taken round by round.

Peers need the extra ``peers``; those whose package is not there are left out, and the result names them.
``--part workers`` compares two workers of one thread with one of two threads (`benchmarks.labelling.two_workers`).
``--part busy`` is ours and sorted batches alone and beside other processes (`benchmarks.labelling.busy`).
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.harness.conditions import write_result
from benchmarks.harness.made_models import SHAPES, make_teacher, read_tokenizer
from benchmarks.harness.rounds import compare, lines, run_rounds
from benchmarks.labelling.busy import measure_busy
from benchmarks.labelling.peers import onnx, openvino
from benchmarks.labelling.peers.peer import (
    Peer,
    check_peers,
    cross_encoder_peer,
    difference,
    is_installed,
    one_by_one,
    pipeline_peer,
    seconds_of,
    sorted_peer,
    ways_to_share,
)
from benchmarks.labelling.relabelling import label_again, let_workers_import, stored_logits
from benchmarks.labelling.two_workers import SIDES, label_in_workers, measure_workers
from engine.compute.backend import Workload
from engine.compute.backends import choose_backend
from engine.compute.cpu.limits import usable_cores
from engine.errors import ModelError
from engine.labelling.planning.first_look import default_name
from engine.models.classifier import Classifier, load_classifier
from engine.models.files import quiet_transformers
from engine.tokens.encoding import Encoding

OURS = "engine"
DTYPES = ("fp32", "bf16", "int8")
WARM_UP_ROWS = 128
INCLUDES = {OURS: "reading, tokenising, computing, checking, writing, committing", "peers": "tokenising, computing"}


def main() -> None:
    """Measure one part, print the table, write the result."""
    arguments = _arguments()
    quiet_transformers()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = Path(arguments.model or work / arguments.shape)
        if arguments.shape:
            make_teacher(model, SHAPES[arguments.shape], read_tokenizer(arguments.tokenizer))
        slug = arguments.name or default_name(str(model))
        rows = work / "rows.parquet"
        pq.write_table(_choose(pq.read_table(arguments.input, columns=["id", "text"]), arguments.rows), rows)
        if arguments.part == "workers":
            result = measure_workers(model, rows, work, rounds=arguments.rounds, shards=arguments.shards)
            name, ours = f"label_workers_{slug}", next(iter(SIDES))
        elif arguments.part == "busy":
            result = measure_beside(model, rows, work, rounds=arguments.rounds, busy=arguments.busy)
            name, ours = f"label_busy_{slug}", OURS
        else:
            result = measure_peers(
                model, rows, work, rounds=arguments.rounds, shards=arguments.shards, only=arguments.only
            )
            name, ours = f"label_throughput_{slug}", OURS
    path = write_result(name, result)
    print("\n".join(lines(result["figures"], ours=ours)))
    for word in result.get("notes", []):
        print(word)
    print(f"written to {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", help="folder of a fine-tuned classifier")
    model.add_argument("--shape", choices=SHAPES, help="make a model of this shape, with random weights")
    parser.add_argument("--tokenizer", help="folder of the tokenizer of a made model")
    parser.add_argument("--input", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--rows", type=int, default=800, help="as many, spread over the file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", metavar="WORDS", help="peers with this in their names, of the part peers")
    parser.add_argument("--part", choices=["peers", "workers", "busy"], default="peers")
    parser.add_argument("--busy", type=int, default=usable_cores(), help="processes beside, of the part busy")
    parser.add_argument("--shards", type=int, default=16, help="of the parts peers and workers")
    parser.add_argument("--name", help="of the result; by the model's folder or shape if not given")
    arguments = parser.parse_args()
    if arguments.shape and not arguments.tokenizer:
        parser.error("--shape needs --tokenizer")
    return arguments


def _choose(table: pa.Table, rows: int) -> pa.Table:
    step = max(1, table.num_rows // rows)
    return table.take(pa.array(range(0, min(step * rows, table.num_rows), step)))


def measure_peers(model: Path, file: Path, work: Path, *, rounds: int, shards: int, only: str) -> dict[str, Any]:
    """The part ``peers``."""
    let_workers_import()
    texts = pq.read_table(file).column("text").to_pylist()
    classifier = load_classifier(str(model))
    encoding = classifier.encoding()
    peers, absent = _peers(model, work, encoding, texts, pad_id=classifier.module.config.pad_token_id)
    peers = {name: peer for name, peer in peers.items() if only in name}
    checks = check_peers(peers, one_by_one(model, max_length=encoding.max_length), texts[:WARM_UP_ROWS])

    workers = ("cpu",) * usable_cores()

    def label(dtype: str) -> float:
        place = work / f"store-{dtype}"
        return label_in_workers(model, file, place, devices=workers, shards=shards, dtype=dtype)

    own = _own(classifier, longest=encoding.max_length)
    for dtype in own.values():
        label(dtype)
    checks |= {
        name: difference(stored_logits(work / f"store-{dtype}"), stored_logits(work / "store-fp32"))
        for name, dtype in own.items()
        if dtype != "fp32"
    }
    contestants = {name: partial(label, dtype) for name, dtype in own.items()}
    contestants |= {name: partial(seconds_of, peer, texts) for name, peer in peers.items()}
    seconds = run_rounds(contestants, rounds)
    figures = compare(seconds, rows=len(texts), ours=OURS)
    lengths = encoding.encode(texts).lengths
    return {
        "rows": len(texts),
        "tokens": {"mean": round(float(lengths.mean()), 1), "max": int(lengths.max())},
        "shards": shards,
        "workers": len(workers),
        "includes": INCLUDES,
        "absent": absent,
        "checks": checks,
        "seconds": seconds,
        "figures": figures,
        "notes": _notes(figures, checks),
    }


def measure_beside(model: Path, file: Path, work: Path, *, rounds: int, busy: int) -> dict[str, Any]:
    """The part ``busy``."""
    texts = pq.read_table(file).column("text").to_pylist()
    longest = (classifier := load_classifier(str(model))).encoding().max_length
    contestants = {name: partial(_label, model, file, work, dtype) for name, dtype in _own(classifier, longest).items()}
    contestants["transformers, sorted, batches of 32"] = partial(
        seconds_of, sorted_peer(model, max_length=longest), texts
    )
    for contestant in contestants.values():
        contestant()
    return {"includes": INCLUDES, **measure_busy(contestants, rows=len(texts), rounds=rounds, busy=busy, ours=OURS)}


def _label(model: Path, file: Path, work: Path, dtype: str) -> float:
    """Seconds of labelling every text of ``file`` anew."""
    store = work / f"store-{dtype}"
    return label_again(store, model, inputs=file, devices=("cpu",), shards=1, dtype=dtype).seconds


def _own(classifier: Classifier, longest: int) -> dict[str, str]:
    """Our contestants: each dtype that this machine computes the model in, by name."""
    return {_ours(dtype): dtype for dtype in DTYPES if _computes(classifier, dtype, longest=longest)}


def _ours(dtype: str) -> str:
    return OURS if dtype == "fp32" else f"{OURS}, {dtype}"


def _computes(classifier: Classifier, dtype: str, *, longest: int) -> bool:
    """Whether a backend computes the model in ``dtype`` on this machine."""
    try:
        choose_backend(classifier.module, Workload(longest=longest, device=torch.device("cpu"), dtype=dtype))
    except ModelError as error:
        sys.stderr.write(f"{_ours(dtype)} is left out: {error}\n")
        return False
    return True


def _peers(
    model: Path, work: Path, encoding: Encoding, texts: list[str], *, pad_id: int
) -> tuple[dict[str, Peer], dict[str, str]]:
    """Every peer that is installed, and why the others are not there."""
    longest = encoding.max_length
    peers = {
        "pipeline(batch_size=32)": pipeline_peer(model, max_length=longest),
        "transformers, sorted, batches of 32": sorted_peer(model, max_length=longest),
    }
    absent: dict[str, str] = {}
    if _has("CrossEncoder.predict(batch_size=32)", ["sentence_transformers"], absent):
        peers["CrossEncoder.predict(batch_size=32)"] = cross_encoder_peer(model, max_length=longest)
    if _has("ONNX Runtime", onnx.PACKAGES, absent):
        for kind, path in zip(("fp32", "int8"), onnx.export(model, work), strict=True):
            for words, at_once in ways_to_share(torch.get_num_threads()).items():
                peers[f"ONNX Runtime {kind}, our batches{words}"] = onnx.onnx_peer(
                    path, encoding, pad_id=pad_id, at_once=at_once
                )
    if _has("OpenVINO", openvino.PACKAGES, absent):
        peers |= openvino.openvino_peers(model, encoding, texts, pad_id=pad_id)
    for name, reason in absent.items():
        sys.stderr.write(f"{name} is left out: {reason} (pip install -e '.[peers]')\n")
    return peers, absent


def _has(name: str, packages: Sequence[str], absent: dict[str, str]) -> bool:
    """Whether ``packages`` are installed; notes in ``absent`` which are not."""
    if missing := [package for package in packages if not is_installed(package)]:
        absent[name] = f"{', '.join(missing)} is not installed"
    return not missing


def _notes(figures: dict[str, dict[str, Any]], checks: dict[str, dict[str, float]]) -> list[str]:
    """Where those stand that compute something else than fp32."""
    words = []
    for name, figure in figures.items():
        if "int8" in name or "bf16" in name:
            ratio = 1 / figure["times_as_fast"]
            verdict = f"{ratio:.2f} times as fast as {OURS}" if ratio > 1 else f"slower than {OURS} ({ratio:.2f} times)"
            check = checks[name]
            words.append(
                f"{name}: {verdict}; {check['equal_predictions']:.1%} of {check['rows']} predictions as in fp32"
            )
    return words


if __name__ == "__main__":
    main()
