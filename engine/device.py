"""The name of a device → the device, where it is there."""

import torch

from engine.errors import ModelError


def best_device() -> torch.device:
    """A CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def find_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` names.

    Raises:
        ModelError: it is not there.
    """
    device = best_device() if name == "auto" else torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"--devices is {name}, and there are {torch.cuda.device_count()} CUDA devices here")
    return device
