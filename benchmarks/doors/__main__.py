"""``python -m benchmarks.doors``: write the table of traits and doors, ``engine/inputs/FILES.md``."""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.doors.outcome import DOORS, outcome
from benchmarks.doors.traits import TRAITS, Trait

TABLE = Path(__file__).parents[2] / "engine" / "inputs" / "FILES.md"
_HEAD = """# Files, as they are, at every door

Small files, each with a trait that real ones have, and the outcome at each door. `python -m benchmarks.doors` writes
this table, and a test fails if an outcome is another one. "Read": every text and every label is the right one.

| trait | `finetune`, `eval` | `label` | `audit --gold` |
|---|---|---|---|
"""


def table() -> str:
    """The whole file."""
    return _HEAD + "".join(_row(trait) for trait in TRAITS)


def _row(trait: Trait) -> str:
    return f"| {trait.name} | {' | '.join(_outcome(trait, door) for door in DOORS)} |\n"


def _outcome(trait: Trait, door: str) -> str:
    if door == "audit" and not trait.has_ids:
        return "-"
    with TemporaryDirectory() as folder:
        return outcome(trait, door, Path(folder))


def main() -> None:
    """Write the table."""
    TABLE.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
