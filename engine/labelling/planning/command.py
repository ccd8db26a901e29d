"""A label run's request → the same request as a command, for who has to run it again."""

import shlex

from engine.ingest.near_duplicates.marking import MARKING
from engine.labelling.planning.config import LabelConfig
from store.format.label_command import csv_line, new_labels, reading_words


def command_of(config: LabelConfig, location: str) -> str:
    """The `engine label` that asks for what ``config`` does, as a shell takes it; ``location`` is that of the store."""
    words = [*new_labels(location, config.teacher), *_said(config)]
    return shlex.join([*words[:2], *config.inputs, *words[2:]])


def _said(config: LabelConfig) -> list[str]:
    """What differs from the defaults."""
    choices = config.choices
    flags: dict[str, object] = {
        "--revision": config.revision,
        "--shards": config.shards,
        "--name": config.name,
        **{f"--{name}": value or "none" for name, value in config.columns.to_json().items() if value is not None},
        MARKING: config.near_duplicates,
        "--classes": None if config.classes is None else csv_line(config.classes),
        "--max-length": choices.max_length,
        "--dtype": choices.dtype,
        "--devices": None if config.devices == ("auto",) else ",".join(config.devices),
        "--on": config.on,
        "--workers": config.workers,
        "--worker": None if config.worker is None else "{}/{}".format(*config.worker),
        "--tokens-per-batch": choices.tokens_per_batch,
        "--check-rows": choices.check_rows,
        "--on-bad-row": None if config.on_bad_row == "reject" else config.on_bad_row,
        "--pilot": config.pilot,
        "--max-hours": config.max_hours,
    }
    words = [word for flag, value in flags.items() if value is not None for word in (flag, str(value))]
    words += ["--append"] * config.append + ["--no-keep-tokens"] * (not config.keep_tokens)
    return words + reading_words(config.options.to_json())
