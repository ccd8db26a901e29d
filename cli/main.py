"""The group of commands, and the only place where an error becomes an exit code.

0 ok · 1 error · 2 usage · 3 done, some rows rejected or failed · 4 damage found · 130/138/143 stopped by a signal.
Commands are imported when they are asked for, and import what is heavy when they run.
"""

import errno
import gc
import importlib
import io
import logging
import os
import signal
import sys
import traceback
from importlib.metadata import version
from types import TracebackType
from typing import Any, NoReturn

import click

from cli.notes import DOOR, say_error
from cli.options.global_options import Command, global_options, settle_format, settle_notes
from engine.compute.cpu.limits import settle_threads
from engine.errors import EngineError, OutputPlaceError, is_memory_error
from engine.models.loading.lean_imports import import_less
from store.errors import DamageError, StoreError

_RESUME = "What was committed stays; run the same command again to go on, with fewer processes or smaller batches"
OK, ERROR, USAGE, REJECTED, DAMAGED = 0, 1, 2, 3, 4
COMMANDS = (
    "demo", "finetune", "label", "sql", "audit", "select", "train", "eval", "compare", "predict", "info", "verify",
    "remove", "copy", "export", "report", "doctor",
)  # fmt: skip


_log = logging.getLogger("cli")


class Commands(click.Group):
    """Commands by name, each in ``cli/commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if name not in COMMANDS:
            return None
        module = "evaluate" if name == "eval" else name
        return Command.of(importlib.import_module(f"cli.commands.{module}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with.

        Raises:
            click.UsageError: there is none; the message names similar ones.
        """
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from store.storage.near_paths import did_you_mean, near_names

            ctx.fail(f"No such command {args[0]!r}{did_you_mean(near_names(args[0], COMMANDS))}.")
        return super().resolve_command(ctx, args)


class Stopped(BaseException):
    """A signal came that asks to end: SIGTERM, or SIGUSR1, which Slurm sends before a time limit.

    Attributes:
        signal: which one.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


@click.group(
    cls=Commands,
    params=global_options(),
    context_settings={"auto_envvar_prefix": "ENGINE", "help_option_names": ["-h", "--help"]},
)
@click.version_option(version("softlabel-engine"), prog_name="engine")
@click.pass_context
def cli(ctx: click.Context, /, **_: Any) -> None:
    """Turn plenty of unlabelled text and few labels into a small, fast, accurate classifier.

    A teacher labels the text once into a store; SQL says how good the labels are; a student learns from them.

    \b
    Example:
      engine finetune gold.parquet --model bert-base-uncased --out teacher
      engine label reviews/*.parquet --store reviews.store --teacher teacher --shards 16
      engine sql reviews.store "SELECT label_set, class, count(*), avg(confidence) FROM labels GROUP BY ALL"
      engine audit reviews.store
      engine train reviews.store --student bert-base-uncased#layers=2,5,8,11 --out student
      engine predict student new.csv --out answers.csv
    """
    settle_notes(ctx)


def run(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code. Messages go to stderr."""
    settle_format(sys.argv[1:] if arguments is None else arguments, COMMANDS)
    code = _run(arguments)
    DOOR.end(code)
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        result = cli.main(args=arguments, prog_name="engine", standalone_mode=False)
        code = result if isinstance(result, int) else OK
    except click.ClickException as error:
        code = USAGE if isinstance(error, click.UsageError) else ERROR
        say_error(_as_click_shows(error), error, code)
    except DamageError as error:
        code = _say_error(error, f"damage: {error}", DAMAGED)
    except OutputPlaceError as error:
        code = _say_error(error, f"error: {error}", USAGE)
    except (EngineError, StoreError) as error:
        code = _say_error(error, f"error: {error}", ERROR)
    except (click.Abort, KeyboardInterrupt) as error:
        code = _say_stopped(signal.SIGINT, error)
    except Stopped as stopped:
        code = _say_stopped(stopped.signal, stopped)
    except (OSError, MemoryError, RuntimeError, ImportError) as error:
        code = _say_error(error, f"error: {_of_the_place(error)}", ERROR)
    return code


def _as_click_shows(error: click.ClickException) -> str:
    """The usage and the message of what click refuses; the help of a command that nothing was given to."""
    shown = io.StringIO()
    error.show(shown)
    return shown.getvalue().rstrip("\n")


def _say_error(error: Exception, text: str, code: int) -> int:
    """Print the message; with ``--log-level debug`` also where the error came from. Returns ``code``."""
    say_error(text, error, code)
    _log.debug("it came from here:", exc_info=error)
    return code


def _of_the_place(error: Exception) -> str:
    """The message of an error that the machine is the cause of; any other one goes on, with its traceback."""
    if is_memory_error(error):
        return f"there is too little memory: {str(error) or 'an allocation failed'}. {_RESUME}"
    if not isinstance(error, OSError):
        raise error
    if error.filename and isinstance(error, PermissionError):
        return f"{error.filename} may not be read or written by this user ({error.strerror})"
    return no_space(error) or str(error)


def _say_stopped(number: signal.Signals, error: BaseException) -> int:
    code = 128 + number
    say_error(f"stopped by {number.name}; what was committed stays. Run the same command again to go on", error, code)
    return code


def no_space(error: OSError) -> str | None:
    """What to do where the disk is full; None if something else is wrong."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    disk = f"the disk of {error.filename}" if error.filename else "a disk"
    return (
        f"no space left on {disk} ({error.strerror}); what was committed stays. Make space and run the same command "
        "again to go on"
    )


def _say_mistake(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what only a mistake in the program can raise, and what a report of it needs."""
    lines = "".join(traceback.format_exception(kind, error, trace))
    say_error(
        f"{lines}This is a mistake in engine itself; what was committed stays. Please report it, with the lines above "
        "and what `engine doctor` prints",
        error,
        ERROR,
    )
    DOOR.end(ERROR)


def _stop(number: int, _frame: Any) -> NoReturn:
    raise Stopped(number)


def _settle_streams() -> None:
    """Make stdout and stderr what the commands expect: open, and in UTF-8 whatever the locale says.

    Of a closed one the next file that is opened would get the number, and whatever is printed would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


def settle_process() -> None:
    """Settle what libraries that are loaded later find: this process does nothing but one command."""
    settle_threads()
    import_less()


def main() -> NoReturn:
    """The entry point of the console script."""
    settle_process()
    _settle_streams()
    sys.excepthook = _say_mistake
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _stop)
    code = run()
    gc.freeze()  # nothing needs to be looked at once more where the process ends: torch's modules take 0.5 s
    sys.exit(code)
