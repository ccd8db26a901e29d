"""What labelling costs → the words and tables of the README."""

from typing import Any

from benchmarks.harness.conditions import in_words

_AT_ONCE = ", 2 at once"
"""Ends the name of a peer that computes two batches at a time."""


def throughput(minilm: dict[str, Any], base: dict[str, Any]) -> str:
    """Ours and each peer, with the ratio, for a small model and one of BERT-base's shape."""
    lines = ["| how | MiniLM-L6, rows/s | engine is faster by | BERT-base, rows/s | engine is faster by |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name in sorted(minilm["figures"], key=lambda name: -minilm["figures"][name]["rows_per_second"]):
        cells = [f"`{name}`" if name == "engine" else name]
        for result in (minilm, base):
            figure = result["figures"][name]
            ratio = "" if name == "engine" else f"{figure['times_as_fast']:.2f} ×"
            cells += [f"{figure['rows_per_second']:.1f}", ratio]
        lines.append(f"| {' | '.join(cells)} |")
    rounds, tokens = len(minilm["seconds"]["engine"]), minilm["tokens"]
    note = (
        f"{minilm['rows']} and {base['rows']} reviews, mean {tokens['mean']:.0f} and at most {tokens['max']} tokens; "
        f"medians of {rounds} rounds in turn, ratios within each. Ours includes reading, checking, writing and "
        f"committing; the others only tokenise and compute. {in_words(minilm)}"
    )
    return "\n".join([*lines, "", note])


def dtypes(result: dict[str, Any]) -> str:
    """One sentence: our dtypes and ONNX Runtime's int8 against our fp32, all in turn."""
    parts = []
    for name, check in result["checks"].items():
        if "int8" in name or "bf16" in name:
            speed = 1 / result["figures"][name]["times_as_fast"]
            parts.append(f"{name} {speed:.2f} × ({check['equal_predictions']:.1%} of {check['rows']} predictions)")
    rounds, tokens = len(result["seconds"]["engine"]), result["tokens"]
    return (
        f"As fast as fp32, and with its predictions: {', '.join(parts)}. MiniLM-L6, {result['rows']} reviews, "
        f"mean {tokens['mean']:.0f} tokens; medians of {rounds} rounds in turn. {in_words(result)}"
    )


def dtypes_with_amx(minilm: dict[str, Any], base: dict[str, Any]) -> str:
    """Our dtypes and the int8 of libraries, all in turn, for a small model and one of BERT-base's shape."""
    lines = [
        "| how | MiniLM-L6, rows/s | of our fp32 | predictions as in fp32 | BERT-base's shape, rows/s | of our fp32 |"
    ]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for name in sorted(minilm["figures"], key=lambda name: -minilm["figures"][name]["rows_per_second"]):
        small, large = (result["figures"][name] for result in (minilm, base))
        same = _same_predictions(minilm, name)
        ratios = ["" if name == "engine" else f"{1 / one['times_as_fast']:.2f} ×" for one in (small, large)]
        speeds = [f"{one['rows_per_second']:.1f}" for one in (small, large)]
        lines.append(f"| {_as_code(name)} | {speeds[0]} | {ratios[0]} | {same} | {speeds[1]} | {ratios[1]} |")
    rounds, tokens = len(minilm["seconds"]["engine"]), minilm["tokens"]
    note = (
        f"{minilm['rows']:,} and {base['rows']} reviews, mean {tokens['mean']:.0f} and at most {tokens['max']} tokens; "
        f"{minilm['workers']} worker processes of ours, medians of {rounds} rounds in turn, ratios within each. Ours "
        "includes reading, checking (8 rows of each shard in fp32: a quarter of the time of the large model's two "
        "shards in bf16), writing and committing; the others only tokenise and compute. The large model's "
        f"weights are random, so its predictions say nothing. {in_words(minilm)}"
    )
    return "\n".join([*lines, "", note])


def agreement(result: dict[str, Any]) -> str:
    """Predictions, accuracy and, if there are some, students, by arithmetic."""
    names = ["arithmetic", "accuracy", "other predictions than fp32", "largest difference of a logit"]
    rows, students, table = result["rows"], result.get("students", {}), list[list[str]]()
    for dtype, one in result["figures"].items():
        flips = f"{one['flips']} ({one['flips'] / rows:.2%})"
        table.append([dtype, f"{one['accuracy']:.2%}", flips, f"{one['largest_difference']:.3f}"])
    tokens = result["max_length"]
    said = f"MiniLM-L6, fine-tuned on real labels, on {rows:,} real reviews with gold, at most {tokens} tokens"
    if students:
        names.append("its students' accuracy, less that of fp32's")
        for line in table:
            line.append(_student_words(line[0], students[line[0]]))
        said += (
            f"; students of three of its layers, from {result['pool_rows']:,} labelled reviews each, mean of "
            f"{len(students['fp32']['accuracies'])} seeds (± standard deviation of the difference)"
        )
    lines = [
        f"| {' | '.join(names)} |",
        f"|---|{'---:|' * (len(names) - 1)}",
        *(f"| {' | '.join(line)} |" for line in table),
    ]
    return "\n".join([*lines, "", f"{said}. {in_words(result)}"])


def _student_words(dtype: str, student: dict[str, Any]) -> str:
    mean = sum(student["accuracies"]) / len(student["accuracies"])
    gain = "" if dtype == "fp32" else f" ({student['mean_gain']:+.2%} ± {student['deviation_of_gains']:.2%})"
    return f"{mean:.2%}{gain}"


def workers(result: dict[str, Any]) -> str:
    """One sentence."""
    two, one = result["figures"].values()
    return (
        f"Two workers of one thread each label {two['rows_per_second']:.1f} rows/s, one of two threads "
        f"{one['rows_per_second']:.1f}: {one['times_as_fast']:.2f} times as many."
    )


def forecast(result: dict[str, Any]) -> str:
    """Two sentences."""
    words = []
    for name, what in (("dry run", "of the whole by a dry run"), ("whole shards", "of the rest by whole shards")):
        of = result["figures"][name]
        words.append(
            f"{what}, {of['within_20_percent']} of {of['trials']} within 20% of the truth (median "
            f"{of['median_off']:.1%} off, at most {of['most_off']:.1%}), the interval of the accuracy "
            f"({of['accuracy_width']:.1%} wide) covers it {of['accuracy_covered']} times"
        )
    return (
        f"Forecasts of the time that {result['rows']:,} real texts of two files, long reviews and short sentences, "
        f"take, from {result['pilot']} of them: {'; '.join(words)}. {in_words(result)}"
    )


def memory(result: dict[str, Any]) -> str:
    """One sentence."""
    peaks = ", ".join(
        f"{int(rows):,} rows {one['label']['peak_megabytes']} MB" for rows, one in result["figures"].items()
    )
    return f"Peak RSS of labelling, with a made-up teacher and shards of at most 32,768 rows: {peaks}."


def tokenising(result: dict[str, Any]) -> str:
    """One sentence."""
    figures, check = result["figures"], result["check"]
    ours, peer = figures["engine, nanotoken, first call"], figures["tokenizers, encode_batch"]
    return (
        f"Tokenising with nanotoken: {ours['megabytes_per_second']:.0f} MB/s, tokenizers' `encode_batch` to numpy "
        f"{peer['megabytes_per_second']:.1f} MB/s ({peer['times_as_fast']:.0f} ×); of {check['rows']:,} real texts of "
        f"{check['tokens'] / 1e6:.0f} M tokens the ids of {check['rows_that_differ']['engine, nanotoken']} differ."
    )


def parity(result: dict[str, Any]) -> str:
    """One sentence."""
    figures = result["figures"]
    return (
        f"Over {figures['rows']:,} real reviews ({figures['rows_of_512_tokens']:,} of them cut at 512 tokens) the "
        "stored fp16 logits differ from `AutoModelForSequenceClassification`, run one row at a time in fp32, by "
        f"{figures['largest_difference']:.1e} at most; {figures['rows_out_of_bounds']} rows are outside "
        f"1e-4 + 5e-4·|x|, and {figures['predictions_that_differ']} predictions differ."
    )


def in_fp32_alone(minilm: dict[str, Any], base: dict[str, Any]) -> str:
    """All, on a processor that has no other arithmetic; of the two ways in which a peer uses the cores, the faster."""
    ours = "engine"
    heads = ["MiniLM-L6, rows/s", "engine is faster by", "predictions as in fp32", "BERT-base's shape, rows/s"]
    lines = [f"| how | {' | '.join(heads)} | {heads[1]} |", "|---|---:|---:|---:|---:|---:|"]
    best, best_base = _faster_ways(minilm), _faster_ways(base)
    for name in sorted(best, key=lambda name: -best[name]["rows_per_second"]):
        same = _same_predictions(minilm, name)
        small, large = (_speed(ways.get(name), name != ours) for ways in (best, best_base))
        lines.append(f"| {_as_code(name)} | {small} | {same} | {large} |")
    rounds, tokens = len(minilm["seconds"][ours]), minilm["tokens"]
    note = (
        f"{minilm['rows']} and {base['rows']} reviews, mean {tokens['mean']:.0f} and {base['tokens']['mean']:.0f} and "
        f"at most {tokens['max']} tokens; medians of {rounds} rounds in turn, ratios within each. Of a peer's two ways "
        "to use the cores, the faster. Ours includes reading, checking, writing and committing; the others only "
        "tokenise and compute. The large model's weights are random, and it was compared with peers in int8 alone. "
        f"{in_words(minilm)}"
    )
    return "\n".join([*lines, "", note])


def _as_code(name: str) -> str:
    return "`engine`, fp32" if name == "engine" else name.replace("engine", "`engine`")


def _same_predictions(result: dict[str, Any], name: str) -> str:
    check = result["checks"].get(name)
    return "" if check is None else f"{check['equal_predictions']:.1%} of {check['rows']:,}"


def _faster_ways(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by name, of each peer those of the faster of its ways to use the cores."""
    best: dict[str, dict[str, Any]] = {}
    for name, figure in result["figures"].items():
        peer = name.removesuffix(_AT_ONCE)
        if peer not in best or figure["rows_per_second"] > best[peer]["rows_per_second"]:
            best[peer] = figure
    return best


def _speed(figure: dict[str, Any] | None, is_other: bool) -> str:
    if figure is None:
        return " | "
    return f"{figure['rows_per_second']:.1f} | " + (f"{figure['times_as_fast']:.2f} ×" if is_other else "")
