"""The first lines of a text file, and how a shell reads the same lines."""

from dataclasses import dataclass
from functools import cached_property

from engine.errors import InputError
from engine.inputs.messages import OR_TEXT
from engine.inputs.paths.shell_commands import command
from engine.inputs.text_files.line_ends import lines_of_data, returns_end_lines


@dataclass(frozen=True, kw_only=True)
class Sample:
    r"""What is known of a file from its beginning.

    Attributes:
        file: where it is.
        encoding: of the file.
        lines: those that are not blank, without their ends.
        numbers: of those lines, from 1.
        returns: ``\r`` alone ends a line.
        mixed: it does so beside ``\n``.
        of_labels: its lines are to be ids and labels, and not texts.
    """

    file: str
    encoding: str
    lines: list[bytes]
    numbers: list[int]
    returns: bool
    mixed: bool
    of_labels: bool = False

    @classmethod
    def of(cls, data: bytes, file: str, encoding: str, *, of_labels: bool = False) -> "Sample":
        """Of a ``file`` that begins with ``data``."""
        returns = returns_end_lines(data)
        every = enumerate(lines_of_data(data, returns=returns), start=1)
        kept = [(number, line) for number, line in every if line.strip(b" \t\r\n\v\f\x1a")]
        return cls(
            file=file,
            encoding=encoding,
            lines=[line for _, line in kept],
            numbers=[number for number, _ in kept],
            returns=returns,
            mixed=returns and b"\n" in data,
            of_labels=of_labels,
        )

    @cached_property
    def texts(self) -> list[str]:
        """The lines as text, without the white space around them; none is empty."""
        return [text for line in self.lines if (text := line.decode("utf-8", "replace").strip())]

    def number(self, place: int) -> int:
        """The number of the line, from 1, that is the one of ``texts`` at ``place``."""
        pairs = zip(self.numbers, self.lines, strict=True)
        return [number for number, line in pairs if line.decode("utf-8", "replace").strip()][place]

    def command(self, program: str, target: str) -> str:
        """A shell command that writes what ``program`` makes of the lines of the file to the file ``target``."""
        return command(program, self.file, target, encoding=self.encoding, returns=self.returns)

    def refused(self, words: str) -> InputError:
        """An error: what the lines are, and what to do. They may be texts nevertheless, but no labels."""
        return InputError(f"{self.file}: {words}" if self.of_labels else f"{self.file}: {words}; {OR_TEXT}")
