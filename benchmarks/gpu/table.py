"""The results of `benchmarks.gpu.run` → a table and its words for the README."""

from typing import Any

from benchmarks.gpu.against_peers import OURS


def gpu(result: dict[str, Any]) -> str:
    """Ours on all rows, each peer on a sample; then what else was measured."""
    label, peers = result["label"], result["peers"]
    speeds = {name: one["rows_per_second"] for name, one in peers["figures"].items() if name != OURS}
    lines = ["| how | rows | rows/s | engine is faster by |", "|---|---:|---:|---:|"]
    lines.append(f"| `engine`, {label['dtype']} | {label['rows']:,} | {label['rows_per_second']:,.0f} |  |")
    for name in sorted(speeds, key=lambda name: -speeds[name]):
        ratio = label["rows_per_second"] / speeds[name]
        lines.append(f"| {name} | {peers['rows']:,} | {speeds[name]:,.0f} | {ratio:.1f} × |")
    return "\n".join([*lines, "", f"{_labelling(result)} {_training(result['train'])} {_on(label)}"])


def _labelling(result: dict[str, Any]) -> str:
    label, peers, exact = result["label"], result["peers"], result["correctness"]
    short, two = peers["figures"][OURS]["rows_per_second"], result["two"]
    return (
        f"BERT-base's shape with random weights, made-up texts of {label['tokens']['mean']:.0f} tokens in the mean; "
        "ours reads, tokenises, checks, writes and commits, the others only tokenise and compute "
        f"({peers['rows']:,} rows alone, a run too short to come to speed, are {short:,.0f} rows/s of ours). "
        f"{label['tokens_per_second'] / 1e6:.2f} M tokens/s, {label['model_tflops']:.0f} TFLOP/s of the model, "
        f"{label['mfu']:.0%} of what a large square product reaches there; the GPU waited "
        f"{label['waiting']:.1%} of the time. Two workers on the one GPU are {two['against_one_worker']:.2f} times as "
        f"fast as one ({two['rows']:,} rows). Of {exact['rows']} rows against transformers in fp32, one at a time, "
        f"{exact['fp32']['out_of_bound']} in fp32 and {exact['fp16']['out_of_bound']} in fp16 are out of the bounds "
        f"that labelling checks, and {exact['fp32']['flips']} and {exact['fp16']['flips']} predictions differ."
    )


def _training(train: dict[str, Any]) -> str:
    names = {"random": "Trainer in random order", "group_by_length": "Trainer grouped by length"}
    ratios = " and ".join(f"{one['times_as_fast']:.1f} × {names[name]}" for name, one in train["trainer"].items())
    return (
        f"A student of BERT-small's shape learned from {train['rows']:,} stored rows at "
        f"{train['rows_per_second']:,.0f} rows/s, {train['batch_size']} a step: {ratios} (on "
        f"{train['trainer_rows']:,} rows)."
    )


def _on(label: dict[str, Any]) -> str:
    conditions = label["conditions"]
    versions = conditions["versions"]
    return f"{conditions['device']}, torch {versions['torch']}, transformers {versions['transformers']}; one run."
