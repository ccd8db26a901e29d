"""``engine export``: a store or a model → files of other programs."""

from cli.commands.export.command import command

__all__ = ["command"]
