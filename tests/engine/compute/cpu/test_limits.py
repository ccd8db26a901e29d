"""Cores and memory by affinity and cgroup, from files as the kernel writes them."""

import os

import pytest

from engine.compute.cpu.limits import available_bytes, settle_threads, usable_cores


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A folder as /proc, on a machine of 8 cores."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8000 kB\n")
    return tmp_path


def mounted(proc, groups, mounts, files):
    """Let this process be in ``groups``, with hierarchies at ``mounts``."""
    (proc / "self" / "cgroup").write_text(groups)
    lines = [f"30 20 0:2{n} {root} {proc}/{place} rw shared:1 - {kind}" for n, (root, place, kind) in enumerate(mounts)]
    (proc / "self" / "mountinfo").write_text("\n".join(["1 1 8:1 / / rw - ext4 /dev/x rw", *lines]))
    for path, text in files.items():
        (proc / path).parent.mkdir(parents=True, exist_ok=True)
        (proc / path).write_text(text)


V2 = [("/", "v2", "cgroup2 cgroup2 rw")]


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"v2/a/b/cpu.max": "max 100000\n"}, 8),
        ({"v2/a/b/cpu.max": "100000 100000\n"}, 1),
        ({"v2/a/b/cpu.max": "150000 100000\n"}, 2),
        ({"v2/a/b/cpu.max": "10000 100000\n"}, 1),
        ({"v2/a/b/cpu.max": "max 100000\n", "v2/a/cpu.max": "300000 100000\n"}, 3),
        ({"v2/a/b/cpu.max": "6400000 100000\n"}, 8),
    ],
)
def test_the_quota_of_version_2_and_of_groups_around_it(proc, files, cores):
    mounted(proc, "0::/a/b\n", V2, files)
    assert usable_cores(proc) == cores


@pytest.mark.parametrize(("root", "path"), [("/", "v1/docker/x"), ("/docker/x", "v1"), ("/docker", "v1/x")])
def test_the_quota_of_version_1_wherever_it_is_mounted(proc, root, path):
    files = {f"{path}/cpu.cfs_quota_us": "250000\n", f"{path}/cpu.cfs_period_us": "100000\n"}
    mounts = [(root, "v1", "cgroup cgroup rw,cpu,cpuacct"), ("/", "other", "cgroup cgroup rw,memory"), *V2]
    mounted(proc, "3:memory:/m\n2:cpu,cpuacct:/docker/x\n0::/\n", mounts, files)
    assert usable_cores(proc) == 3
    (proc / path / "cpu.cfs_quota_us").write_text("-1\n")
    assert usable_cores(proc) == 8


def test_fewer_cores_by_affinity(proc, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    mounted(proc, "0::/a\n", V2, {"v2/a/cpu.max": "400000 100000"})
    assert usable_cores(proc) == 1


def test_memory_of_the_machine_and_of_the_group(proc):
    assert available_bytes(proc) == 8000 * 1024
    stat = "anon 5\ninactive_file 100\n"
    files = {"v2/a/memory.max": "3000\n", "v2/a/memory.current": "2500\n", "v2/a/memory.stat": stat}
    mounted(proc, "0::/a\n", V2, files)
    assert available_bytes(proc) == 600
    (proc / "v2/a/memory.max").write_text("max")
    assert available_bytes(proc) == 8000 * 1024


def test_memory_of_version_1_and_of_no_system(proc, tmp_path):
    files = {"v1/memory.limit_in_bytes": "3000\n", "v1/memory.usage_in_bytes": "2500\n"}
    mounted(proc, "3:memory:/\n", [("/", "v1", "cgroup cgroup rw,memory")], files)
    assert available_bytes(proc) == 500
    assert available_bytes(tmp_path / "nowhere") is None


def test_what_the_user_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    settle_threads()
    assert os.environ["OMP_NUM_THREADS"] == "7"
    monkeypatch.delenv("OMP_NUM_THREADS")
    settle_threads()
    assert os.environ["OMP_NUM_THREADS"] == str(usable_cores())


@pytest.mark.parametrize("said", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}, {"KMP_BLOCKTIME": "9"}])
def test_threads_hardly_spin_unless_the_user_says_how_long(monkeypatch, said):
    monkeypatch.setattr(os, "environ", {**said})
    settle_threads()
    waiting = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    assert waiting == (said or {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "2000"})


@pytest.mark.parametrize(
    "line",
    [
        b"99 1 0:1 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs;path=C:\\Program Files\\Docker\n",
        b"99 1 0:1 / /empty rw - tmpfs  rw\n",
        b"99 1 0:1 / /caf\xe9 rw - tmpfs tmpfs rw\n",
        b"99 1\n",
    ],
)
def test_odd_mounts_are_passed_over(proc, line):
    (proc / "self").mkdir(exist_ok=True)
    (proc / "self" / "cgroup").write_text("0::/\n")
    (proc / "self" / "mountinfo").write_bytes(line)
    assert usable_cores(proc) == 8


@pytest.mark.parametrize(("said", "cores"), [("3", 3), ("3,2", 3), ("64", 8), ("0", 8), ("many", 8)])
def test_a_user_who_shares_a_machine_says_how_many(proc, monkeypatch, said, cores):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert usable_cores(proc) == cores
