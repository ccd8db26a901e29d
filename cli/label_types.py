"""Types of the options of ``engine label``."""

from typing import Any

import click

from cli.options import CommaSeparated


class Devices(CommaSeparated):
    """Devices with commas between them."""

    name = "DEVICE,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """``"cuda:0,cuda:1"`` → ``("cuda:0", "cuda:1")``."""
        devices = super().convert(value, param, ctx)
        for device in devices:
            kind, _, number = device.partition(":")
            if device not in ("auto", "cpu", "cuda") and not (kind == "cuda" and number.isdecimal()):
                self.fail(f"{device!r} is no device; auto, cpu, cuda or cuda:N is", param, ctx)
        if "auto" in devices and len(devices) > 1:
            self.fail(f"{value!r} has auto among others; auto stands alone", param, ctx)
        return devices


class Part(click.ParamType[tuple[int, int]]):
    """One of several parts, counted from 0."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """``"0/4"`` → ``(0, 4)``."""
        part, slash, parts = str(value).partition("/")
        if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
            self.fail(f"{value!r} is no part; for 4 runs side by side give 0/4, 1/4, 2/4 and 3/4", param, ctx)
        return int(part), int(parts)


class Budget(click.ParamType[int | None]):
    """A number of tokens, or None for the one that is fastest."""

    name = "auto|TOKENS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """``"auto"`` → None."""
        if value in ("auto", None):
            return None
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"{value!r} is no number of tokens; give auto, or 1 or more", param, ctx)
        return int(value)
