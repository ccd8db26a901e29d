"""Bytes, seconds and rates → words, each in the unit that suits."""

_SIZES = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def size(count: int) -> str:
    """Bytes: ``999 B``, ``12.0 kB``, ``1.2 MB``, ``2,500.0 GB``."""
    for unit, factor in _SIZES:
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """Seconds: ``43 s``, ``12 min``, ``7.5 h``."""
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 5400 else f"{seconds / 3600:,.3g} h"


def rate(per_second: float) -> str:
    """How many a second: ``12,345``, ``56``, ``0.17``; three digits where there are fewer before the point."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"
