"""Results → the tables of the README. ``python -m benchmarks.tables`` rewrites them; a test fails when they drift."""

import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.comparison.table import coverage
from benchmarks.gpu.table import gpu
from benchmarks.harness.conditions import RESULTS, in_words
from benchmarks.loader.table import loader as loader_lines
from benchmarks.yelp.table import audit, rounds, yelp

README = Path(__file__).parent.parent / "README.md"


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


def agreement(result: dict[str, Any]) -> str:
    """Predictions, accuracy and students, by arithmetic."""
    last = "its students' accuracy, less that of fp32's"
    lines = [f"| arithmetic | accuracy | other predictions than fp32 | largest difference of a logit | {last} |"]
    lines.append("|---|---:|---:|---:|---:|")
    rows = result["rows"]
    for dtype, one in result["figures"].items():
        student = result["students"][dtype]
        mean = sum(student["accuracies"]) / len(student["accuracies"])
        gain = "" if dtype == "fp32" else f" ({student['mean_gain']:+.2%} ± {student['deviation_of_gains']:.2%})"
        lines.append(
            f"| {dtype} | {one['accuracy']:.2%} | {one['flips']} ({one['flips'] / rows:.2%}) | "
            f"{one['largest_difference']:.3f} | {mean:.2%}{gain} |"
        )
    seeds = len(result["students"]["fp32"]["accuracies"])
    note = (
        f"MiniLM-L6, fine-tuned on real labels, on {rows:,} real reviews with gold, at most {result['max_length']} "
        f"tokens; students of three of its layers, from {result['pool_rows']:,} labelled reviews each, mean of {seeds} "
        f"seeds (± standard deviation of the difference). {in_words(result)}"
    )
    return "\n".join([*lines, "", note])


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


def kills(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"{result['kills']} SIGKILLs at random moments of {result['trials']} runs (one to three in a chain; "
        f"{', '.join(map(str, result['workers'][:-1]))} and {result['workers'][-1]} workers): {result['good']} of "
        f"{result['trials']} stores came out byte for byte as that of an undisturbed run. What a kill interrupted was "
        f"done again, {result['shards_begun_again']} shards in all, and nothing else."
    )


def objects_kills(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"{result['kills']} SIGKILLs at random moments of {result['trials']} runs on a store on S3, and "
        f"{result['races']} races of {result['writers']} runs that began one store at the same time (with a made-up "
        f"teacher; the server is {result['server']} on the loopback): {result['good']} of {result['trials']} and "
        f"{result['good_races']} of {result['races']} stores came out byte for byte as that of an undisturbed run on a "
        "disk."
    )


def append_kills(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"{result['kills']} SIGKILLs of {result['trials']} runs that label, append, train, append and train again, "
        f"with a real model ({result['killed_in']['append']} while rows were appended): {result['good']} of "
        f"{result['trials']} ended with the {result['files']} files, the students among them, of an undisturbed run."
    )


def loader(result: dict[str, Any]) -> str:
    """The stream and the loaders that people use."""
    return "\n".join(loader_lines(result))


def training(result: dict[str, Any]) -> str:
    """Ours and Trainer's, with the ratio."""
    figures = result["figures"]
    lines = ["| how | rows/s | engine is faster by |", "|---|---:|---:|"]
    for name in sorted(figures, key=lambda name: -figures[name]["rows_per_second"]):
        ratio = "" if name == "engine" else f"{figures[name]['times_as_fast']:.2f} ×"
        lines.append(f"| {name} | {figures[name]['rows_per_second']:.1f} | {ratio} |")
    waiting = max(result["waiting"].values())
    note = (
        f"{result['rows']} of {result['rows_to_choose_from']:,} labelled reviews, mean {result['tokens']['mean']:.0f} "
        f"and at most {result['tokens']['max']} tokens, {result['batch_size']} rows a step; medians of "
        f"{len(result['seconds']['engine'])} rounds in turn, ratios within each. The next step was never waited for "
        f"longer than {waiting:.2%} of the time. {in_words(result)}"
    )
    return "\n".join([*lines, "", note])


def training_kills(one: dict[str, Any], two: dict[str, Any]) -> str:
    """Two sentences."""
    return (
        f"{one['kills']} SIGKILLs at random moments of {one['trials']} trainings ({one['killed_in']['checkpoint']} of "
        f"them while a checkpoint was written): {one['equal']} of {one['trials']} ended with the weights and losses of "
        f"one that was never stopped, to the last bit. Of two processes, {two['kills']} kills of one or both: "
        f"{two['equal']} of {two['trials']}, the largest difference of a weight {two['largest_difference']:.0e}; the "
        f"other process ended {two['longest_wait_for_a_lost_rank']:.0f} s after one was lost, at most."
    )


def troubles(result: dict[str, Any]) -> str:
    """One sentence."""
    longest = result["longest_seconds"]
    return (
        "A worker (with a made-up teacher) that is killed, falls silent or meets a CUDA error that sticks: "
        f"{result['good']} of {result['trials']} runs ended within 60 s with the complete store, or with an error that "
        f"names the shard where it failed each time (the longest after a kill {longest['kill']:.0f} s, after silence "
        f"{longest['hang']:.0f} s)."
    )


def scale(result: dict[str, Any]) -> str:
    """Three sentences."""
    shards, rows, texts = result["shards"], result["rows"], result["texts"]
    count, peer = shards["count and mean"], shards["count and mean, pyarrow's data set"]
    questions = {name: one["answer"]["again"] for name, one in rows.items() if "data set" not in name}
    slowest = sorted(questions, key=questions.__getitem__)[-1]
    size, text = max(texts.items(), key=lambda item: float(item[0].split()[0]))
    return (
        f"A store of 100,000 sealed shards opens and connects in {count['answer']['connect']:.2f} s, and `SELECT "
        f"count(*), avg(confidence) FROM labels` takes {count['answer']['first']:.1f} s (DuckDB over pyarrow's own "
        f"data set: {peer['answer']['connect'] + peer['answer']['first']:.1f} s) with "
        f"{count['peak_private_megabytes']} MB. Of {len(questions)} questions over 10 million rows and two label sets, "
        f"{sum(seconds <= 1 for seconds in questions.values())} take at most 1 s on two cores; the slowest, {slowest}, "
        f"{questions[slowest]:.2f} s. {size} of text were ingested with a peak RSS of {text['peak_megabytes']} MB."
    )


def queries(result: dict[str, Any]) -> str:
    """One sentence a size."""
    from store.sql.questions import questions

    words = []
    for rows, figures in result["sizes"].items():
        seconds = {name: one["answer"]["again"] for name, one in figures.items()}
        parts = []
        for kind, reads in (("read no text", False), ("show texts", True)):
            of = {name: time for name, time in seconds.items() if ("texts" in questions()[name].needs) == reads}
            slowest = max(of, key=of.__getitem__)
            parts.append(f"the {len(of)} that {kind} take at most {of[slowest]:.2f} s (`{slowest}`)")
        words.append(f"Over {int(rows):,} rows, {' and '.join(parts)}.")
    return f"{' '.join(words)} Two label sets, gold for a tenth of the rows; {result['conditions']['cores']} cores."


def report(result: dict[str, Any]) -> str:
    """One sentence."""
    return (
        f"A report of {result['rows']:,} rows with {result['mean_characters']:,.0f} characters each in the mean, two "
        f"label sets and gold for a tenth takes {result['seconds']:.1f} s (the median of {len(result['rounds'])} whole "
        f"processes, {result['conditions']['cores']} cores), is a page of {result['bytes'] / 1e6:.1f} MB and needs "
        f"{result['peak_megabytes']:,} MB at most."
    )


def startup(result: dict[str, Any]) -> str:
    """Start-up, memory and mistakes."""
    label, mistakes = result["label"], {name: statistics.median(one) for name, one in result["mistakes"].items()}
    slowest = max(mistakes, key=mistakes.__getitem__)
    first, of_cpu = (statistics.median(label[f"{kind}seconds_to_first_rows"]) for kind in ("", "cpu_"))
    return (
        f"`engine label` has its first rows {first:.1f} s after it was started, of which {of_cpu:.1f} s of one core "
        f"(medians of {len(label['seconds'])}, {result['rows']} reviews, MiniLM-L6); its process needs "
        f"{max(label['peak_megabytes'])} MB at most, it and what it forks {max(label['peak_megabytes_in_all'])} MB, "
        f"with a model of {result['model_megabytes']} MB. Each of {len(mistakes)} simple mistakes, as a file, column, "
        f"model or label set that is not there, is said within {mistakes[slowest]:.1f} s ({slowest}); "
        f"`engine --help` takes {statistics.median(result['help']):.2f} s. {in_words(result)}"
    )


TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "yelp": (yelp, ("yelp",)),
    "label_throughput": (throughput, ("label_throughput_minilm", "label_throughput_bert-base")),
    "label_dtypes": (dtypes, ("label_throughput_dtypes_minilm",)),
    "label_agreement": (agreement, ("label_agreement_minilm",)),
    "gpu": (gpu, ("gpu",)),
    "label_workers": (workers, ("label_workers_minilm",)),
    "forecast": (forecast, ("forecast",)),
    "label_memory": (memory, ("label_memory",)),
    "startup": (startup, ("startup",)),
    "tokenising": (tokenising, ("tokenising",)),
    "parity": (parity, ("parity",)),
    "kills": (kills, ("kills",)),
    "objects_kills": (objects_kills, ("objects_kills",)),
    "append_kills": (append_kills, ("kills_append_train",)),
    "training": (training, ("training_throughput",)),
    "training_kills": (training_kills, ("training_kills", "training_kills_2")),
    "loader": (loader, ("loader",)),
    "troubles": (troubles, ("troubles",)),
    "scale": (scale, ("scale",)),
    "queries": (queries, ("queries",)),
    "audit": (audit, ("yelp_audit",)),
    "rounds": (rounds, ("yelp_rounds",)),
    "report": (report, ("report",)),
    "coverage": (coverage, ("coverage",)),
}
"""By the name of the place in the README: what makes the words, and from which results."""


def fill(readme: str) -> str:
    """``readme`` with each table between its two comments made anew from its results, where they are there."""
    for name, (table, sources) in TABLES.items():
        files = [RESULTS / f"{source}.json" for source in sources]
        if not all(file.exists() for file in files):
            continue
        words = table(*(json.loads(file.read_text()) for file in files))
        block = f"<!-- {name}: python -m benchmarks.tables -->\n{words}\n<!-- end -->"
        places = re.findall(rf"<!-- {name}: .*?<!-- end -->", readme, flags=re.DOTALL)
        if len(places) != 1:
            raise ValueError(f"README.md has {len(places)} places for the table {name!r}, not one")
        readme = readme.replace(places[0], block)
    return readme


if __name__ == "__main__":
    README.write_text(fill(README.read_text()))
