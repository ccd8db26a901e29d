"""The cores and the memory of this machine that this process may use: by its affinity and its cgroup. No torch.

A container with a quota of one core of many sees them all: threads for each would wait for one another.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_SPINS = "2000"  # some microseconds: a training is 6 % faster than without, and as fast beside two busy processes
_FIELDS = 5  # of a line of mountinfo, up to the folder where something is mounted


def usable_cores(proc: Path = PROC) -> int:
    """Cores that this process may keep busy: those of its affinity, or fewer by the quota of its cgroup, rounded up.

    ``OMP_NUM_THREADS`` bounds them, too: it is how users share a machine.

    Args:
        proc: where the kernel tells; tests have their own.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [quota for folder in _groups(proc, "cpu") if (quota := _quota(folder)) is not None]
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    asked = [int(said)] if said.isdecimal() and int(said) else []
    return max(1, min([cores, *asked, *(math.ceil(quota) for quota in quotas)]))


def available_bytes(proc: Path = PROC) -> int | None:
    """Memory that can still be allocated without swapping; None if the system does not tell."""
    free = [_of_machine(proc), *(_left(folder) for folder in _groups(proc, "memory"))]
    return min((size for size in free if size is not None), default=None)


def _quota(folder: Path) -> float | None:
    """Cores that a cgroup may use at a time: its quota for each period; None if there is no limit."""
    quota, period = (_read(folder / "cpu.max") or "max 0").split()
    if quota == "max":
        quota, period = _read(folder / "cpu.cfs_quota_us") or "-1", _read(folder / "cpu.cfs_period_us") or "0"
    return int(quota) / int(period) if int(quota) > 0 and int(period) > 0 else None


def _left(folder: Path) -> int | None:
    """Bytes that a cgroup may still allocate; files that the kernel can drop at once count as free."""
    limit = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
    used = _read(folder / "memory.current") or _read(folder / "memory.usage_in_bytes")
    if limit in (None, "max") or used is None:
        return None
    notes = dict(line.split() for line in (_read(folder / "memory.stat") or "").splitlines())
    return int(limit or 0) - int(used) + int(notes.get("total_inactive_file", notes.get("inactive_file", 0)))


def _of_machine(proc: Path) -> int | None:
    for line in (_read(proc / "meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _groups(proc: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's cgroups, its own and those around it: the limits of all hold."""
    own = {}
    for line in (_read(proc / "self" / "cgroup") or "").splitlines():
        _, names, path = line.split(":", 2)
        own[names] = path
    for line in (_read(proc / "self" / "mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, more = after.partition(" ")  # then a source, which may be empty, and options, which may have spaces
        if len(fields := before.split()) < _FIELDS:
            continue
        (root, mount), options = fields[3:5], more.rpartition(" ")[2]
        if kind == "cgroup2" or (kind == "cgroup" and controller in options.split(",")):
            names = next((names for names in own if controller in names.split(",")), "") if kind == "cgroup" else ""
            yield from _upwards(Path(mount), own.get(names, "/"), root)


def _upwards(mount: Path, path: str, root: str) -> Iterator[Path]:
    """``path`` of a hierarchy whose ``root`` is mounted at ``mount``, and the folders around it."""
    inside = path.removeprefix(root.rstrip("/")).strip("/")
    parts = Path(inside).parts if ".." not in Path(inside).parts else ()
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return None


def settle_threads() -> None:
    """Let libraries that are loaded from now on take as many threads as `usable_cores`, and hardly spin to wait.

    OpenMP's threads wait for each other at the end of each product. Those that spin take the cores from the ones that
    they wait for, if others use the cores, too. What the user has set stays.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & set(os.environ):
        os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=_SPINS)
