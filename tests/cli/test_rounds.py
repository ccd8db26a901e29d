"""``--round``: numbers of rounds and ranges of them, in every command that has it."""

import click
import pytest

from cli.main import COMMANDS, cli
from cli.options.rounds import Rounds, gold_rounds_option


def given(*arguments: str) -> tuple[int, ...]:
    command = gold_rounds_option(click.Command("x", callback=lambda rounds: rounds))
    rounds: tuple[int, ...] = command.make_context("x", list(arguments)).params["rounds"]
    return rounds


@pytest.mark.parametrize(
    ("arguments", "rounds"),
    [
        ([], ()),
        (["--round", "2"], (2,)),
        (["--round", "0..2"], (0, 1, 2)),
        (["--round", "3..3"], (3,)),
        (["--round", "4", "--round", "0..1"], (4, 0, 1)),
        (["--round", "0..2", "--round", "1..3", "--round", "0"], (0, 1, 2, 3)),
        (["--round", " 1..2 "], (1, 2)),
        (["--round", "0..99999"], tuple(range(100_000))),
    ],
)
def test_rounds_and_ranges(arguments: list[str], rounds: tuple[int, ...]) -> None:
    assert given(*arguments) == rounds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2..0", "'2..0' runs backwards; write 0..2"),
        ("0..100000", "'0..100000' are 100,001 rounds; a range has at most 100,000"),
        *((text, "is neither a round, such as 2, nor a range") for text in (
            "-1", "one", "", "0...2", "0..", "..2", "0-2", "0..-1", "1.5", "0,1", "0..1..2", "-1..1", "²"
        )),
    ],
)  # fmt: skip
def test_what_is_no_round_is_refused(text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        given("--round", text)


def test_every_command_with_rounds_takes_ranges() -> None:
    context = click.Context(cli)
    options = {
        name: [one.type for one in command.params if "--round" in one.opts]
        for name in COMMANDS
        if (command := cli.get_command(context, name)) is not None
    }
    having = {name: types for name, types in options.items() if types}
    assert sorted(having) == ["audit", "finetune", "report", "train"]
    assert all(isinstance(one, Rounds) for types in having.values() for one in types)
