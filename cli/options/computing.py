"""Options of the commands that compute logits: on which devices, in which dtype, in batches of how many tokens."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.options.shared import CommaSeparated

F = TypeVar("F", bound=Callable[..., Any])


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


def computing_options(function: F) -> F:
    """``--max-length --dtype --devices --tokens-per-batch --check-rows``; `read_choices` takes their values."""
    for decorate in (
        click.option(
            "--check-rows",
            type=click.IntRange(min=0),
            help="Rows of each shard that are computed again, alone and in fp32; at most one in 256. [default: 8]",
        ),
        click.option(
            "--tokens-per-batch",
            type=Budget(),
            default="auto",
            show_default=True,
            help="Tokens a batch; auto measures which is fastest, if there is enough text for that to pay.",
        ),
        click.option(
            "--devices",
            type=Devices(),
            default="auto",
            show_default=True,
            help="A worker for each: cuda:0,cuda:1 or cpu,cpu; auto is every CUDA "
            "device, or cpu: a process of one thread for each core that affinity and quota give.",
        ),
        click.option(
            "--dtype",
            type=click.Choice(["auto", "fp32", "fp16", "bf16", "int8", "fp8"]),
            default="auto",
            show_default=True,
            help="Of the computation; auto is fp16 on CUDA, and on a CPU what is fastest and near fp32, measured if "
            "that pays. int8 is for CPUs, and fp8 for GPUs since Ada.",
        ),
        click.option(
            "--max-length",
            type=click.IntRange(min=4, max=65_535),
            help="Tokens a row. [default: its training's, or 512]",
        ),
    ):
        function = decorate(function)
    return function


def read_choices(options: dict[str, Any]) -> Any:
    """The `engine.Choices` of the options of `computing_options`."""
    from engine import Choices

    return Choices(
        max_length=options["max_length"],
        dtype=None if options["dtype"] == "auto" else options["dtype"],
        tokens_per_batch=options["tokens_per_batch"],
        check_rows=options["check_rows"],
    )
