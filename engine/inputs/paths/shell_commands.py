"""Commands that messages give: what a program makes of a file → a new file, also of a compressed one. Runs nothing."""

import shlex
from pathlib import Path

from engine.inputs.encodings import UTF8
from engine.inputs.paths.file_kinds import UNPACK


def command(program: str, file: str, target: str, *, encoding: str = UTF8, returns: bool = False) -> str:
    r"""A shell command that writes what ``program`` makes of the lines of ``file``.

    Args:
        program: it reads UTF-8 from the standard input.
        file: what it reads, which may be compressed.
        target: the file that is written, in the folder where the command is run; another name is taken if it is that of
            ``file``, which the shell would empty first.
        encoding: of the file.
        returns: ``\r`` alone ends a line.
    """
    steps = [program]
    if returns:
        steps.insert(0, r"tr '\r' '\n'")
    if encoding != UTF8:
        steps.insert(0, f"iconv -f {encoding.replace('utf-16-', 'utf-16')} -t UTF-8")
    if unpacked := UNPACK.get(Path(file).suffix.lower()):
        steps.insert(0, unpacked)
    steps[0] += f" < {shlex.quote(file)}"
    return " | ".join(steps) + f" > {other_than(file, target)}"


def other_than(file: str, target: str) -> str:
    """``target``, or a name like it if ``file`` has it."""
    return f"new_{target}" if Path(file).name == target else target
