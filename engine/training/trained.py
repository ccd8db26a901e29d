"""A trained model on disk: weights, tokenizer, a model card for people, ``training.json`` for programs."""

import dataclasses
import json
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from engine.errors import TrainingError
from engine.evaluation.evaluate import Evaluation
from engine.model import Classifier, parameters, save_classifier
from engine.training.loop import EpochReport, LoopConfig


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training did.

    Attributes:
        out: folder of the result.
        start: model that it began with.
        procedure: in words.
        classes: class names, in order.
        rows: rows of an epoch.
        max_length: tokens a row.
        loop: how it was trained.
        epochs: what each epoch came to.
        evaluation: on held-out rows, where asked.
        rejected: gold rows that were refused.
        reasons: the first of them.
    """

    out: str
    start: str
    procedure: str
    classes: list[str]
    rows: int
    max_length: int
    loop: LoopConfig
    epochs: list[EpochReport]
    evaluation: Evaluation | None
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Wall time of the epochs."""
        return sum(epoch.seconds for epoch in self.epochs)


def prepare_folder(out: str) -> Path:
    """The folder for a new model.

    Raises:
        TrainingError: something is in it already.
    """
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrainingError(f"{out} is not empty; name a new folder with --out")
    return folder


def save_trained(model: Classifier, trained: Trained, *, sources: list[str]) -> None:
    """Write everything beside ``trained.out`` and rename it: the folder is there whole or not at all."""
    folder = Path(trained.out)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        save_classifier(model, made)
        report = {**dataclasses.asdict(trained), "sources": sources, "seconds": round(trained.seconds, 3)}
        (made / "training.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        (made / "README.md").write_text(model_card(model, trained, sources=sources))
        if folder.exists():
            folder.rmdir()
        made.rename(folder)


def model_card(model: Classifier, trained: Trained, *, sources: list[str]) -> str:
    """The model card, in Markdown with the front matter that hubs read."""
    evaluation = trained.evaluation
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "---",
        "",
        f"# {Path(trained.out).name}",
        "",
        f"`{trained.start}`, {trained.procedure}.",
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(trained.classes)} |",
        f"| trained on | {trained.rows:,} rows of {', '.join(f'`{source}`' for source in sources)} |",
        f"| parameters | {parameters(model.module):,} |",
        f"| maximum length | {trained.max_length} tokens |",
        f"| recipe | {_recipe(trained.loop)} |",
        f"| last epoch's loss | {trained.epochs[-1].loss:.4f} |",
        f"| training time | {trained.seconds:,.1f} s |",
        f"| versions | torch {version('torch')}, transformers {version('transformers')} |",
    ]
    if evaluation is not None:
        lines += [
            "",
            "## Evaluation",
            "",
            f"On {evaluation.rows:,} held-out rows:",
            "",
            "| metric | value |",
            "|---|---|",
        ]
        lines += [f"| {name} | {value} |" for name, value in evaluation.headline().items()]
    return "\n".join(lines) + "\n"


def _recipe(loop: LoopConfig) -> str:
    return (
        f"AdamW, learning rate {loop.learning_rate:g}, {loop.batch_size} rows a step, {loop.epochs} epochs, "
        f"warm-up {loop.warmup:.0%}, weight decay {loop.weight_decay:g}, clip {loop.clip:g}, seed {loop.seed}"
    )
