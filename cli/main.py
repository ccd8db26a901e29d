"""The group of commands, and the only place where an error becomes an exit code.

0 ok · 1 error · 2 usage · 3 done, some rows rejected or failed · 4 damage found · 130/138/143 stopped by a signal.
Commands are imported when they are asked for, and import what is heavy when they run.
"""

import errno
import importlib
import io
import logging
import os
import signal
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import click

from engine.compute.cpu.limits import settle_threads
from engine.errors import EngineError, is_memory_error
from store.errors import DamageError, StoreError

_RESUME = "What was committed stays; run the same command again to go on, with fewer processes or smaller batches"
OK, ERROR, USAGE, REJECTED, DAMAGED = 0, 1, 2, 3, 4
COMMANDS = (
    "demo",
    "finetune",
    "label",
    "sql",
    "audit",
    "select",
    "train",
    "eval",
    "predict",
    "info",
    "verify",
    "report",
)


class Commands(click.Group):
    """Commands by name, each in ``cli/<name>.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if name not in COMMANDS:
            return None
        module = "evaluate" if name == "eval" else name
        command: click.Command = importlib.import_module(f"cli.{module}").command
        return command


class Stopped(BaseException):
    """A signal came that asks to end: SIGTERM, or SIGUSR1, which Slurm sends before a time limit.

    Attributes:
        signal: which one.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


def _read_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Defaults of options from a TOML file: a table a command, a key an option."""
    if path is None:
        return
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path}: {error}") from None
    assert isinstance(ctx.command, click.Group)
    defaults = {}
    for name, table in tables.items():
        command = ctx.command.get_command(ctx, name)
        if command is None or not isinstance(table, dict):
            raise click.BadParameter(f"{path}: [{name}] is no command; commands are {', '.join(COMMANDS)}")
        options = {str(parameter.name) for parameter in command.params}
        defaults[name] = {key.replace("-", "_"): value for key, value in table.items()}
        if unknown := sorted(set(defaults[name]) - options):
            raise click.BadParameter(f"{path}: `engine {name}` has no option {unknown[0].replace('_', '-')!r}")
    ctx.default_map = defaults


@click.group(cls=Commands, context_settings={"auto_envvar_prefix": "ENGINE", "help_option_names": ["-h", "--help"]})
@click.option("--quiet", is_flag=True, help="No progress and no notes on stderr; errors only.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Which notes go to stderr.",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_read_config,
    is_eager=True,
    expose_value=False,
    help="TOML file with defaults: a table a command, a key an option. Flags and ENGINE_* variables come first.",
)
@click.version_option(version("softlabel-engine"), prog_name="engine")
@click.pass_context
def cli(ctx: click.Context, *, quiet: bool, log_level: str) -> None:
    """Turn plenty of unlabelled text and few labels into a small, fast, accurate classifier.

    A teacher labels the text once into a store; SQL says how good the labels are; a student learns from them.

    \b
    Example:
      engine finetune gold.parquet --model bert-base-uncased --out teacher
      engine label reviews/*.parquet --store reviews.store --teacher teacher --shards 16
      engine sql reviews.store "SELECT class, count(*), avg(confidence) FROM labels GROUP BY 1"
      engine audit reviews.store
      engine train reviews.store --student bert-base-uncased#layers=2,5,8,11 --out student
      engine predict student new.csv --out answers.csv
    """
    ctx.obj = {"quiet": quiet}
    level = logging.ERROR if quiet else getattr(logging, log_level.upper())
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    for room in ("engine", "store"):
        logging.getLogger(room).setLevel(level)


def run(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code. Messages go to stderr."""
    try:
        result = cli.main(args=arguments, prog_name="engine", standalone_mode=False)
        code = result if isinstance(result, int) else OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = USAGE
    except click.ClickException as error:
        error.show()
        code = USAGE if isinstance(error, click.UsageError) else ERROR
    except DamageError as error:
        click.echo(f"damage: {error}", err=True)
        code = DAMAGED
    except (EngineError, StoreError) as error:
        click.echo(f"error: {error}", err=True)
        code = ERROR
    except (click.Abort, KeyboardInterrupt):
        code = _say_stopped(signal.SIGINT)
    except Stopped as stopped:
        code = _say_stopped(stopped.signal)
    except (OSError, MemoryError, RuntimeError, ImportError) as error:
        click.echo(f"error: {_of_the_place(error)}", err=True)
        code = ERROR
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


def _say_stopped(number: signal.Signals) -> int:
    click.echo(f"stopped by {number.name}; what was committed stays. Run the same command again to go on", err=True)
    return 128 + number


def no_space(error: OSError) -> str | None:
    """What to do where the disk is full; None if something else is wrong."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    disk = f"the disk of {error.filename}" if error.filename else "a disk"
    return (
        f"no space left on {disk} ({error.strerror}); what was committed stays. Make space and run the same command "
        "again to go on"
    )


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


def main() -> NoReturn:
    """The entry point of the console script."""
    settle_threads()
    _settle_streams()
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _stop)
    sys.exit(run())
