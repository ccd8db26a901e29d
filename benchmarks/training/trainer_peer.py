"""transformers.Trainer, as its documentation uses it: rows of token ids → seconds of training."""

import time
from pathlib import Path
from typing import Any

import torch
from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

from engine.models.classifier import Classifier
from engine.training.tasks.config import LoopConfig


class _Clock(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Seconds from the first step to the end of the last one."""

    def __init__(self) -> None:
        self.began = self.seconds = 0.0
        self.steps = 0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = self.began or time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.steps += 1
        self.seconds = time.perf_counter() - self.began


def train_with_trainer(
    model: Classifier,
    rows: list[dict[str, Any]],
    out: Path,
    loop: LoopConfig,
    *,
    sampling: str,
    steps: int | None = None,
    collator: Any = None,
) -> float:
    """Train ``model``, on a GPU if there is one, then in bfloat16; the seconds of all steps.

    Args:
        model: what is trained.
        rows: ``input_ids`` and ``label``.
        out: a folder that it wants to have.
        loop: rows a step, learning rate, decay and clipping; and ``bf16`` for products in that without a GPU, too.
        sampling: ``random``, or ``group_by_length``, Trainer's own grouping: of so many batches at once as a fourth of
            ``rows`` has, and of 50 at most, the rows are sorted.
        steps: as many of the first epoch; all where None.
        collator: makes batches of rows; one that pads them, for classifiers, if None.
    """
    clock = _Clock()
    arguments = TrainingArguments(
        output_dir=str(out),
        num_train_epochs=1,
        max_steps=steps or -1,
        per_device_train_batch_size=loop.batch_size,
        learning_rate=loop.learning_rate,
        weight_decay=loop.weight_decay,
        max_grad_norm=loop.clip,
        warmup_steps=loop.warmup,
        train_sampling_strategy=sampling,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        bf16=loop.dtype == "bf16" or torch.cuda.is_available(),
        seed=loop.seed,
    )
    collator = collator or DataCollatorWithPadding(model.tokenizer)
    Trainer(model.module, arguments, data_collator=collator, train_dataset=rows, callbacks=[clock]).train()
    assert clock.steps == (steps or -(-len(rows) // loop.batch_size)), "every step was taken"
    return clock.seconds
