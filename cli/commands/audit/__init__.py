"""``engine audit``: questions, calibration and gold."""

from cli.commands.audit.command import command

__all__ = ["command"]
