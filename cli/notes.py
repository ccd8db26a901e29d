"""What a command says to its user → stderr, through one door: as lines of text, or as one JSON object each.

Notes and errors come from commands (`say`), from loggers, and, in JSON, from whatever else writes to Python's stderr:
warnings, tracebacks, libraries with handlers of their own. Knows no command and no option.
"""

import contextlib
import io
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import click

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
_log = logging.getLogger("cli")


class Wrapped(io.TextIOBase):
    """Takes the place of ``sys.stderr`` while notes are JSON: each line that is written becomes an object.

    Attributes:
        real: the stream behind it, which gets the objects.
    """

    encoding = "utf-8"

    def __init__(self, real: TextIO) -> None:
        self.real = real
        self._begun = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Say each line that ``text`` ends; of a line that was drawn several times, what was seen last."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if shown := line.rstrip("\r").rpartition("\r")[2].strip():
                say(shown, level=logging.WARNING, logger="stderr")
        return len(text)

    def fileno(self) -> int:
        """That of the real stream, for processes that get it as theirs."""
        return self.real.fileno()


class TextFormatter(logging.Formatter):
    """A record → its message, with a word before it if it is a warning: among notes it would be passed over."""

    def format(self, record: logging.LogRecord) -> str:
        """The message as a line of text."""
        text = super().format(record)
        return f"warning: {text}" if record.levelno == logging.WARNING else text


class JsonFormatter(logging.Formatter):
    """A record → one line of JSON, in ASCII: a reader may split and decode it as it likes."""

    def format(self, record: logging.LogRecord) -> str:
        """``time``, ``level``, ``logger`` and ``message``, then the fields of the record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip("\n"),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


class Door(logging.Handler):
    """The only way to stderr. Finds the stream when it writes: tests and `Wrapped` put others there."""

    def settle(self, format_: str) -> None:
        """Write what loggers and `say` have as ``text`` or ``json``; in JSON, what others write to stderr, too."""
        is_json = format_ == JSON
        self.formatter = JsonFormatter() if is_json else TextFormatter("%(message)s")
        if isinstance(sys.stderr, Wrapped):
            sys.stderr = sys.stderr.real
        if is_json:
            sys.stderr = Wrapped(sys.stderr)
        logging.captureWarnings(is_json)
        logging.basicConfig(level=logging.WARNING, handlers=[self], force=True)

    def end(self, code: int) -> None:
        """Say, in JSON, that the command ends with the exit code ``code``; ends a line that somebody has begun."""
        if isinstance(sys.stderr, Wrapped):
            sys.stderr.write("\n")
            level = {0: logging.INFO, 3: logging.WARNING}.get(code, logging.ERROR)
            _log.log(level, "ended with exit code %d", code, extra={"fields": {"exit_code": code}})

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record``; if nobody reads stderr any more, nothing is said."""
        stream = sys.stderr.real if isinstance(sys.stderr, Wrapped) else sys.stderr
        try:
            line = self.format(record)
        except (TypeError, ValueError, KeyError):  # a library's message does not fit its own values
            record.msg, record.args = f"{record.msg} {record.args!r}", None
            line = self.format(record)
        with contextlib.suppress(OSError, ValueError):
            click.echo(line, file=stream)


DOOR = Door()


def say(text: str, *, level: int = logging.INFO, logger: str = "cli", **fields: Any) -> None:
    """Say ``text`` on stderr, whatever level of notes is asked for.

    Args:
        text: a sentence or some lines.
        level: how grave it is, of `logging`; JSON has it.
        logger: who says it.
        fields: what JSON has beside the text, under these names.
    """
    values = {"name": logger, "levelno": level, "levelname": logging.getLevelName(level), "msg": text}
    DOOR.handle(logging.makeLogRecord({**values, "fields": fields}))


def say_error(text: str, error: BaseException, code: int) -> None:
    """Say why the command ends with the exit code ``code``."""
    say(text, level=logging.ERROR, error=type(error).__name__, exit_code=code)
