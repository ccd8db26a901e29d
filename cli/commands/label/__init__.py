"""``engine label``: a teacher's labels, or anybody's answers."""

from cli.commands.label.command import command

__all__ = ["command"]
