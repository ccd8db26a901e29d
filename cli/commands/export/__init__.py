"""``engine export``."""

from cli.commands.export.command import command

__all__ = ["command"]
