"""A Ray cluster: connecting to it, and what it has. No torch."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from engine.errors import LabellingError

_log = logging.getLogger("engine.labelling")
SCHEME = "ray"
_KNOCK_SECONDS = 10.0
_START = "start one with `ray start --head`, or say which with RAY_ADDRESS or --on ray://HOST:10001"


def check_address(on: str) -> None:
    """Refuse what ``--on`` cannot name.

    Raises:
        LabellingError: it is neither ``ray`` nor begins with ``ray://``.
    """
    if on != SCHEME and not (on.startswith(f"{SCHEME}://") and len(on) > len(f"{SCHEME}://")):
        raise LabellingError(
            f"--on is {on!r}; it is ray, for the cluster of this machine or of RAY_ADDRESS, or ray://HOST:PORT of the "
            "server for clients outside of the cluster (port 10001, unless it was started with another)"
        )


def connect(on: str) -> ModuleType:
    """Ray, connected to the cluster that ``on`` names, unless this process is connected already.

    Raises:
        LabellingError: Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise LabellingError("--on ray needs the package ray: pip install 'softlabel-engine[ray]'") from None
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS") or "auto" if on == SCHEME else on
    with _kept_signals():
        try:
            _knock(address)
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except (OSError, RuntimeError, ValueError) as error:
            if address == "auto":
                raise LabellingError(f"there is no Ray cluster here: {_START}") from None
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise LabellingError(f"no Ray cluster answers at {address}: {reason}; {_START}") from None
    _silence()
    return ray


def _knock(address: str) -> None:
    """Find out at once whether somebody listens at ``address``: Ray itself tries for minutes.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def resources(ray: ModuleType) -> dict[str, float]:
    """CPUs, GPUs and the like of all nodes that are there now, whether they are in use or not."""
    found: dict[str, float] = ray.cluster_resources()
    return found


def needs_of(device: str, nodes: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What a worker takes of its node, as Ray's options.

    Args:
        device: ``cpu``: a core; ``cuda``: a GPU, and its share of the cores, which tokenise.
        nodes: of the cluster, as ``ray.nodes()`` has them.
    """
    if device == "cpu":
        return {"num_cpus": 1, "num_gpus": 0}
    alive = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("GPU")]
    shares = [int(found.get("CPU", 0) // found["GPU"]) for found in alive]
    return {"num_cpus": max(1, min(shares, default=1)), "num_gpus": 1}


def in_words(found: dict[str, float]) -> str:
    """What a cluster has, for messages."""
    return f"{found.get('CPU', 0):g} CPUs and {found.get('GPU', 0):g} GPUs"


@contextlib.contextmanager
def _kept_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; give it back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _silence() -> None:
    """Keep Ray from printing its notes on dead workers to standard output, where data goes; the runner tells them."""
    with contextlib.suppress(ImportError):
        from ray._private import worker

        if hasattr(worker, "print_to_stdstream"):
            worker.print_to_stdstream = _note


def _note(data: Any, ignore_prefix: bool) -> None:  # noqa: ARG001 - as Ray calls it
    _log.debug("ray: %s", "\n".join(data.get("lines", [])))
