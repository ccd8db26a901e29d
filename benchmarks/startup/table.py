"""The README's words about start-up, from its result."""

import statistics
from typing import Any

from benchmarks.harness.conditions import in_words


def startup(result: dict[str, Any]) -> str:
    """Start-up, memory and mistakes."""
    label, mistakes = result["label"], {name: statistics.median(one) for name, one in result["mistakes"].items()}
    slowest = max(mistakes, key=mistakes.__getitem__)
    return (
        f"`engine label` has its first rows {statistics.median(label['seconds_to_first_rows']):.1f} s after it was "
        f"started ({statistics.median(label['cpu_seconds']):.1f} s of CPU for all {result['rows']} reviews, median of "
        f"{len(label['seconds'])}); its process needs {max(label['peak_megabytes'])} MB at most, it and what it forks "
        f"{max(label['peak_megabytes_in_all'])} MB, with a model of {result['model_megabytes']} MB. Each of "
        f"{len(mistakes)} simple mistakes, as a file, column, model or label set that is not there, is said within "
        f"{mistakes[slowest]:.1f} s ({slowest}); `engine --help` takes {statistics.median(result['help']):.2f} s. "
        f"{in_words(result)}"
    )
