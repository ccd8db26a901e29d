"""A store whose texts are labelled again and again, by `engine.label` itself, as if each time were the first."""

import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

import engine
import store
from store.families.label_card import label_card

NAME = "teacher"
_ROOT = Path(__file__).parent.parent.parent


def let_workers_import() -> None:
    """Let worker processes find this checkout, installed or not: the working directory is not on their path."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))


def forget(place: Path) -> None:
    """Delete labels and token ids, and keep the corpus."""
    for family in ("labels", "tokens"):
        shutil.rmtree(place / family, ignore_errors=True)


def label_again(
    place: Path, teacher: Path, *, inputs: Path, devices: tuple[str, ...], shards: int | None, dtype: str | None = None
) -> "engine.LabelSummary":
    """Label every text of the store at ``place``, which is made from ``inputs`` if it does not exist.

    Labels and token ids of an earlier run are deleted first. ``seconds`` of the summary is from the first text that is
    read to the last shard that is committed.
    """
    forget(place)
    config = engine.LabelConfig(
        store=str(place),
        teacher=str(teacher),
        inputs=(str(inputs),),
        name=NAME,
        shards=shards,
        devices=devices,
        choices=engine.Choices(dtype=dtype),
    )
    return engine.label(config)


def stored_logits(place: Path) -> npt.NDArray[np.float32]:
    """(rows, classes) as they are stored, in the order of the rows; not a number where labelling failed."""
    table = store.open(place).dataset(f"labels/{NAME}").to_table(columns=["row", "logits"]).sort_by("row")
    column = table.column("logits").combine_chunks()
    values: npt.NDArray[np.float16] = column.values.to_numpy(zero_copy_only=False)
    logits = values.reshape(len(column), -1).astype(np.float32)
    logits[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return logits


def stored_path(place: Path) -> str | None:
    """The name of the backend that computed the labels."""
    card = label_card(store.open(place).label_set(NAME))
    return None if card is None else card.path


def stored_lengths(place: Path) -> npt.NDArray[np.int64]:
    """(rows,) tokens that the model saw."""
    table = store.open(place).dataset(f"labels/{NAME}").to_table(columns=["n_tokens"])
    lengths: npt.NDArray[np.int64] = table.column("n_tokens").to_numpy().astype(np.int64)
    return lengths
