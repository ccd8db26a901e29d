"""The head of a model: what its configuration says that its outputs are, their names, and its last layer.

Reads a configuration and a loaded module; loads nothing, and torch only for a module.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

_GENERIC = re.compile(r"LABEL_\d+")
_HEAD_OF = re.compile(r"For([A-Z]\w*)$")
_FIRST = "Fine-tune it for classes first, with `engine finetune`"
_OTHER_TASKS = {
    "TokenClassification": "one class for each token",
    "QuestionAnswering": "the place of an answer in a text",
    "MultipleChoice": "one score for each of several answers",
    "NextSentencePrediction": "whether one sentence follows another",
}


def refuse_other_heads(source: str, config: Any) -> None:
    """Refuse a teacher whose outputs are no classes of a text, one of which is right.

    Raises:
        ModelError: it is a regression, gives several labels a text or a single output, or was made for another task.
    """
    if config.num_labels < 2:
        raise ModelError(
            f"{source} has {config.num_labels} output; a classifier needs one for each of 2 classes or more. {_FIRST}"
        )
    if config.problem_type == "regression":
        raise ModelError(
            f"{source} is a regression (problem_type in its config.json): its {config.num_labels} outputs are scores, "
            "and no probabilities of classes can be made of them. "
            f"{_FIRST}"
        )
    if config.problem_type == "multi_label_classification":
        raise ModelError(f"{source} gives several labels a text (multi-label); one class a text is needed. {_FIRST}")
    if (task := task_of(config)) in _OTHER_TASKS:
        raise ModelError(
            f"{source} is a {config.architectures[0]} (architectures in its config.json): it gives {_OTHER_TASKS[task]}"
            f", and no class of a text. {_FIRST}"
        )


def task_of(config: Any) -> str | None:
    """The task in the name of its architecture, such as ``SequenceClassification``; None if it has none."""
    match = _HEAD_OF.search(next(iter(config.architectures or ()), ""))
    return match[1] if match else None


def chooses_one_class(config: Any) -> bool:
    """Whether a head that fits was made to choose one of its classes."""
    return task_of(config) not in _OTHER_TASKS and config.problem_type != "regression"


def class_names(source: str, config: Any) -> list[str]:
    """Names of the outputs, in their order.

    Raises:
        ModelError: ``id2label`` does not number them from 0, or two have the same name.
    """
    names = config.id2label
    if sorted(names) != list(range(config.num_labels)):
        told = ", ".join(f'"{number}": "{names[key]}"' for number, key in enumerate(sorted(names)))
        raise ModelError(
            f"{source}: id2label has the keys {sorted(names)}, not 0 to {config.num_labels - 1}; if its outputs are in "
            f'this order, write {{{told}}} as "id2label" into its config.json'
        )
    classes = [str(names[index]) for index in range(config.num_labels)]
    if twice := sorted({name for name in classes if classes.count(name) > 1}):
        raise ModelError(
            f"{source} calls two of its classes {twice[0]!r}; give each its own name in id2label of its config.json"
        )
    return classes


def are_generic(classes: Sequence[str]) -> bool:
    """Whether the names say nothing: ``LABEL_0`` and so on."""
    return all(_GENERIC.fullmatch(name) for name in classes)


def same_but_for_case(names: Sequence[str], others: Sequence[str]) -> list[int] | None:
    """For each of ``names``, the index of the same name in ``others``, where case does not count.

    None if they are not the same names, or if two of one side differ in case alone.
    """
    folded = [other.casefold() for other in others]
    wanted = [name.casefold() for name in names]
    if sorted(folded) != sorted(wanted) or len(set(folded)) != len(folded):
        return None
    return [folded.index(name) for name in wanted]


def order_of_classes(model: str, classes: Sequence[str], other: str, theirs: Sequence[str]) -> list[int]:
    """For each of ``classes``, of ``model``, its index among those of ``other``.

    Raises:
        ModelError: they are different ones.
    """
    order = same_but_for_case(classes, theirs)
    if order is None:
        raise ModelError(
            f"{other} has the classes {', '.join(theirs)}, and {model} has {', '.join(classes)}; name a model with the "
            "same ones"
        )
    return order


def spelled_as(classes: Sequence[str], names: Sequence[str]) -> list[str]:
    """``classes`` with the spelling of ``names`` if they are the same in other case; else as they are."""
    order = same_but_for_case(classes, names)
    return list(classes) if order is None else [names[index] for index in order]


def check_names(source: str, classes: Sequence[str], names: Sequence[str]) -> None:
    """Refuse ``names`` for the outputs of a model that calls them ``classes``, if these are others.

    Raises:
        ModelError: they are, or are not as many.
    """
    if len(names) != len(classes):
        raise ModelError(f"{source} has {len(classes)} outputs, and there are {len(names)} class names")
    if not are_generic(classes) and same_but_for_case(classes, names) is None:
        raise ModelError(
            f"{source} has names of its own: {', '.join(classes)}, and not {', '.join(names)}; give its "
            "own names with --classes, or write the others into id2label of its config.json, in its order"
        )


def output_layer(module: Any) -> "nn.Linear | None":
    """The layer that gives the logits: the last one outside of the encoder with an output for each class."""
    from torch import nn

    inside = {id(part) for part in module.base_model.modules()}
    fitting = [
        part
        for part in module.modules()
        if isinstance(part, nn.Linear) and id(part) not in inside and part.out_features == module.config.num_labels
    ]
    return fitting[-1] if fitting else None
