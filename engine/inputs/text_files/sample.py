"""The first lines of a text file, and how a shell reads the same lines."""

import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import InputError
from engine.inputs.encodings import UTF8
from engine.inputs.messages import OR_TEXT
from engine.inputs.paths.file_kinds import UNPACK
from engine.inputs.text_files.line_ends import lines_of_data, returns_end_lines


@dataclass(frozen=True, kw_only=True)
class Sample:
    r"""What is known of a file from its beginning.

    Attributes:
        file: where it is.
        encoding: of the file.
        lines: those that are not blank, without their ends.
        returns: ``\r`` alone ends a line.
        mixed: it does so beside ``\n``.
    """

    file: str
    encoding: str
    lines: list[bytes]
    returns: bool
    mixed: bool

    @classmethod
    def of(cls, data: bytes, file: str, encoding: str) -> "Sample":
        """Of a ``file`` that begins with ``data``."""
        returns = returns_end_lines(data)
        lines = [line for line in lines_of_data(data, returns=returns) if line.strip(b" \t\r\n\v\f\x1a")]
        return cls(file=file, encoding=encoding, lines=lines, returns=returns, mixed=returns and b"\n" in data)

    @cached_property
    def texts(self) -> list[str]:
        """The lines as text, without the white space around them; none is empty."""
        return [text for line in self.lines if (text := line.decode("utf-8", "replace").strip())]

    def command(self, program: str, target: str) -> str:
        """A shell command that writes what ``program`` makes of the lines of the file to the file ``target``."""
        steps = [program]
        if self.returns:
            steps.insert(0, r"tr '\r' '\n'")
        if self.encoding != UTF8:
            steps.insert(0, f"iconv -f {self.encoding.replace('utf-16-', 'utf-16')} -t UTF-8")
        if unpacked := UNPACK.get(Path(self.file).suffix.lower()):
            steps.insert(0, unpacked)
        steps[0] += f" < {shlex.quote(self.file)}"
        return " | ".join(steps) + f" > {target}"

    def refused(self, words: str) -> InputError:
        """An error: what the lines are, and what to do. They may be texts nevertheless."""
        return InputError(f"{self.file}: {words}; {OR_TEXT}")
