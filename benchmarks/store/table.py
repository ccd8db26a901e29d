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
