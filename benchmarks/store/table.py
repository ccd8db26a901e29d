"""The README's words about near-duplicates and object stores, from their results."""

import statistics
from typing import Any

from benchmarks.harness.conditions import in_words


def near_duplicates(result: dict[str, Any]) -> str:
    """Three sentences."""
    figures, memory = dict(result["figures"]), result["memory"]
    engine = figures.pop("engine")
    peers = "; ".join(
        f"{name} {one['rows_per_second']:,} ({one['times_as_fast']:.1f} ×; {one['found']:,} found)"
        for name, one in figures.items()
    )
    found = f"{engine['found']:,} of {result['copies']:,} planted near-copies"
    return (
        f"Marking {result['rows']:,} real reviews finds {found}, at {engine['rows_per_second']:,} rows/s in one "
        f"process; {peers}. Over {memory['rows']:,} rows it is {memory['rows_per_second']:,} rows/s with "
        f"{memory['megabytes_a_million']} MB of memory and {memory['disk_megabytes_a_million']} MB of temporary files "
        "a million rows."
    )


def objects(result: dict[str, Any]) -> str:
    """Two sentences."""
    seconds = result["seconds"]
    ratio = statistics.median(disk / s3 for disk, s3 in zip(seconds["disk"], seconds["s3"], strict=True))
    epochs = result["epochs"]["s3"]
    return (
        f"Labelling {result['rows']:,} real reviews into a store on S3 ({result['server']} on the loopback) runs at "
        f"{ratio:.2f} times the speed of a store on a disk (median of {len(seconds['s3'])} rounds in turn). The first "
        f"epoch of a stream over it takes {epochs[0] * 1000:.0f} ms, the second one, from the cache, "
        f"{epochs[1] * 1000:.1f} ms. {in_words(result)}"
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
