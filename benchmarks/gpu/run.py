"""How fast is `engine.label` on a GPU, how near to what the GPU can do, and how much faster than what people do today?

    python -m benchmarks.gpu.run --work FOLDER --rows 639000                     every part
    python -m benchmarks.gpu.run --work FOLDER --rows 639000 --part label two    some of them
    python -m benchmarks.gpu.run --device cpu --rows 400 --shape tiny            the whole script, small, without a GPU

Needs no network, and of this project's packages neither duckdb, webdataset nor rich: the teacher, its vocabulary and
the texts are made here (`made_models` and `made_texts` of `benchmarks.harness`). With ``--work`` they and the corpus
are kept, so that each part can run in a call of its own. The figures of a part replace those of its last run.

The parts:
    correctness  the stored logits in fp32, fp16 and fp8 against transformers in fp32, one row at a time
    ceilings     matrix products of the model's shapes and a large square one, and copies
    label        all rows: rows and tokens a second, padding, waiting, and model FLOP/s against the square product (mfu)
    two          the same with two worker processes on the one GPU
    fp8          the same in 8 bits of floating point, with one, where the GPU has that
    peers        the pipeline, and sorted batches of the best of three sizes, on a sample, in turn with `engine.label`
    train        one epoch of `engine.train` over what `label` has made (BERT-small's shape), and Trainer on a sample
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.against_peers import OURS
from benchmarks.gpu.parts import PARTS as LABEL_PARTS
from benchmarks.gpu.setup import Setup
from benchmarks.gpu.training import train
from benchmarks.harness.conditions import RESULTS, conditions
from benchmarks.harness.made_models import SHAPES
from benchmarks.harness.rounds import lines
from benchmarks.labelling.relabelling import let_workers_import
from engine.models.files import quiet_transformers

PARTS = {**LABEL_PARTS, "train": train}


def main() -> None:
    """Run the parts; after each, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--work", type=Path, help="a folder that is kept; a temporary one if not given")
    parser.add_argument("--out", type=Path, default=RESULTS / "gpu.json")
    parser.add_argument("--device", choices=["cuda:0", "cpu"], default="cuda:0")
    parser.add_argument("--shape", choices=SHAPES, default="bert-base")
    parser.add_argument("--rows", type=int, default=639_000, help="to label")
    parser.add_argument("--sample", type=int, default=8192, help="rows for the peers; --rows if that is less")
    parser.add_argument("--exact", type=int, default=512, help="rows that are compared one at a time; likewise")
    parser.add_argument("--rounds", type=int, default=3, help="of the peers")
    parser.add_argument("--commit", help="that is measured, if there is no git")
    arguments = parser.parse_args()
    quiet_transformers()
    let_workers_import()
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(
            work=arguments.work or Path(folder),
            shape=arguments.shape,
            device=arguments.device,
            rows=arguments.rows,
            sample=min(arguments.sample, arguments.rows),
            exact=min(arguments.exact, arguments.rows),
            rounds=arguments.rounds,
        )
        result = run_parts(setup, [name for name in PARTS if name in arguments.part], arguments.out, arguments.commit)
    print("\n".join(table(result)))
    print(f"written to {arguments.out}")


def run_parts(setup: Setup, names: list[str], out: Path, commit: str | None) -> dict[str, Any]:
    """Every part of the result, those of earlier calls included."""
    known = _conditions(commit)  # first, so that nothing is measured that could not be written
    result = json.loads(out.read_text()) if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        started = time.perf_counter()
        figures = PARTS[name](setup, result)
        took = round(time.perf_counter() - started, 1)
        sys.stderr.write(f"{name}: {took} s\n")
        about = {"shape": setup.shape, "on": setup.device, "part_seconds": took, "conditions": known}
        result[name] = {**figures, **about}
        out.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _conditions(commit: str | None) -> dict[str, Any]:
    """As in every result; a machine without git is told the commit."""
    try:
        known = conditions()
    except FileNotFoundError:
        known = {"commit": ""}
    if not known["commit"].strip("+changes") and commit is None:
        raise SystemExit("error: there is no git here to say what is measured; give it with --commit")
    return {**known, **({} if commit is None else {"commit": commit})}


def table(result: dict[str, Any]) -> list[str]:
    """What there is, in a few lines."""
    rows = []
    for name in ("fp32", "fp16", "fp8", "transformers, fp16"):
        if (one := result.get("correctness", {}).get(name)) is None:
            continue
        rows.append(
            f"{name}, against transformers in fp32 on {result['correctness']['rows']} rows: "
            f"{one['largest_difference']:.1e} at most, {one['out_of_bound']} out of {one['bound']}, "
            f"{one['flips']} flips"
        )
    if "ceilings" in result:
        for dtype, best in result["ceilings"].items():
            if dtype in ("fp16", "fp8"):
                shapes = best["the model's together"]
                rows.append(f"{dtype} products: {best['square']} TFLOP/s square, {shapes} in the model's shapes")
        rows.append(f"copies, GB/s: {result['ceilings']['copies_gb_per_second']}")
    rows += [_speed(name, result[name]) for name in ("label", "two") if name in result]
    if "fp8" in result:
        rows.append(_fp8(result["fp8"]))
    if "train" in result:
        rows += _training(result["train"])
    if "peers" in result:
        rows += [f"on {result['peers']['rows']} rows:", *lines(result["peers"]["figures"], ours=OURS)]
        rows += _at_scale(result)
    return rows


def _speed(name: str, figures: dict[str, Any]) -> str:
    mfu = f", MFU {figures['mfu']:.1%}" if "mfu" in figures else ""
    against = f", {figures['against_one_worker']:.2f} × one worker" if "against_one_worker" in figures else ""
    return (
        f"{name}: {figures['rows']:,} rows in {figures['seconds']:.1f} s: {figures['rows_per_second']:,.0f} rows/s, "
        f"{figures['tokens_per_second']:,.0f} tokens/s, padding {figures['padding']:.3f}, "
        f"{figures['model_tflops']:.3g} TFLOP/s{mfu}, waiting {figures['waiting']:.1%}{against}"
    )


def _fp8(figures: dict[str, Any]) -> str:
    if "lacking" in figures:
        return f"fp8: {figures['lacking']}"
    against = (f", {times:.2f} × {dtype}" for dtype, times in figures.get("against", {}).items())
    return _speed("fp8", figures) + "".join(against)


def _training(figures: dict[str, Any]) -> list[str]:
    mfu = f", MFU {figures['mfu']:.1%}" if "mfu" in figures else ""
    ours = (
        f"train: {figures['rows']:,} rows in {figures['seconds']:.1f} s: {figures['rows_per_second']:,.0f} rows/s, "
        f"{figures['model_tflops']:.3g} TFLOP/s{mfu}, waiting {figures['waiting']:.1%}"
    )
    if isinstance(figures["trainer"], str):
        return [ours, f"Trainer is {figures['trainer']}"]
    theirs = (
        f"against Trainer, {sampling}, on {figures['trainer_rows']:,} rows: {one['times_as_fast']:.2f} ×"
        for sampling, one in figures["trainer"].items()
    )
    return [ours, *theirs]


def _at_scale(result: dict[str, Any]) -> list[str]:
    """All rows against the sample's peers: a short run of ours counts its beginning, which a long one does once."""
    if "label" not in result:
        return []
    speed = result["label"]["rows_per_second"]
    peers = {name: one for name, one in result["peers"]["figures"].items() if name != OURS}
    return [
        f"{OURS} on all {result['label']['rows']:,} rows against {name}: {speed / one['rows_per_second']:.2f} ×"
        for name, one in peers.items()
    ]


if __name__ == "__main__":
    main()
