"""A SQL expression → how much each row weighs in a training: evaluated once, and kept beside the run."""

import hashlib

import numpy as np
import numpy.typing as npt

from engine.errors import TrainingError
from engine.training.distributed import Ranks
from engine.training.output.checkpoint import sync
from engine.training.output.run_folder import UNFINISHED_WEIGHTS, WEIGHTS, RunFolder
from store import Store
from store.selections.selection import chosen_rows
from store.sql.conditions import views_read

Weights = npt.NDArray[np.float32]


def frozen_weights(
    folder: RunFolder, store: Store, expression: str, *, labels: tuple[str, ...], select: str | None, ranks: Ranks
) -> Weights:
    """The weights of the run in ``folder``: those that it was begun with, else new ones of the first rank.

    Raises:
        TrainingError: as `weigh`, or the file is damaged.
        QueryError: as `weigh`.
    """
    path = folder.path / WEIGHTS
    if ranks.is_first and not (folder.has_begun and path.exists()):
        temporary = folder.path / UNFINISHED_WEIGHTS
        np.save(temporary, weigh(store, expression, labels=labels, select=select))
        sync(temporary)
        temporary.replace(path)
    ranks.meet()
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(f"{path} is damaged ({error}); name a new folder with --out") from None


def weigh(store: Store, expression: str, *, labels: tuple[str, ...], select: str | None) -> Weights:
    """(rows of the store,) float32, with a mean of 1 over the rows that are trained on, and 0 for the others.

    The mean is 1 so that a learning rate means what it means without weights.

    Args:
        store: the store.
        expression: of SQL, over the columns of ``reviews`` with the first of ``labels``.
        labels: of the training.
        select: of the training.

    Raises:
        TrainingError: the expression gives something else than a finite number from 0 on for a row.
        QueryError: it is no expression over the view ``reviews``.
    """
    views_read(expression, None, ask=lambda sql: store.sql(sql, labels=labels[0]))  # it is one, and nothing more
    query = f"SELECT row, CAST((\n{expression}\n) AS DOUBLE) AS weight FROM reviews"
    answer = store.sql(query, labels=labels[0])
    weights = np.full(store.layout.rows, np.nan)
    weights[answer.column("row").to_numpy()] = answer.column("weight").to_numpy(zero_copy_only=False)
    chosen = chosen_rows(store, labels=labels, select=select)
    trained = np.ones(store.layout.rows, np.bool_) if chosen is None else chosen.has(np.arange(store.layout.rows))
    bad = np.flatnonzero(trained & ~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise TrainingError(
            f"--weight {expression!r} gives {weights[bad[0]]} for row {bad[0]} and nothing better for "
            f"{len(bad) - 1:,} others; it must be a finite number from 0 on. coalesce(…, 1) and greatest(…, 0) help"
        )
    weights /= weights[trained].max(initial=0.0) or 1.0  # so that their sum is finite
    total = weights[trained].sum()
    if total == 0:
        raise TrainingError(f"--weight {expression!r} gives 0 for every row; there is nothing to learn from")
    return np.where(trained, weights * trained.sum() / total, 0).astype(np.float32)


def weights_sha256(weights: Weights) -> str:
    """Hash of the numbers, little-endian."""
    return hashlib.sha256(weights.astype("<f4").tobytes()).hexdigest()
