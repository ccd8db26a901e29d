"""The README's words about start-up, from its result."""

import statistics
from typing import Any

from benchmarks.harness.conditions import in_words


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
