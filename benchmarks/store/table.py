"""The README's words about near-duplicates, from their result."""

from typing import Any


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
