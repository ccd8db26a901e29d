"""Devices → the runner that labels on them."""

from engine.labelling.runners.base import Runner
from engine.labelling.runners.in_process import InProcess
from engine.labelling.runners.local_processes import LocalProcesses


def choose_runner(devices: tuple[str, ...], *, shared_store: bool) -> Runner:
    """The runner for ``devices`` of this machine.

    One CPU is used by this process and those that its encoder forks, one a core: another worker would compute no
    faster. A GPU can hang or break, so it gets a process that can be killed and replaced.

    Args:
        devices: one for each worker.
        shared_store: whether other processes can open the store.
    """
    if len(devices) == 1 and (devices[0] == "cpu" or not shared_store):
        return InProcess(devices[0])
    return LocalProcesses(devices=devices)
