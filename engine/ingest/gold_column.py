"""The labels of all inputs + the classes of a model → the classes of a store, and which class each label is.

Texts are to be labelled, and gold beside them is a bonus: a column of labels that has nothing to do with the model is
no gold, and does not stop the run. Labels that could be read in two ways do.
"""

from collections.abc import Sequence

from engine.errors import InputError
from engine.ingest.validate import ValidatedInputs
from engine.inputs.labels.classes import (
    MAX_CLASSES,
    LabelIndex,
    check_class_names,
    classes_of,
    foreign,
    index_labels,
    say_which,
)
from engine.inputs.labels.near_classes import mended_map
from engine.inputs.labels.spelling import spell
from engine.inputs.messages import counted, listed, listed_labels
from store.format.segments import InputEntry


class NotGoldError(Exception):
    """No label is one of the classes."""


def decide_classes(
    validated: ValidatedInputs, given: Sequence[str] | None, known: Sequence[str] | None, *, is_named: bool
) -> list[str]:
    """The classes of a store; afterwards the options of each input say which class each label is.

    Args:
        validated: the inputs.
        given: class names that the user gave.
        known: those of the model that will label.
        is_named: whether the user named the label column, so that it has to be gold.

    Raises:
        InputError: there are no classes, the labels seem to be counted from 1, or they have to be gold and are not.
        NotGoldError: no label is one of the classes.
    """
    if given is None and known is None:
        try:
            classes = classes_of(validated.labels, named=_named(validated))
        except InputError as error:
            raise InputError(f"{_where(validated)}: {error}") from None
    else:
        classes = _as_known(list(given or known or ()), known)
    check_class_names(classes)
    _check_faults(validated, is_named=is_named)
    if validated.labels:
        try:
            found = index_labels(
                validated.labels,
                classes,
                where=_where(validated),
                not_labels=validated.not_labels,
                columns=validated.label_columns,
                beside=validated.beside,
            )
        except InputError as error:
            raise InputError(f"{error}; or label without gold: --no-label") from None
        _check_gold(validated, found, classes, is_named=is_named)
        validated.notes += found.notes
        _freeze_label_map(validated.inputs, found, classes)
    return classes


def _as_known(given: list[str], known: Sequence[str] | None) -> list[str]:
    """``given`` as the model spells them.

    Raises:
        InputError: they are not the model's, also if the case of letters is left aside.
    """
    if known is None:
        return given
    spelling = {name.casefold(): name for name in known}
    if set(given) != set(known) and sorted(map(str.casefold, given)) == sorted(spelling):
        return [spelling[name.casefold()] for name in given]
    if set(given) != set(known):
        raise InputError(
            f"--classes are {listed(given)}, and the model has {listed(known)}: leave out --classes; labels of other "
            "names are named by --label-map, or left aside by --no-label"
        )
    return given


def _check_faults(validated: ValidatedInputs, *, is_named: bool) -> None:
    """Take down labels that cannot be used; refuse them if no other label is there.

    Raises:
        NotGoldError: no label can be used.
        InputError: so it is, and the user named the column.
    """
    if not validated.label_faults:
        return
    count = counted(validated.label_faults, "label")
    faults = f"{count} cannot be used, the first: {validated.first_label_fault}"
    if validated.labels:
        validated.notes.append(f"{faults}. Such rows are labelled without gold")
    elif is_named:
        raise InputError(f"{faults}. Mend the labels, or label without gold: --no-label")
    else:
        raise NotGoldError(f"{faults}: they are kept in a column of their own and are no gold")


def _check_gold(validated: ValidatedInputs, found: LabelIndex, classes: list[str], *, is_named: bool) -> None:
    """Take down labels that are no class; refuse them if they are all.

    Raises:
        NotGoldError: no label is a class.
        InputError: so it is, and the user named the column.
    """
    if not found.unknown and len(validated.labels) <= MAX_CLASSES:
        return
    where, unknown = _where(validated), found.unknown or sorted(validated.labels)
    if found.index and len(validated.labels) <= MAX_CLASSES:
        rows = counted(sum(validated.labels[label] for label in unknown), "row")
        validated.notes.append(
            f"{where}: labels of {rows} are none of the classes {listed(classes)}: {listed_labels(unknown)}. Such "
            f"rows are labelled without gold; --label-map says which class such a label is{_as_near(found)}"
        )
        return
    problem = f"{where}: {foreign(unknown, classes)}"
    if is_named:
        raise InputError(
            f"{problem}. {say_which(unknown, classes, validated.beside)}; or label without gold: --no-label"
        )
    raise NotGoldError(
        f"{problem}: they are kept in a column of their own and are no gold. If they are: "
        f"{say_which(unknown, classes, validated.beside)}; --no-label leaves out this note"
    )


def _as_near(found: LabelIndex) -> str:
    """The end of a note: the map of labels that may be classes misspelt; empty if there are none."""
    near = {**found.near, **found.plain}
    return f", as --label-map {mended_map(near, ())}" if near else ""


def _named(validated: ValidatedInputs) -> Sequence[str]:
    """Names that the files give to their labels; none if they differ."""
    return validated.named[0] if len(set(validated.named)) == 1 else ()


def _where(validated: ValidatedInputs) -> str:
    files = listed(entry["path"] for entry in validated.inputs[:2])
    return f"{files}, column {listed(sorted(validated.label_columns))}"


def _freeze_label_map(inputs: list[InputEntry], found: LabelIndex, classes: list[str]) -> None:
    """Write into the options of each input which class each label is, so that no later reading has to decide it."""
    names = {label: classes[number] for label, number in found.index.items()} | dict.fromkeys(found.unknown, "")
    for entry in inputs:
        options = entry.get("options", {})
        said = {label: names.get(spell(name), name) for label, name in options.get("label_map", ())}
        odd = {label: name for label, name in names.items() if label not in said and spell(name) != label}
        if said or odd:
            entry["options"] = {**options, "label_map": [[label, name] for label, name in (said | odd).items()]}
