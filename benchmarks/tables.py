"""Results → the tables of the README and of ``paper.md``.

``python -m benchmarks.tables`` rewrites them; a test fails when they drift.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.comparison.table import coverage
from benchmarks.export.table import onnx
from benchmarks.faults.table import append_kills, kills, objects_kills, training_kills, troubles
from benchmarks.gpu.table import gpu
from benchmarks.harness.conditions import RESULTS, in_words
from benchmarks.loader.table import loader as loader_lines
from benchmarks.startup.table import startup
from benchmarks.store.table import near_duplicates, objects, queries, scale
from benchmarks.training.table import training
from benchmarks.yelp.table import ablations, audit, compared, first_results, rounds

README = Path(__file__).parent.parent / "README.md"
PAPER = Path(__file__).parent / "paper.md"


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
        check = minilm["checks"].get(name)
        same = "" if check is None else f"{check['equal_predictions']:.1%} of {check['rows']:,}"
        ratios = ["" if name == "engine" else f"{1 / one['times_as_fast']:.2f} ×" for one in (small, large)]
        label = "`engine`, fp32" if name == "engine" else name.replace("engine", "`engine`")
        speeds = [f"{one['rows_per_second']:.1f}" for one in (small, large)]
        lines.append(f"| {label} | {speeds[0]} | {ratios[0]} | {same} | {speeds[1]} | {ratios[1]} |")
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


def loader(result: dict[str, Any]) -> str:
    """The stream and the loaders that people use."""
    return "\n".join(loader_lines(result))


def report(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"A report of {result['rows']:,} rows with {result['mean_characters']:,.0f} characters each in the mean, two "
        f"label sets and gold for a tenth takes {result['seconds']:.1f} s (the median of {len(result['rounds'])} whole "
        f"processes, {result['conditions']['cores']} cores), is a page of {result['bytes'] / 1e6:.1f} MB and needs "
        f"{result['peak_megabytes']:,} MB at most."
    )


TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "yelp": (first_results, ("yelp_compare",)),
    "label_throughput": (throughput, ("label_throughput_minilm", "label_throughput_bert-base")),
    "label_dtypes": (dtypes, ("label_throughput_dtypes_minilm",)),
    "label_dtypes_amx": (
        dtypes_with_amx,
        ("label_throughput_dtypes_amx_minilm", "label_throughput_dtypes_amx_bert-base"),
    ),
    "label_agreement": (agreement, ("label_agreement_minilm",)),
    "label_agreement_amx": (agreement, ("label_agreement_amx_minilm",)),
    "gpu": (gpu, ("gpu",)),
    "label_workers": (workers, ("label_workers_minilm",)),
    "forecast": (forecast, ("forecast",)),
    "label_memory": (memory, ("label_memory",)),
    "startup": (startup, ("startup",)),
    "tokenising": (tokenising, ("tokenising",)),
    "parity": (parity, ("parity",)),
    "kills": (kills, ("kills",)),
    "objects_kills": (objects_kills, ("objects_kills",)),
    "objects": (objects, ("objects",)),
    "append_kills": (append_kills, ("kills_append_train",)),
    "training": (training, ("training_throughput",)),
    "training_kills": (training_kills, ("training_kills", "training_kills_2")),
    "loader": (loader, ("loader",)),
    "troubles": (troubles, ("troubles",)),
    "scale": (scale, ("scale",)),
    "queries": (queries, ("queries",)),
    "near_duplicates": (near_duplicates, ("near_duplicates",)),
    "audit": (audit, ("yelp_audit",)),
    "rounds": (rounds, ("yelp_rounds",)),
    "report": (report, ("report",)),
    "onnx": (onnx, ("onnx",)),
    "coverage": (coverage, ("coverage",)),
}
"""By the name of the place in the README: what makes the words, and from which results."""
OF_PAPER: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "yelp_compare": (compared, ("yelp_compare",)),
    "yelp_ablations": (ablations, ("yelp_ablations",)),
    "imdb_compare": (compared, ("imdb_compare",)),
}
"""The same of ``paper.md``."""
PAGES = ((README, TABLES), (PAPER, OF_PAPER))


def fill(page: str, tables: dict[str, tuple[Callable[..., str], tuple[str, ...]]]) -> str:
    """``page`` with each table between its two comments made anew from its results.

    Raises:
        OSError: a result is missing.
        ValueError: the page lacks the place of a table, or has two.
    """
    for name, (table, sources) in tables.items():
        words = table(*(json.loads((RESULTS / f"{source}.json").read_text()) for source in sources))
        block = f"<!-- {name}: python -m benchmarks.tables -->\n{words}\n<!-- end -->"
        places = re.findall(rf"<!-- {name}: .*?<!-- end -->", page, flags=re.DOTALL)
        if len(places) != 1:
            raise ValueError(f"the page has {len(places)} places for the table {name!r}, not one")
        page = page.replace(places[0], block)
    return page


if __name__ == "__main__":
    for path, tables in PAGES:
        path.write_text(fill(path.read_text(), tables))
