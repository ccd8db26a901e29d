"""A SQL expression → the weight of each row in a training: evaluated once, and kept in the folder of the run."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.errors import TrainingError
from engine.training.output.run_folder import WEIGHTS, RunFolder
from store import Store
from store.selections.selection import chosen_rows
from store.sql.texts.conditions import views_read
from store.storage.atomic_file import replaced

if TYPE_CHECKING:
    from engine.training.distributed import Ranks

RowWeights = npt.NDArray[np.float32]
"""(rows of the store,) by row number."""


def frozen_weights(
    folder: RunFolder, store: Store, expression: str, *, labels: tuple[str, ...], select: str | None, ranks: "Ranks"
) -> RowWeights:
    """The weights of the run in ``folder``: those with which it was begun, or new ones from the first rank.

    Raises:
        TrainingError: as `weigh`, or the file of weights is damaged or not there.
        QueryError: as `weigh`.
    """
    path = folder.path / WEIGHTS
    if ranks.is_first and not (folder.has_begun and path.exists()):
        weights = weigh(store, expression, labels=labels, select=select)
        with replaced(path) as temporary, temporary.open("wb") as file:
            np.save(file, weights)
    ranks.meet()
    if (held := held_weights(folder)) is None:
        raise TrainingError(f"{path} is not there: all processes of a training need the same --out, on a shared disk")
    return held


def held_weights(folder: RunFolder) -> RowWeights | None:
    """The weights with which the run in ``folder`` was begun; None if their file is not there.

    Raises:
        TrainingError: their file is damaged.
    """
    path = folder.path / WEIGHTS
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(f"{path} is damaged ({error}); name a new folder with --out") from None


def look_at_weight(store: Store, expression: str, *, labels: tuple[str, ...]) -> None:
    """Refuse what is no expression over the view ``reviews``; no row is read.

    Raises:
        QueryError: it is none.
    """
    views_read(expression, None, ask=lambda sql: store.sql(sql, labels=labels[0]))  # refuses all but one expression
    store.sql(f"{_query(expression)} LIMIT 0", labels=labels[0])


def weigh(store: Store, expression: str, *, labels: tuple[str, ...], select: str | None) -> RowWeights:
    """The weights that ``expression`` gives, scaled to a mean of 1 over the trained rows; 0 for all other rows.

    The mean is 1 so that a learning rate has the same effect as without weights.

    Args:
        store: the store.
        expression: in SQL, over the columns of ``reviews`` with the first of ``labels``.
        labels: label sets of the training.
        select: selection of the training; all rows if None.

    Raises:
        TrainingError: the expression gives a row null, a negative or an infinite number, or 0 for every row.
        QueryError: it is not an expression over the view ``reviews``.
    """
    views_read(expression, None, ask=lambda sql: store.sql(sql, labels=labels[0]))  # refuses all but one expression
    answer = store.sql(_query(expression), labels=labels[0])
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


def _query(expression: str) -> str:
    return f"SELECT row, CAST((\n{expression}\n) AS DOUBLE) AS weight FROM reviews"


def weights_sha256(weights: RowWeights) -> str:
    """Hash of the weights as little-endian float32."""
    return hashlib.sha256(weights.astype("<f4").tobytes()).hexdigest()
