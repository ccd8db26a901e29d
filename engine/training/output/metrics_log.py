"""The metrics of a training → ``metrics.jsonl``, and TensorBoard on request.

One JSON object a line: ``step`` (of all epochs), ``epoch`` (from 1), ``loss`` (mean over the rows since the line
before), ``learning_rate``, ``gradient_norm``, ``rows``, ``rows_per_second``; for a validation ``step``, ``epoch`` and
the figures, whose names begin with ``validation_``.
"""

import json
from pathlib import Path
from typing import Any

from engine.errors import TrainingError
from store.storage.atomic_file import write_file

METRICS = "metrics.jsonl"
NONE, TENSORBOARD = "none", "tensorboard"
_MOST_LINES = 10_000


def lines_apart(steps: int) -> int:
    """Steps from line to line: 1, and more for trainings of over 10,000 steps."""
    return -(-steps // _MOST_LINES)


class MetricsLog:
    """The lines of one training.

    Args:
        folder: of the training.
        report_to: ``none`` or ``tensorboard``.
        step: the last one that counts; later lines, written by a killed run, are dropped.

    Raises:
        TrainingError: the package of ``report_to`` is not installed.
    """

    def __init__(self, folder: Path, *, report_to: str, step: int) -> None:
        writer = tensorboard_writer(report_to)
        path = folder / METRICS
        kept = [line for line in read_lines(path) if line["step"] <= step]
        write_file(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")
        self._board = writer(str(folder / "tensorboard"), purge_step=step + 1) if writer else None

    def add(self, line: dict[str, Any]) -> None:
        """Write one line."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in line.items():
                if name not in ("step", "epoch"):
                    self._board.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Close the file; nothing more is added."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def tensorboard_writer(report_to: str) -> Any:
    """The class of TensorBoard's writer; None if ``report_to`` is ``none``.

    Raises:
        TrainingError: its package is not installed.
    """
    if report_to == NONE:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TrainingError(
            f"--report-to {TENSORBOARD} needs the package tensorboard: pip install 'softlabel-engine[tensorboard]'"
        ) from None
    return SummaryWriter


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file: a kill may have cut the last one."""
    lines = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return [line for line in lines if isinstance(line, dict) and "step" in line]
