"""A training → the model card in its folder, for people and, in its head, for hubs."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import EvalResult

from engine.inputs.messages import counted
from engine.models.classifier import Classifier, parameters
from engine.models.notes.card_head import base_model, licence_of, with_head

if TYPE_CHECKING:
    from engine.training.output.mlm_report import MlmReport
    from engine.training.output.trained import Trained

_TAGS = ("softlabel-engine", "text-classification")
_METRICS = {"accuracy": "accuracy", "macro_f1": "f1"}
"""Figures of an evaluation that hubs know, with their names there."""


def model_card(model: Classifier, trained: "Trained", *, sources: list[str], settings: Mapping[str, Any]) -> str:
    """The card, in Markdown.

    Args:
        model: the trained model; its folder is that of its start.
        trained: the report of the training.
        sources: of the rows.
        settings: with which the run was begun, as ``run.json`` has them.
    """
    name = Path(trained.out).resolve().name
    lines = [
        f"# {name}",
        "",
        f"`{trained.start}`, {trained.procedure}.",
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(trained.classes)} |",
        f"| trained on | {trained.rows:,} rows of {_listed(sources)} |",
        *_mlm(trained),
        *[f"| teacher | {teacher} |" for teacher in trained.teachers],
        f"| parameters | {parameters(model.module):,} |",
        f"| maximum length | {trained.max_length} tokens |",
        f"| recipe | {_recipe(trained)} |",
        f"| last epoch's loss | {trained.epochs[-1].loss:.4f} |",
        *_best(trained),
        f"| training time | {trained.seconds:,.1f} s |",
        f"| versions | torch {version('torch')}, transformers {version('transformers')} |",
        *_evaluation(trained),
        *_data(trained, settings),
        *_limits(model, trained),
    ]
    return with_head(_head(model, trained, name), "\n".join(lines))


def mlm_card(start: Classifier, report: "MlmReport") -> str:
    """The card of a masked language model that is a start for classifiers, in Markdown."""
    lines = [
        "# A start for classifiers",
        "",
        f"`{start.source}`, after {_masked(report)}. Loss of the last one: {report.loss:.4f}.",
        "",
        "It has no head for classes: `engine finetune --model` begins with it.",
    ]
    head = {
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "base_model": base_model(start.source, start.folder),
        **licence_of(start.folder),
        "tags": [_TAGS[0]],
    }
    return with_head(head, "\n".join(lines))


def _listed(sources: list[str]) -> str:
    return ", ".join(f"`{source}`" for source in sources)


def _mlm(trained: "Trained") -> list[str]:
    """The row about the masked language modelling before the training, if there was one."""
    mlm = trained.mlm
    if mlm is None:
        return []
    return [f"| before that | {_masked(mlm)}, loss {mlm.loss:.4f}, {mlm.seconds:,.1f} s |"]


def _masked(report: "MlmReport") -> str:
    epochs = counted(len(report.epochs), "epoch")
    return f"masked language modelling on {report.rows:,} texts of {_listed(report.inputs)}, {epochs}"


def _head(model: Classifier, trained: "Trained", name: str) -> dict[str, Any]:
    results = _results(trained)
    return {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": base_model(trained.start, model.folder),
        **licence_of(model.folder),
        "tags": [*_TAGS, *(["knowledge-distillation"] if trained.teachers else [])],
        **({"model_name": name, "eval_results": results} if results else {}),
    }


def _results(trained: "Trained") -> list[EvalResult]:
    """The evaluation, as hubs show it."""
    evaluation = trained.evaluation
    if evaluation is None:
        return []
    rows = ", ".join(Path(file).name for file in trained.evaluation_files) or "held-out rows"
    figures = evaluation.headline()
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type="held-out-rows",
            dataset_name=f"{evaluation.rows:,} rows of {rows}",
            metric_type=kind,
            metric_name=name,
            metric_value=figures[name],
        )
        for name, kind in _METRICS.items()
    ]


def _evaluation(trained: "Trained") -> list[str]:
    evaluation = trained.evaluation
    if evaluation is None:
        return ["", "It was not evaluated: `engine eval` says how good it is on labelled rows."]
    files = ", ".join(f"`{file}`" for file in trained.evaluation_files)
    return [
        "",
        "## Evaluation",
        "",
        f"On {evaluation.rows:,} held-out rows{f' of {files}' if files else ''}:",
        "",
        "| metric | value |",
        "|---|---|",
        *[f"| {name} | {value} |" for name, value in evaluation.headline().items()],
    ]


def _data(trained: "Trained", settings: Mapping[str, Any]) -> list[str]:
    """Hashes by which the data are known again: all that decide the weights."""
    hashes = {name: value for name, value in settings.items() if value is not None and _is_hash(name)}
    if trained.evaluated is not None:
        hashes["evaluation rows"] = trained.evaluated
    if not hashes:
        return []
    return [
        "",
        "## Data",
        "",
        "| | sha256 |",
        "|---|---|",
        *[f"| {name} | {value} |" for name, value in hashes.items()],
    ]


def _is_hash(name: str) -> bool:
    return name.endswith("sha256") or name in ("select", "validation.inputs") or name.startswith("labels.")


def _limits(model: Classifier, trained: "Trained") -> list[str]:
    licence = licence_of(model.folder).get("license")
    said = (
        f"The start model's card names the licence {licence}."
        if licence
        else "The start model's card, or what is there of it, names no licence: find it out before passing this one on."
    )
    teacher = " It repeats mistakes of its teacher." if trained.teachers else ""
    return [
        "",
        "## Limits",
        "",
        f"- Texts are cut at {trained.max_length} tokens.",
        (
            "- It has learned from the rows above alone. How good it is on texts of another kind, language or time is "
            f"not known; `engine eval` measures it.{teacher}"
        ),
        (
            "- It gives every text one of its classes, also one that belongs to none, and its confidence is not "
            "calibrated unless `engine eval --calibrate` was run."
        ),
        "- It is not for decisions about people that nobody looks at.",
        f"- {said}",
    ]


def _best(trained: "Trained") -> list[str]:
    """The row about the kept state, if it was chosen by validation."""
    if trained.best is None:
        return []
    figures = ", ".join(f"{name} {value:.4f}" for name, value in trained.best.figures.items())
    return [f"| state | of step {trained.best.step:,} of {trained.steps:,}, the best on validation rows ({figures}) |"]


def _recipe(trained: "Trained") -> str:
    loop = trained.loop
    return (
        f"AdamW, learning rate {loop.learning_rate:g}, {loop.batch_size} rows a step, {loop.epochs} epochs, "
        f"warm-up {loop.warmup:.0%}, weight decay {loop.weight_decay:g}, clip {loop.clip:g}, seed {loop.seed}, "
        f"products in {trained.dtype}"
    )
