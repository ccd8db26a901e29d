"""A Ray cluster of several nodes on this machine, for tests and rehearsals: `RayCluster`.

Each node is a set of processes of its own with its own cores, and can be killed alone. The cluster lives in a child
process, so that Ray's threads are not in the caller's, and ends with it. As a program: the child.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


class RayCluster:
    """A running cluster; a context manager.

    Args:
        nodes: how many.
        cpus: cores that each says it has.

    Attributes:
        environment: variables with which a process's ``--on ray`` means this cluster.
    """

    def __init__(self, nodes: int, *, cpus: int = 1) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.testing.ray_cluster", str(nodes), str(cpus)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "RAY_memory_monitor_refresh_ms": "0", "RAY_DISABLE_IMPORT_WARNING": "1"},
            start_new_session=True,
        )
        self.environment = {"RAY_ADDRESS": str(self._answer())}

    def __enter__(self) -> "RayCluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(timeout=60)
        assert self._child.stdout is not None
        self._child.stdout.close()

    def free_cpus(self) -> float:
        """Cores that no worker holds."""
        return float(self._ask("free"))

    def worker(self, title: str = "Mailbox") -> int:
        """Process id of a worker whose actor's class is called so, the lowest one; 0 if there is none."""
        return int(self._ask(f"worker {title}"))

    def kill_node(self) -> None:
        """Kill the processes of the node that was added last, as a machine that is switched off."""
        self._ask("kill")

    def add_node(self) -> None:
        """Add one, of as many cores."""
        self._ask("add")

    def _ask(self, command: str) -> Any:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{command}\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._child.stdout is not None
        return json.loads(self._child.stdout.readline())


def main() -> None:
    """Be the child: start the cluster, obey, and end it when nobody is there any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Ray prints
    import ray
    from ray.cluster_utils import Cluster

    nodes, cpus = int(sys.argv[1]), int(sys.argv[2])
    size: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False})
    added = [cluster.add_node(**size) for _ in range(nodes - 1)]
    ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)

    def answer(value: Any) -> None:
        answers.write(f"{json.dumps(value)}\n")
        answers.flush()

    answer(cluster.address)
    for line in sys.stdin:
        if line == "free\n":
            answer(ray.available_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        elif line.startswith("worker "):
            answer(min(_children(f"ray::{line.split()[1]}"), default=0))
        elif line == "kill\n":
            cluster.remove_node(added.pop(), allow_graceful=False)
            answer(None)
        elif line == "add\n":
            added.append(cluster.add_node(**size))
            answer(None)
    ray.shutdown()
    cluster.shutdown()  # type: ignore[no-untyped-call]


def _children(beginning: str) -> list[int]:
    """Ids of the processes whose title begins so, and that descend from this one."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
            if (folder / "cmdline").read_text(encoding="utf-8").startswith(beginning):
                found.append(int(folder.name))
    return [process for process in found if os.getpid() in _ancestors(process, parents)]


def _ancestors(process: int, parents: dict[int, int]) -> Iterator[int]:
    while process := parents.get(process, 0):
        yield process


if __name__ == "__main__":
    main()
